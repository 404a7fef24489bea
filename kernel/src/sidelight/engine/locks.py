"""One lock per key of the store: of several runs that need the same result one computes it, and the others wait."""

from __future__ import annotations

import os
import platform
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from filelock import BaseFileLock

_PAUSE = 0.05  # seconds between two tries


@contextmanager
def key_lock(folder: Path, key: str, wait: Callable[[float, str], None]) -> Iterator[None]:
    """Hold the lock of a key, which ends with the process at the latest; nobody waits where files cannot be locked.

    Args:
        folder: of the locks; it is created.
        key: of the store.
        wait: called between two tries, with the seconds waited and the owner's process, `4321`, on another machine
            `4321 on NAME`; may raise.
    """
    from filelock import FileLock, Timeout  # here: `check` only asks which entries there are

    path, owner = folder / f"{key}.lock", folder / f"{key}.owner"
    lock, begun = FileLock(path, thread_local=False), time.monotonic()
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
            break
        except Timeout:
            wait(time.monotonic() - begun, _text(owner).removesuffix(_here()))
            time.sleep(_PAUSE)
        except (OSError, NotImplementedError):  # a cache that may only be read, a file system without locks
            yield
            return
    try:
        with suppress(OSError):
            owner.write_text(f"{os.getpid()}{_here()}", encoding="utf-8")
        yield
    finally:
        _release(lock, path, owner)


def remove_stale(folder: Path) -> None:
    """Remove the lock files that killed processes left."""
    from filelock import FileLock, Timeout

    for path in folder.glob("*.lock"):
        lock = FileLock(path, thread_local=False)
        with suppress(OSError, Timeout, NotImplementedError):
            lock.acquire(timeout=0)
            _release(lock, path, path.with_suffix(".owner"))


def _release(lock: BaseFileLock, path: Path, owner: Path) -> None:
    """The files go first: who waits for them looks into the store before anything else, and finds it there."""
    for file in (owner, path):
        with suppress(OSError):  # Windows removes no open file
            file.unlink()
    lock.release()


def _here() -> str:
    return f" on {platform.node()}"


def _text(path: Path) -> str:
    """Content of a small file, empty where it is not there yet; another machine may have damaged it."""
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""
