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
import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import Artifact, SidelightError, UserError
from sidelight_specs.digests import digest_file, digest_of
from sidelight_specs.files import read_object

from sidelight.cache import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LAYOUT = "v2"  # v1: entries did not name their key
_DOCUMENT, _RESULT, _FILES, _LOCK = "entry.json", "result", "files", "lock"
_PLAIN = ("component", "step", "warnings", "files")  # fields of an entry that its document holds as they are
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
    """

    component: str
    step: str
    result: Artifact | None = None
    emitted: tuple[tuple[str, Artifact], ...] = attrs.field(default=(), converter=tuple[tuple[str, Artifact], ...])
    warnings: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])
    files: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])


@attrs.frozen
class Stored:
    """One entry as `sidelight cache` sees it; `component` is empty where the entry is damaged."""

    folder: Path
    component: str
    size: int
    used: float


class Store:
    """Entries by key, safe against kill, power cuts, and other processes doing the same; `notice` hears of damage."""

    def __init__(self, root: Path | None = None, notice: Callable[[str], None] = lambda _: None) -> None:
        self.root, self._notice = root or cache_folder(), notice
        self._temporary, self._exit = self.root / "temporary", ExitStack()
        self._scratch: Path | None = None

    def get(self, key: str, made_by: tuple[str, str] | None = None, export: Path | None = None) -> Entry | None:
        """The entry under `key`, verified and loaded; None where there is none, or a damaged one, which is removed.

        `made_by` is the component and the step that it must come from; the rendered files are copied to `export`.
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
        """Keep `entry`, and a copy of the folder with its rendered files; of two writers of one key the first wins."""
        folder = self._folder(key)
        try:
            draft = self.draft()
            if files is not None:
                shutil.copytree(files, draft / _FILES)
            write_entry(entry, draft, key)
            sync(*filter(Path.is_file, draft.rglob("*")))
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

    def remove(self, key: str) -> None:
        """Remove the entry under `key`, if there is one."""
        self._remove(self._folder(key))

    def close(self) -> None:
        """Remove this process's temporary folder, and those that killed processes left."""
        self._exit.close()
        self._scratch = None
        with suppress(OSError):  # a cache that may only be read
            for _ in left_behind(self._temporary, "store"):
                pass

    def entries(self) -> Iterator[Stored]:
        """Everything kept, in no particular order; also that of earlier layouts, which can be cleared too."""
        for folder in self.root.glob("v[0-9]*/??/*"):
            if not re.fullmatch(r"[0-9a-f]{64}", folder.name):
                continue
            component, size, used = "", 0, time.time()
            with suppress(OSError, SidelightError, KeyError):  # removed by another process this moment, or damaged
                used = folder.stat().st_mtime
                size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                component = str(read_document(folder)["component"])
            yield Stored(folder, component, size, used)

    def clear(self, older_than: float = 0.0) -> tuple[int, int]:
        """Remove entries last used more than `older_than` seconds ago; gives how many, and their size in bytes."""
        before = time.time() - older_than
        removed = [entry for entry in self.entries() if older_than <= 0 or entry.used < before]
        for entry in removed:
            self._remove(entry.folder)
        self.close()
        return len(removed), sum(entry.size for entry in removed)

    def _folder(self, key: str) -> Path:
        return self.root / _LAYOUT / key[:2] / key

    def draft(self) -> Path:
        """An empty folder in the scratch folder, which is this process's from the first call to `close`."""
        if self._scratch is None:
            self._scratch = self._exit.enter_context(scratch(self._temporary, "store"))
        draft = self._scratch / token_hex(6)
        draft.mkdir()
        return draft

    def _remove(self, folder: Path) -> None:
        """Rename first: another process sees the entry whole or not at all."""
        with suppress(OSError):
            trash = self.draft()
            folder.rename(trash / folder.name)
            shutil.rmtree(trash, ignore_errors=True)


def write_entry(entry: Entry, folder: Path, key: str) -> None:
    """Save an entry into `folder`, beside the rendered files that it may hold already; the document comes last."""
    if entry.result is not None:
        entry.result.save(folder / _RESULT)
    for index, (_, artifact) in enumerate(entry.emitted):
        artifact.save(folder / f"emitted-{index}")
    document: dict[str, Any] = {
        "key": key,
        "kind": entry.result.kind if entry.result is not None else "",
        "emitted": [name for name, _ in entry.emitted],
        "contents": digests_below(folder),
        **{name: getattr(entry, name) for name in _PLAIN},
    }
    document["seal"] = digest_of(document)
    (folder / _DOCUMENT).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_entry(folder: Path, key: str, made_by: tuple[str, str] | None = None) -> Entry:
    """Load and verify the entry in a folder, as for `Store.get`; raises `FileNotFoundError` or says what is wrong."""
    document = read_document(folder)
    if document["key"] != key:
        raise SidelightError(f"it is the entry of another key, {document['key']}")
    if made_by not in (None, (document["component"], document["step"])):
        raise SidelightError(f"it was made by {document['component']} in the step `{document['step']}`")
    contents = digests_below(folder)
    del contents[_DOCUMENT]
    changed = dict(contents.items() ^ document["contents"].items())
    if changed:
        raise SidelightError(f"{min(changed)} is missing, changed or does not belong there")
    return Entry(
        result=Artifact.load(folder / _RESULT) if document["kind"] else None,
        emitted=((name, Artifact.load(folder / f"emitted-{index}")) for index, name in enumerate(document["emitted"])),
        **{name: document[name] for name in _PLAIN},
    )


def read_document(folder: Path) -> dict[str, Any]:
    """The entry's own document, checked against its seal; raises like `read_entry`."""
    try:
        document = read_object(folder / _DOCUMENT)
    except ValueError as error:
        raise SidelightError(f"{_DOCUMENT} is damaged ({error})") from error
    if document.pop("seal", "") != digest_of(document):
        raise SidelightError(f"{_DOCUMENT} is damaged (its seal does not match)")
    return document


def digests_below(folder: Path) -> dict[str, str]:
    """Digest of each file below a folder by its relative path; empty for links and pipes, which are not opened."""
    paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {
        path.relative_to(folder).as_posix(): "" if path.is_symlink() or not path.is_file() else digest_file(path)
        for path in paths
    }


@contextmanager
def scratch(parent: Path, name: str) -> Iterator[Path]:
    """A folder that is removed with the context; locked, so that `left_behind` finds those of dead processes.

    `name` tells several users of one parent apart. What moves to a place of its own belongs into a folder inside:
    mkdtemp's own stays unreadable for everybody else.
    """
    from filelock import FileLock  # here: `check` only asks which entries there are

    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".sidelight-{name}-", dir=parent))
    try:
        with FileLock(folder / _LOCK, timeout=0, thread_local=False):  # another thread may end a page that is served
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def left_behind(parent: Path, name: str) -> Iterator[Path]:
    """Scratch folders of dead processes, each removed after the caller has looked at it."""
    from filelock import FileLock, Timeout

    for folder in sorted(parent.glob(f".sidelight-{escape(name)}-????????")):  # mkdtemp's eight characters
        lock = folder / _LOCK
        with suppress(OSError, Timeout):  # removed by another process, or locked by its owner
            if lock.exists() or time.time() - folder.stat().st_mtime > _YOUNG:
                with FileLock(lock, timeout=0):
                    yield folder
                    shutil.rmtree(folder, ignore_errors=True)


def sync(*paths: Path) -> None:
    """Bring files, or folders' lists of names, to the disk, so that a power cut after a rename finds them whole."""
    # Lists of names in a new folder follow with its files on journalling file systems; else digests tell.
    for path in paths:
        with suppress(OSError):  # Windows opens no folders, and some file systems do not sync them
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
