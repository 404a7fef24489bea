"""The content-addressed store: the results of steps, each under the key of everything that it depends on.

```
ROOT/v2/ab/abcd…/   entry.json: key, component, step, kind, a digest for each file, and a seal over all of that
                    result/ and emitted-N/: artifacts; files/: those of a renderer
ROOT/temporary/     entries on their way in and out
```

An entry is written in `temporary`, brought to the disk and renamed, so that it exists whole or not at all, whatever is
killed or loses power. What is read is verified: a damaged entry, or one in the place of another, counts as a miss.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from platformdirs import user_cache_path
from sidelight_specs import Artifact, SidelightError, UserError
from sidelight_specs.digests import digest_file, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LAYOUT = "v2"  # v1: entries did not name their key
_DOCUMENT, _RESULT, _FILES, _LOCK = "entry.json", "result", "files", "lock"
_YOUNG = 60  # seconds in which the owner of a new scratch folder may take its lock


@attrs.frozen(eq=False, kw_only=True)
class Entry:
    """All that one step made.

    Args:
        component: `PLUGIN/COMPONENT` that made it.
        step: its verb: `"explain"`.
        result: the artifact; None for a step that gives files only, or that had nothing to do.
        emitted: full name and artifact of each by-product, in the order of their making.
        warnings: texts that the components said meanwhile.
        files: rendered files, relative to the folder given to the renderer; the first is the one to open first.
        digest: of the result; empty without one.
    """

    component: str
    step: str
    result: Artifact | None = None
    emitted: tuple[tuple[str, Artifact], ...] = ()
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    digest: str = attrs.field()

    @digest.default
    def _of_result(self) -> str:
        return self.result.digest() if self.result is not None else ""


@attrs.frozen
class Stored:
    """One entry as `sidelight cache` sees it; `component` is empty where the entry is damaged."""

    folder: Path
    component: str
    size: int
    used: float


class Store:
    """Entries by key, safe against kill, power cuts, and other processes doing the same at the same time.

    Args:
        root: the folder; `$SIDELIGHT_CACHE`, or `sidelight` in the user's cache folder, when None.
        notice: told of damaged entries.
    """

    def __init__(self, root: Path | None = None, notice: Callable[[str], None] = lambda _: None) -> None:
        chosen = os.environ.get("SIDELIGHT_CACHE")
        default = Path(chosen).expanduser().absolute() if chosen else user_cache_path("sidelight", appauthor=False)
        self.root = root or default
        self._notice = notice
        self._scratch: Scratch | None = None

    def get(self, key: str, made_by: tuple[str, str] | None = None, export: Path | None = None) -> Entry | None:
        """The entry under `key`, verified and loaded; None where there is none, or a damaged one, which is removed.

        Args:
            key: 64 hexadecimal digits.
            made_by: the component and the step that it must come from.
            export: an empty folder that gets the rendered files.

        Raises:
            OSError: `export` cannot be written to.
        """
        folder = self._folder(key)
        try:
            entry = read_entry(folder, key, made_by)
        except (SidelightError, OSError, ValueError, KeyError, TypeError) as error:
            if folder.is_symlink() or folder.exists():
                self._notice(f"cache entry {folder} is not used and is made anew: {error}")
                self._remove(folder)
            return None
        if export is not None and entry.files:
            shutil.copytree(folder / _FILES, export, dirs_exist_ok=True)
        with suppress(OSError):  # somebody else's cache, or cleared this moment
            os.utime(folder)  # `cache clear --older-than` counts from the last use
        return entry

    def holds(self, key: str) -> bool:
        """True if there is an entry under `key`, sound or not."""
        return (self._folder(key) / _DOCUMENT).is_file()

    def put(self, key: str, entry: Entry, files: Path | None = None) -> None:
        """Keep `entry` under `key`; of two writers of one key the first wins.

        Args:
            key: 64 hexadecimal digits.
            entry: the result of a step.
            files: the folder with the rendered files, copied.

        Raises:
            UserError: the folder cannot be written to, or the disk is full.
        """
        folder = self._folder(key)
        try:
            draft = self._draft()
            if files is not None:
                shutil.copytree(files, draft / _FILES)
            write_entry(entry, draft, key)
            sync_files(draft)
            folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                draft.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
                shutil.rmtree(draft, ignore_errors=True)  # another process was first
            sync(folder.parent)
        except OSError as error:
            fix = "free some space, or set the variable SIDELIGHT_CACHE to a folder that you may write to"
            raise UserError(f"the cache {self.root} cannot be written to: {error.strerror or error}", fix) from error

    def close(self) -> None:
        """Remove this process's temporary folder, and those that killed processes left."""
        if self._scratch is not None:
            self._scratch.close()
            self._scratch = None
        with suppress(OSError):  # a cache that may only be read
            for _ in left_behind(self.root / "temporary", "store"):
                pass

    def entries(self) -> Iterator[Stored]:
        """Everything kept, in no particular order; also that of earlier layouts, which can be cleared too."""
        for folder in self.root.glob("v[0-9]*/??/*"):
            if re.fullmatch(r"[0-9a-f]{64}", folder.name):
                yield _stored(folder)

    def clear(self, older_than: float = 0.0) -> tuple[int, int]:
        """Remove entries that were last used more than `older_than` seconds ago, and what killed runs left.

        Returns:
            how many entries were removed, and their size in bytes.
        """
        before = time.time() - older_than
        removed = [entry for entry in self.entries() if older_than <= 0 or entry.used < before]
        for entry in removed:
            self._remove(entry.folder)
        self.close()
        return len(removed), sum(entry.size for entry in removed)

    def _folder(self, key: str) -> Path:
        return self.root / _LAYOUT / key[:2] / key

    def _draft(self) -> Path:
        if self._scratch is None:
            self._scratch = Scratch(self.root / "temporary", "store")
        return self._scratch.new()

    def _remove(self, folder: Path) -> None:
        """Rename first: another process sees the entry whole or not at all."""
        with suppress(OSError):
            trash = self._draft() / folder.name
            folder.rename(trash)
            if trash.is_dir():
                shutil.rmtree(trash, ignore_errors=True)
            else:
                trash.unlink(missing_ok=True)  # a file or a pipe in the place of an entry


def _stored(folder: Path) -> Stored:
    component, size, used = "", 0, time.time()
    with suppress(OSError, SidelightError, KeyError):  # removed by another process this moment, or damaged
        used = folder.stat().st_mtime
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        component = str(read_document(folder)["component"])
    return Stored(folder, component, size, used)


def write_entry(entry: Entry, folder: Path, key: str) -> None:
    """Save an entry into `folder`, beside the rendered files that it may hold already; the document comes last."""
    if entry.result is not None:
        entry.result.save(folder / _RESULT)
    for index, (_, artifact) in enumerate(entry.emitted):
        artifact.save(folder / f"emitted-{index}")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    document: dict[str, Any] = {
        "key": key,
        "kind": entry.result.kind if entry.result is not None else "",
        "component": entry.component,
        "step": entry.step,
        "digest": entry.digest,
        "emitted": [name for name, _ in entry.emitted],
        "warnings": list(entry.warnings),
        "files": list(entry.files),
        "contents": {path.relative_to(folder).as_posix(): digest_file(path) for path in paths},
    }
    document["seal"] = digest_of(document)
    (folder / _DOCUMENT).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_entry(folder: Path, key: str, made_by: tuple[str, str] | None = None) -> Entry:
    """Load and verify an entry.

    Args:
        folder: the entry's folder.
        key: under which it is looked for.
        made_by: the component and the step that it must come from.

    Raises:
        FileNotFoundError: there is no entry.
        SidelightError: it is damaged, or another entry than the one looked for.
    """
    document = read_document(folder)
    if document["key"] != key:
        raise SidelightError(f"it is the entry of another key, {document['key']}")
    if made_by not in (None, (document["component"], document["step"])):
        raise SidelightError(f"it was made by {document['component']} in the step `{document['step']}`")
    _check_contents(folder, document["contents"])
    emitted = [Artifact.load(folder / f"emitted-{index}") for index in range(len(document["emitted"]))]
    result = Artifact.load(folder / _RESULT) if document["digest"] else None
    if (result.kind if result is not None else "") != document["kind"]:
        raise SidelightError(f"it does not hold a {document['kind'] or 'step without result'}")
    return Entry(
        component=document["component"],
        step=document["step"],
        result=result,
        emitted=tuple(zip(document["emitted"], emitted, strict=True)),
        warnings=tuple(document["warnings"]),
        files=tuple(document["files"]),
        digest=document["digest"],
    )


def read_document(folder: Path) -> dict[str, Any]:
    """The entry's own document, checked against its seal; raises like `read_entry`."""
    path = folder / _DOCUMENT
    if path.exists() and not path.is_file():  # a pipe would never end
        raise SidelightError(f"{_DOCUMENT} is no regular file")
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        seal = document.pop("seal")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise SidelightError(f"{_DOCUMENT} is damaged ({error})") from error
    if digest_of(document) != seal:
        raise SidelightError(f"{_DOCUMENT} is damaged (its seal does not match)")
    return document


def _check_contents(folder: Path, contents: dict[str, str]) -> None:
    """Every file as it was written, and nothing beside them: no link, no pipe, no file that nobody wrote."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    unknown = {path.relative_to(folder).as_posix() for path in paths} - contents.keys() - {_DOCUMENT}
    if unknown:
        raise SidelightError(f"{min(unknown)} does not belong there")
    for name, digest in contents.items():
        path = folder / name
        if path.is_symlink() or not path.is_file() or digest_file(path) != digest:
            raise SidelightError(f"{name} is missing or changed")


class Scratch:
    """A temporary folder, locked by this process for as long as it lives; `left_behind` finds those of dead ones.

    Args:
        parent: created if need be; on the same file system as the place that the content moves to.
        name: tells several users of one parent apart.

    Raises:
        OSError: the parent cannot be written to.
    """

    def __init__(self, parent: Path, name: str) -> None:
        from filelock import FileLock  # here: `check` only asks which entries there are

        parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f".sidelight-{name}-", dir=parent))
        self._lock = FileLock(self.folder / _LOCK, thread_local=False)  # a served page closes it in another thread
        self._lock.acquire(timeout=0)

    def new(self) -> Path:
        """A fresh, empty folder inside."""
        folder = self.folder / secrets.token_hex(6)
        folder.mkdir()  # not mkdtemp, whose folders nobody else may read once they are moved to their place
        return folder

    def close(self) -> None:
        """Remove the folder with all that is left in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release(force=True)


def left_behind(parent: Path, name: str) -> Iterator[Path]:
    """Scratch folders of dead processes, each removed after the caller has looked at it."""
    from filelock import FileLock, Timeout

    pattern = re.compile(re.escape(f".sidelight-{name}-") + "[a-z0-9_]{8}")  # mkdtemp's eight characters
    for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
        lock = folder / _LOCK
        with suppress(OSError, Timeout):  # removed by another process, or locked by its owner
            if pattern.fullmatch(folder.name) and (lock.exists() or time.time() - folder.stat().st_mtime > _YOUNG):
                with FileLock(lock, timeout=0):
                    yield folder
                    shutil.rmtree(folder, ignore_errors=True)


def sync_files(folder: Path) -> None:
    """Bring all files below a folder to the disk, so that a power cut after a rename finds them whole.

    Their folders' lists of names follow with the files on the journalling file systems in use; should one not, the
    digests of a store entry tell.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            sync(path)


def sync(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk."""
    with suppress(OSError):  # Windows opens no folders, and some file systems do not sync them
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
