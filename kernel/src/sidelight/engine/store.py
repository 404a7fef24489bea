"""The content-addressed store: what a step made, kept under the key of everything that it depends on."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from sidelight_specs import SidelightError, UserError

from sidelight.engine.entry import DOCUMENT, FILES, Entry, read_document, read_entry, write_entry
from sidelight.engine.scratch import Scratch, left_behind, sync_files, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_LAYOUT = "v2"  # v1: entries did not name their key
_TEMPORARY = "temporary"


def default_root() -> Path:
    """`$SIDELIGHT_CACHE`, or `sidelight` in the XDG cache folder."""
    chosen = os.environ.get("SIDELIGHT_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "sidelight"


@attrs.frozen
class Stored:
    """One entry as `sidelight cache` sees it; `component` is empty where the entry is damaged."""

    folder: Path
    component: str
    size: int
    used: float


class Store:
    """Entries by key, safe against kill, power cuts, and other processes doing the same at the same time.

    An entry is written beside its place, brought to the disk, and renamed; whoever comes second keeps the first.

    Args:
        root: the folder; `default_root()` when None.
        notice: told of damaged entries.
    """

    def __init__(self, root: Path | None = None, notice: Callable[[str], None] = lambda _: None) -> None:
        self.root = root or default_root()
        self._notice = notice
        self._scratch: Scratch | None = None

    def get(
        self,
        key: str,
        made_by: tuple[str, str] | None = None,
        modules: Sequence[str] = (),
        export: Path | None = None,
    ) -> Entry | None:
        """The entry under `key`, verified and loaded; None where there is none, or a damaged one, which is removed.

        Args:
            key: 64 hexadecimal digits.
            made_by: see `read_entry`.
            modules: see `read_entry`.
            export: an empty folder that gets the rendered files.

        Raises:
            OSError: `export` cannot be written to.
        """
        folder = self._folder(key)
        try:
            entry = read_entry(folder, key, made_by, modules)
        except (SidelightError, OSError, ValueError, KeyError, TypeError) as error:
            if not (folder.is_symlink() or folder.exists()):
                return None
            self._notice(f"cache entry {folder} is not used and is made anew: {error}")
            self._remove(folder)
            return None
        if export is not None and entry.files:
            shutil.copytree(folder / FILES, export, dirs_exist_ok=True)
        _touch(folder)
        return entry

    def holds(self, key: str) -> bool:
        """True if there is an entry under `key`, sound or not."""
        return (self._folder(key) / DOCUMENT).is_file()

    def put(self, key: str, entry: Entry, files: Path | None = None) -> None:
        """Keep `entry` under `key`.

        Args:
            key: 64 hexadecimal digits.
            entry: what the step made.
            files: the folder with the rendered files, copied.

        Raises:
            UserError: the folder cannot be written to, or the disk is full.
        """
        folder = self._folder(key)
        try:
            draft = self._draft()
            if files is not None:
                shutil.copytree(files, draft / FILES)
            write_entry(entry, draft, key)
            sync_files(draft)
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._move(draft, folder)
            sync_folder(folder.parent)
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Remove this process's temporary folder, and those that killed processes left."""
        if self._scratch is not None:
            self._scratch.close()
            self._scratch = None
        self._clean()

    def entries(self) -> Iterator[Stored]:
        """Everything kept, in no particular order."""
        for folder in self.root.glob("v[0-9]*/??/*"):  # those of earlier layouts can be cleared too
            if re.fullmatch(r"[0-9a-f]{64}", folder.name):
                yield Stored(folder, _component(folder), _size(folder), _used(folder))

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
            self._scratch = Scratch(self.root / _TEMPORARY, "store")
        return self._scratch.new()

    def _clean(self) -> None:
        with suppress(OSError):  # a cache that may only be read
            for _ in left_behind(self.root / _TEMPORARY, "store"):
                pass

    def _move(self, draft: Path, folder: Path) -> None:
        try:
            draft.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            shutil.rmtree(draft, ignore_errors=True)  # another process was first

    def _remove(self, folder: Path) -> None:
        """Rename first: another process sees the entry whole or not at all."""
        try:
            trash = self._draft() / folder.name
            folder.rename(trash)
        except OSError:
            return
        if trash.is_dir():
            shutil.rmtree(trash, ignore_errors=True)  # which would wait for ever at a pipe
        else:
            trash.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> UserError:
        reason = error.strerror or str(error)
        return UserError(
            f"the cache {self.root} cannot be written to: {reason}",
            "Free some space, or set the variable SIDELIGHT_CACHE to a folder that you may write to.",
        )


def _touch(folder: Path) -> None:
    with suppress(OSError):  # somebody else's cache, or cleared this moment
        os.utime(folder)


def _component(folder: Path) -> str:
    try:
        return str(read_document(folder)["component"])
    except (OSError, SidelightError, KeyError):
        return ""


def _size(folder: Path) -> int:
    return sum(_stat_size(path) for path in folder.rglob("*"))


def _stat_size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return time.time()
