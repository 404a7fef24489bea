"""Temporary folders that outlive no process for long: whoever comes next removes those whose owner died."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: a folder's age decides
    fcntl = None  # type: ignore[assignment]

PREFIX = ".sidelight-"
_LOCK = "lock"
_ABANDONED = 24 * 3600 if fcntl is None else 60
"""Seconds after which a folder that nobody has locked counts as left behind."""


class Scratch:
    """A new folder, locked by this process for as long as it lives.

    The operating system drops the lock when the process dies, however it dies; `left_behind` then finds the folder.

    Args:
        parent: where; created if need be. On the same file system as the place that the content moves to.
        name: part of the folder's name, so that several users of one parent find their own.

    Raises:
        OSError: the parent cannot be written to.
    """

    def __init__(self, parent: Path, name: str = "") -> None:
        parent.mkdir(parents=True, exist_ok=True)
        lock: Any = None
        while lock is None:  # a second turn only if another process took the young folder for an abandoned one
            self.folder = parent / f"{PREFIX}{name}-{secrets.token_hex(6)}"
            self.folder.mkdir()
            lock = _lock(self.folder)
        self._lock = lock

    def new(self) -> Path:
        """A fresh, empty folder inside."""
        folder = self.folder / secrets.token_hex(6)
        folder.mkdir()
        return folder

    def close(self) -> None:
        """Remove the folder with all that is left in it."""
        _remove(self.folder)
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _lock(folder: Path) -> Any:
    """The open, locked file, or None where the folder is in use or gone."""
    try:
        stream = (folder / _LOCK).open("a")
    except OSError:
        return None
    try:
        if fcntl is not None:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if (folder / _LOCK).stat().st_ino == os.fstat(stream.fileno()).st_ino:
            return stream
    except OSError:
        pass
    stream.close()
    return None


def left_behind(parent: Path, name: str = "") -> Iterator[Path]:
    """Scratch folders of dead processes, each removed after the caller has looked at it."""
    ours = re.compile(re.escape(f"{PREFIX}{name}-") + "[0-9a-f]{12}")
    for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
        if not ours.fullmatch(folder.name):
            continue
        if _remove_empty(folder) or (_is_young(folder) and (fcntl is None or not (folder / _LOCK).exists())):
            continue
        lock = _lock(folder)
        if lock is not None:
            yield folder
            _remove(folder)
            lock.close()


def _remove(folder: Path) -> None:
    """Remove the lock last: whoever is killed on the way leaves a folder that is locked by nobody, or empty."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _LOCK:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_empty(folder: Path) -> bool:
    """Whether the folder was empty; its owner, should it be about to lock it, makes another one."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _is_young(folder: Path) -> bool:
    return _age(folder) < _ABANDONED


def _age(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:
        return 0.0


def sync_files(folder: Path) -> None:
    """Bring all files below a folder to the disk, so that a power cut after a rename finds them whole.

    Their folders' lists of names follow with the files on the journalling file systems in use; should one not, the
    digests of a store entry tell.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            _sync(path)


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk."""
    _sync(folder)


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    except OSError:  # some file systems refuse it for folders
        pass
    finally:
        os.close(handle)
