"""Bundles on the disk: a folder, or a zip archive, whose every byte follows from the content of its files.

`manifest-sha256.txt` lists each other file as `sha256sum` does. A zip archive holds the same files uncompressed, sorted
by name and without times: it is the one archive of these files, so that a changed byte between them is seen as well,
and nothing in it can unpack to more than its size.

Bundles come from strangers. Names are checked before a file is opened, links and special files are refused, and so is
whatever is larger than the limits.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import re
import shutil
import stat
import zipfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sidelight_specs import SidelightError, UserError
from sidelight_specs.files import read_regular
from sidelight_specs.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MANIFEST, DESCRIPTION, CRATE = "manifest-sha256.txt", "bundle.json", "ro-crate-metadata.json"
MOST_FILES = 100_000
MOST_BYTES = 64 << 30  # of all files together
_MOST_LISTED = 64 << 20  # bytes of the manifest
_LONGEST = 1024  # bytes of a name, folders included
_DEEPEST = 24
_BLOCK = 1 << 20  # bytes that are copied at a time
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n\r]+)\n")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]|^ |[ .]$')  # in a part of a name, on one system or another
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # devices on Windows
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can tell


class Damaged(SidelightError):
    """A bundle whose files are not those that it lists, or that could do harm."""


def is_safe(name: str) -> bool:
    """True for a relative name with forward slashes that is a file below the bundle on every system."""
    parts = name.split("/")
    fits = len(parts) <= _DEEPEST and len(name.encode("utf-8", "replace")) <= _LONGEST and name.isprintable()
    return fits and all(
        part not in ("", ".", "..") and not _UNSAFE.search(part) and not _RESERVED.fullmatch(part) for part in parts
    )


def manifest_text(digests: Mapping[str, str]) -> str:
    """The manifest of files by their names."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))


def digest_of_text(text: str) -> str:
    """`sha256:...` of a text."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def write_bundle(files: Mapping[str, Path | bytes], out: Path) -> str:
    """Write a bundle, and put it in its place when it is whole.

    Args:
        files: name to content, or to the file that is copied; all but the manifest.
        out: a folder that is not there yet, or a file that ends in `.zip`.

    Returns:
        `sha256:...` of the manifest, which stands for the whole bundle.

    Raises:
        UserError: a name is not safe, or the bundle cannot be written.
    """
    unsafe = [name for name in files if not is_safe(name)]
    if unsafe:
        raise UserError(f"{quoted(unsafe[0])} cannot be the name of a file in a bundle", "rename the file")
    draft = out.with_name(f".{out.name}-{token_hex(4)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = draft if out.suffix != ".zip" else draft.with_name(f"{draft.name}.files")
        try:
            text = _write_folder(files, folder)
            if out.suffix == ".zip":
                write_zip(folder, draft)
            draft.replace(out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if draft.is_file():
                draft.unlink()
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}", "choose another --out") from error
    return digest_of_text(text)


def _write_folder(files: Mapping[str, Path | bytes], folder: Path) -> str:
    digests: dict[str, str] = {}
    for name in sorted(files):
        content, path = files[name], folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            shutil.copyfile(content, path)
        digests[name] = _digest(path)
    text = manifest_text(digests)
    (folder / MANIFEST).write_bytes(text.encode())
    return text


def write_zip(folder: Path, path: Path) -> None:
    """The one archive of a folder's files."""
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16  # as on Linux, whatever this system is
            info.file_size = (folder / name).stat().st_size
            with (folder / name).open("rb") as source, archive.open(info, "w") as target:
                shutil.copyfileobj(source, target, _BLOCK)


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The folder of a bundle; an archive is unpacked into a temporary one. Nothing in it is verified but names.

    Raises:
        UserError: there is no bundle.
        Damaged: the archive is not as bundles are.
    """
    if path.is_dir():
        _expect(path)
        yield path
        return
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path} is no file and no folder", "give what `sidelight bundle` wrote")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "give what `sidelight bundle` wrote") from error
    with TemporaryDirectory(prefix="sidelight-audit-") as scratch:
        folder = Path(scratch) / "bundle"
        try:
            _unpack(path, folder)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
            raise _bad_archive(path, error) from error
        except OSError as error:
            raise UserError(f"{path} cannot be unpacked: {error.strerror or error}", "free some space") from error
        _expect(folder)
        again = Path(scratch) / "again.zip"
        write_zip(folder, again)
        if not filecmp.cmp(path, again, shallow=False):
            raise Damaged("the archive has bytes that belong to none of its files, or differ from what `bundle` writes")
        again.unlink()
        yield folder


def _bad_archive(path: Path, error: Exception) -> SidelightError:
    with path.open("rb") as stream:
        is_archive = stream.read(4) == b"PK\x03\x04"
    if is_archive or zipfile.is_zipfile(path):
        return Damaged(f"the archive is damaged: {error}")
    return UserError(f"{path} is no zip archive", "give what `sidelight bundle` wrote")


def _expect(folder: Path) -> None:
    missing = [name for name in (MANIFEST, DESCRIPTION) if not (folder / name).is_file()]
    if missing:
        raise UserError(f"it is no bundle: there is no {missing[0]}", "give what `sidelight bundle` wrote")


def _unpack(path: Path, folder: Path) -> None:
    """Write an archive's files; refuses what a bundle's archive never has before it opens any."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        _check_names([info.filename for info in entries])
        for info in entries:
            if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                raise Damaged(f"{quoted(info.filename)} is compressed, which no file of a bundle is")
            if info.flag_bits & 0x1 or stat.S_ISLNK(info.external_attr >> 16):
                raise Damaged(f"{quoted(info.filename)} is encrypted, or a link")
        if sum(info.file_size for info in entries) > min(size, MOST_BYTES):
            raise Damaged("its files are larger than the archive, or than a bundle may be")
        for info in entries:
            target = folder / info.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, target.open("xb") as sink:
                shutil.copyfileobj(source, sink, _BLOCK)


def _check_names(names: list[str]) -> None:
    if len(names) > MOST_FILES:
        raise Damaged(f"it has {len(names):,} files, a bundle has at most {MOST_FILES:,}")
    seen = set[str]()
    for name in names:
        if not is_safe(name):
            raise Damaged(f"{quoted(name)} is no name that a bundle's file may have")
        if name.casefold() in seen:
            raise Damaged(f"{quoted(name)} is there twice")
        seen.add(name.casefold())
    below = {parent.as_posix() for name in seen for parent in PurePosixPath(name).parents}
    if both := sorted(seen & below):
        raise Damaged(f"{quoted(both[0])} is a file and a folder")


def verify(folder: Path) -> tuple[str, list[str]]:
    """Hold the files of a bundle against its manifest.

    Returns:
        `sha256:...` of the manifest; sentences about what is changed, missing, or does not belong there.

    Raises:
        Damaged: the manifest cannot be read, or a name could do harm.
    """
    try:
        text = read_regular(folder / MANIFEST, _MOST_LISTED + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Damaged(f"{MANIFEST} cannot be read: {error}") from error
    listed = {match[2]: match[1] for match in _LINE.finditer(text)}
    if len(text) > _MOST_LISTED or manifest_text(listed) != text:
        raise Damaged(f"{MANIFEST} is damaged: its lines are not those of `bundle`")
    _check_names(list(listed))
    there, faults = _files(folder)
    faults += [f"{name} is missing" for name in sorted(listed.keys() - there)]
    faults += [f"{name} does not belong there" for name in sorted(there - listed.keys() - {MANIFEST})]
    changed = (name for name in sorted(listed.keys() & there) if _digest(folder / name) != listed[name])
    return digest_of_text(text), faults + [f"{name} has changed" for name in changed]


def _files(folder: Path) -> tuple[set[str], list[str]]:
    """Names of the regular files below a folder, and sentences about everything else."""
    names, faults, total = set[str](), list[str](), 0
    for parent, folders, files in os.walk(folder):
        for item in (*folders, *files):
            path = Path(parent) / item
            name, status = path.relative_to(folder).as_posix(), path.lstat()
            if stat.S_ISREG(status.st_mode):
                names.add(name)
                total += status.st_size
            elif not stat.S_ISDIR(status.st_mode):
                faults.append(f"{name} is a link or a special file")
            elif not any(path.iterdir()):
                faults.append(f"{name} is an empty folder, which does not belong there")
        if len(names) > MOST_FILES or total > MOST_BYTES:
            raise Damaged(f"it has more than {MOST_FILES:,} files, or more than {MOST_BYTES >> 30} GiB")
    return names, faults


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
