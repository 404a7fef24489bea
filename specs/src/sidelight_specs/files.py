"""Files that a user names, guarded against those that never end."""

from __future__ import annotations

import json
import os
import shutil
import stat
from typing import TYPE_CHECKING, Any

from sidelight_specs.wording import nearest

if TYPE_CHECKING:
    from pathlib import Path

_SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_regular(path: Path, limit: int = -1) -> bytes:
    """The content of a regular file, up to `limit` bytes where that is not negative.

    Raises:
        OSError: it cannot be read, or is none; `strerror` says why.
    """
    refuse_special(path)  # before it is opened: opening alone waits for a pipe, and does things to a device
    with path.open("rb") as stream:
        return stream.read(limit)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a regular file.

    Raises:
        OSError: it cannot be read; `strerror` says why.
        ValueError: it holds something else.
    """
    try:
        value = json.loads(read_regular(path))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    return value


def refuse_special(path: Path) -> None:
    """Raise an OSError that says what the path is, where that is no regular file."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, "it is a folder, not a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(22, f"it is {_SPECIAL.get(stat.S_IFMT(mode), 'something else')}, not a file", str(path))


def link_or_copy(source: Path, target: Path) -> bool:
    """Make `target` a hard link to a file, or a copy where the file system refuses; False if the file is gone."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        return False
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
    return True


def nearest_file(path: Path, suffixes: tuple[str, ...] = ("",)) -> Path | None:
    """The file in the same folder whose name is spelt most alike.

    Args:
        path: of a file that is not there, or is no regular one.
        suffixes: those that the name may end with.
    """
    try:
        with os.scandir(path.parent) as entries:
            files = (entry.name for entry in entries if entry.name.endswith(suffixes) and entry.is_file())
            name = nearest(path.name, (name for name in files if name != path.name))
    except (OSError, ValueError):  # no such folder, or no name that a folder can have
        return None
    return path.with_name(name) if name else None
