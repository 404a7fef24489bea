"""Content hashes and origins of installed distributions, by which policies and locks name exactly what is installed."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs.entry_points import normalise

from sidelight import cache
from sidelight.registry.code import package_roots

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import Distribution

HASH = "sha256:"
_DIRECT_URL = "direct_url.json"  # PEP 610
_OF_THE_MACHINE = ("RECORD", "INSTALLER", "REQUESTED", _DIRECT_URL)
_UNREADABLE = (ImportError, OSError, ValueError, AttributeError, TypeError)  # not installed is an ImportError


@frozen
class Content:
    """Hash of a distribution's files; None where they cannot be read. Of an editable one it is that of its sources."""

    hash: str | None
    is_editable: bool = False


@functools.cache
def installed_hash(name: str) -> str | None:
    """Hash of an installed distribution, by which a policy names exactly what it allows or denies.

    SHA-256 over one line for each file, sorted by path: the path below the folder of the installation, with forward
    slashes, a zero byte, the SHA-256 of its content in hexadecimal digits, a line feed. Files are those of `RECORD` and
    all others in the packages that it fills, read anew. Left out are what differs from machine to machine: byte code
    (`__pycache__`), scripts outside of that folder, and RECORD, INSTALLER, REQUESTED and direct_url.json. There is no
    hash of a distribution that is editable or unreadable.
    """
    try:
        distribution = _distribution(name)
        if _is_editable(distribution) or distribution.files is None:
            return None
        root, paths = _recorded(distribution)
        return _hash_of((path.as_posix(), root / path) for path in paths)
    except _UNREADABLE:
        return None


@functools.cache
def known_content(name: str) -> Content:
    """The hash as of `installed_hash`; of a distribution that is editable, or has no RECORD, that of its packages.

    Kept in the cache folder while size and times of every file are as they were, because torch alone is 700 MB.
    """
    try:
        distribution = _distribution(name)
        editable = _is_editable(distribution)
        key, facts = f"hashes/{normalise(name)}", f"{distribution.version} {editable} {distribution.locate_file('')}"
        digest: str | None = cache.get(key, facts)
        if digest is None:
            parts = [*_parts(distribution, editable)]
            files = {path.as_posix(): root / path for root, paths in parts for path in paths}
            digest = _hash_of(files.items()) if files else None
            folders = {path.parent for path in files.values()}  # a file that is slipped in changes its folder's times
            records = {folder / "RECORD" for folder in folders if folder.suffix == ".dist-info"}
            watched = {*files.values(), *folders, *records} - {root for root, _ in parts}
            cache.put(key, facts, digest, sorted(map(str, watched)))
    except _UNREADABLE:
        return Content(None)
    return Content(digest, editable)


@functools.cache
def installed_origin(name: str) -> str | None:
    """URL that a distribution was installed from, as pip records it (PEP 610).

    `file:///...` of a folder or an archive, `https://...` of an archive, `git+https://...@COMMIT` of a repository.
    Empty where nothing is recorded, as after an installation from a package index; None where it cannot be read.
    """
    try:
        text = _distribution(name).read_text(_DIRECT_URL)
        if text is None:
            return ""
        record = json.loads(text)
        url, vcs = str(record["url"]), record.get("vcs_info")
        return f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if vcs else url
    except (*_UNREADABLE, KeyError):
        return None


def _distribution(name: str) -> Distribution:
    from importlib.metadata import Distribution  # takes as long to import as an answer from the cache

    return Distribution.from_name(name)


def _is_editable(distribution: Distribution) -> bool:
    origin = json.loads(distribution.read_text(_DIRECT_URL) or "{}")
    return bool(origin.get("dir_info", {}).get("editable"))


def _recorded(distribution: Distribution) -> tuple[Path, list[PurePath]]:
    """The folder of an installation, and the paths below it that count."""
    root = Path(str(distribution.locate_file("")))
    files = distribution.files or []
    recorded = [path for path in files if not path.as_posix().startswith(("..", "/"))]
    tops = {root / path.parts[0] for path in recorded}  # whatever else lies in a recorded package counts as well
    inside = (path for top in tops if (top / "__init__.py").is_file() for path in top.rglob("*") if path.is_file())
    counted = {PurePath(path) for path in (*recorded, *(path.relative_to(root) for path in inside))}
    return root, sorted(filter(_is_hashed, counted), key=PurePath.as_posix)


def _parts(distribution: Distribution, editable: bool) -> Iterator[tuple[Path, list[PurePath]]]:
    """Folders, and the paths below each that count: one of an installation, else those of its packages."""
    if not editable and distribution.files is not None:
        yield _recorded(distribution)
        return
    modules = {point.module.partition(".")[0] for point in distribution.entry_points}
    for root in package_roots(normalise(distribution.name).replace("-", "_"), *modules).values():
        below = [path for path in (root, *root.rglob("*")) if path.is_file()]
        yield (
            root.parent,
            [path for path in (PurePath(one.relative_to(root.parent)) for one in below) if _is_hashed(path)],
        )


def _hash_of(files: Iterable[tuple[str, Path]]) -> str:
    lines = []
    for name, path in sorted(files):
        with path.open("rb") as file:
            lines.append(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n")
    return HASH + hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _is_hashed(path: PurePath) -> bool:
    """False for what differs from machine to machine."""
    of_machine = path.parent.name.endswith(".dist-info") and path.name in _OF_THE_MACHINE
    return "__pycache__" not in path.parts and not of_machine
