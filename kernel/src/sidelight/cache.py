"""Answers in the cache folder, valid while the files behind them are as they were. Nothing depends on them but time.

A stale answer is made anew; one that is damaged, or cannot be written, counts as none.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

if TYPE_CHECKING:
    from collections.abc import Iterable

_SETTLED = 2.0  # seconds after which a second change of a file is certain to change its time as well


def cache_folder() -> Path:
    """`$SIDELIGHT_CACHE`, else `sidelight` in the user's cache folder."""
    chosen = os.environ.get("SIDELIGHT_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else own_folder()


def own_folder() -> Path:
    """`sidelight` in the user's cache folder, whatever `$SIDELIGHT_CACHE` says: for what is executed."""
    return user_cache_path("sidelight", appauthor=False)


def stamp(files: Iterable[str], *facts: str) -> str:
    """Digest of the size and times of each file; empty where one changed so lately that it may do so unnoticed."""
    lines, latest = list(facts), 0
    for file in files:
        try:
            status = os.stat(file or ".")  # noqa: PTH116  (a thousand of them in a few milliseconds)
        except (OSError, ValueError):
            lines.append(f"{file} -")
            continue
        latest = max(latest, status.st_mtime_ns, status.st_ctime_ns)
        # The time of the inode as well: no tool sets that back.
        lines.append(f"{file} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_size}")
    settled = latest < (time.time() - _SETTLED) * 1e9
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest() if settled else ""


def metadata_stamp() -> str:
    """Stamp of the metadata of everything installed, which are not read."""
    files: list[str] = []
    for folder in sys.path:
        try:
            with os.scandir(folder or ".") as items:
                infos = [item.path for item in items if item.name.endswith((".dist-info", ".egg-info", "EGG-INFO"))]
        except OSError:  # a zip, or nothing
            infos = [folder]
        files += [name for info in infos for name in (info, f"{info}/entry_points.txt", f"{info}/METADATA")]
    finders = [type(finder).__qualname__ for finder in sys.meta_path]  # they may know of distributions elsewhere
    return stamp(files, sys.version, *finders)


def get(name: str, facts: str) -> Any:
    """Plain values that `put` wrote under the same facts, while its files are as they were; None otherwise."""
    with suppress(OSError, ValueError, KeyError, TypeError):  # absent or damaged
        content = json.loads((cache_folder() / f"{name}.json").read_bytes())
        if facts and content["facts"] == facts and content["stamp"] == stamp(content["files"]):
            return content["value"]
    return None


def put(name: str, facts: str, value: Any, files: Iterable[str] = ()) -> None:
    """Write plain values; not under empty facts, nor where a file that they depend on changed a moment ago."""
    files = list(files)
    content = {"facts": facts, "files": files, "stamp": stamp(files), "value": value}
    if not facts or not content["stamp"]:
        return
    path = cache_folder() / f"{name}.json"
    with suppress(OSError):  # a folder that cannot be written to costs time only
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(content), encoding="utf-8")
        draft.replace(path)
