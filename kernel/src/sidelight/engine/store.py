"""The content-addressed store: the results of steps, each under the key of everything that it depends on.

```
ROOT/v2/ab/abcd…/   entry.json: key, component, step, kind, a digest for each file, and a seal over all of that
                    result/ and emitted-N/: artifacts; files/: those of a renderer
                    of a shard that was joined with others no result: entry.json names the entry and the rows of it
ROOT/temporary/     entries on their way in and out
ROOT/locks/         one file for each key that is being computed
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
from sidelight.engine.locks import key_lock, remove_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

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
        spent: seconds inside components that it cost; None where it is not known.
        passes: of the explained classifier that it cost; None where nobody counted them.
        within: key of the entry that has the result among its rows, first row, and the row after the last one; None for
            an entry with a result of its own.
    """

    component: str
    step: str
    result: Artifact | None = None
    emitted: tuple[tuple[str, Artifact], ...] = attrs.field(default=(), converter=tuple[tuple[str, Artifact], ...])
    warnings: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])
    files: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])
    spent: float | None = None
    passes: float | None = None
    within: tuple[str, int, int] | None = None


class _Gone(Exception):
    """The entry that a shard was joined to is not there any more."""


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
        self._emitted: dict[str, Path] = {}  # files of by-products that this process wrote, by their digests
        self._joined: tuple[str, Artifact | None] = "", None  # the entry that shards were last taken from

    def get(
        self, key: str, made_by: tuple[str, str] | None = None, export: Path | None = None, *, mapped: bool = False
    ) -> Entry | None:
        """The entry under `key`, verified and loaded; None where there is none, or a damaged one, which is removed.

        `made_by` is the component and the step that it must come from; the rendered files are copied to `export`. With
        `mapped` the result's arrays are views of its file.
        """
        folder = self._folder(key)
        try:
            try:
                entry = read_entry(folder, key, made_by, mapped)
            except (SidelightError, OSError):
                if not self._points(folder):
                    raise
                entry = read_entry(folder, key, made_by, mapped)  # another process took its result away meanwhile
            if entry.within is not None:
                entry = attrs.evolve(entry, result=self._part(*entry.within))
        except _Gone:  # what it was joined to was cleared
            self._remove(folder)
            return None
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

    def mapped(self, key: str) -> Artifact | None:
        """The result of an entry that was put this moment, as views of its file; None where it is gone."""
        try:
            return Artifact.load(self._folder(key) / _RESULT, mapped=True, intact=True)
        except SidelightError:
            return None

    def find(self, key: str) -> Artifact:
        """The result of an entry, with its arrays left in its file (`Artifact.find`).

        Raises:
            SidelightError: it is gone.
        """
        folder = self._folder(key)
        try:
            within = _within(read_document(folder))
        except (OSError, KeyError) as error:
            raise SidelightError(f"there is no entry {folder}") from error
        if within is None:
            return Artifact.find(folder / _RESULT)
        return Artifact.find(self._folder(within[0]) / _RESULT).take(range(within[1], within[2]))

    def point(self, key: str, whole: str, rows: range, head: str) -> None:
        """Let an entry say where its result is, rows of another entry's, in the place of the result itself.

        `head` is the digest of the other's result without rows; an entry that differs in more than these is removed.
        The document is replaced first: a process that is killed here leaves the entry with the one or the other.
        """
        folder = self._folder(key)
        try:
            document = read_document(folder)
            if _within(document) is None:
                if Artifact.find(folder / _RESULT).take([]).digest() != head:
                    self._remove(folder)
                    return
                contents = {name: one for name, one in document["contents"].items() if not _is_of_result(name)}
                draft = self.draft() / _DOCUMENT
                _seal({**document, "contents": contents, "within": [whole, rows.start, rows.stop]}, draft)
                sync(draft)
                draft.replace(folder / _DOCUMENT)
                sync(folder)
            shutil.rmtree(folder / _RESULT, ignore_errors=True)
        except (OSError, SidelightError):  # removed meanwhile, or made anew: it may stay as it is
            return

    def _points(self, folder: Path) -> bool:
        """True for an entry that says that its result is in another one."""
        try:
            return _within(read_document(folder)) is not None
        except (OSError, SidelightError):
            return False

    def _part(self, key: str, start: int, stop: int) -> Artifact:
        """Rows of another entry's result, which is verified when the first of them is asked for."""
        if self._joined[0] != key:
            entry = self.get(key, mapped=True)
            self._joined = key, None if entry is None else entry.result
        whole = self._joined[1]
        if whole is None:
            self._joined = "", None
            raise _Gone
        return whole.take(range(start, stop))

    def alone(self, key: str, wait: Callable[[float, str], None]) -> AbstractContextManager[None]:
        """A context in which no other process or thread is that computes `key`; `wait` is as for `key_lock`."""
        return key_lock(self.root / "locks", key, wait)

    def put(self, key: str, entry: Entry, files: Path | None = None) -> None:
        """Keep `entry`, and a copy of the folder with its rendered files; of two writers of one key the first wins."""
        folder = self._folder(key)
        try:
            draft = self.draft()
            if files is not None:
                shutil.copytree(files, draft / _FILES)
            write_entry(entry, draft, key)
            self._share(draft, folder)
            _protect(draft)
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
            raise self._unwritable(error) from error

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
            remove_stale(self.root / "locks")

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

    def _share(self, draft: Path, folder: Path) -> None:
        """Make by-products links to the same ones of earlier entries: those of a training come with every shard."""
        for name, digest in read_document(draft)["contents"].items():
            if not name.startswith("emitted-"):
                continue
            known = self._emitted.setdefault(digest, folder / name)
            with suppress(OSError):  # cleared meanwhile, a file system without links, or this one is the first
                linked = draft / "linked"
                os.link(known, linked)
                linked.replace(draft / name)

    def _folder(self, key: str) -> Path:
        return self.root / _LAYOUT / key[:2] / key

    def mark(self) -> Path:
        """An empty folder that is there until `close`, or until the process has ended and another one tidies up.

        Raises:
            UserError: the cache cannot be written to.
        """
        try:
            return self.draft()
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UserError:
        fix = "free some space, or set the variable SIDELIGHT_CACHE to a folder that you may write to"
        return UserError(f"the cache {self.root} cannot be written to: {error.strerror or error}", fix)

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


def _protect(folder: Path) -> None:
    """Make arrays read-only: runs hold hard links to them, and programs have them mapped."""
    if os.name == "posix":  # elsewhere what is read-only cannot be removed
        for path in folder.rglob("arrays.npz"):
            path.chmod(0o444)


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
        "spent": entry.spent,
        "passes": entry.passes,
        **{name: getattr(entry, name) for name in _PLAIN},
    }
    _seal({**document, "contents": digests_below(folder)}, folder / _DOCUMENT)


def _seal(document: dict[str, Any], path: Path) -> None:
    """Write a document with its seal."""
    sealed = {**document, "seal": digest_of(document)}
    path.write_text(json.dumps(sealed, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _is_of_result(name: str) -> bool:
    """True for a file of an entry's own result, by its path in the entry."""
    return name.startswith(f"{_RESULT}/")


def _within(document: dict[str, Any]) -> tuple[str, int, int] | None:
    """Place of a shard's result that was joined with others."""
    value = document.get("within")
    return None if value is None else (str(value[0]), int(value[1]), int(value[2]))


def read_entry(folder: Path, key: str, made_by: tuple[str, str] | None = None, mapped: bool = False) -> Entry:
    """Load and verify the entry in a folder, as for `Store.get`; raises `FileNotFoundError` or says what is wrong."""
    document = read_document(folder)
    if document["key"] != key:
        raise SidelightError(f"it is the entry of another key, {document['key']}")
    if made_by not in (None, (document["component"], document["step"])):
        raise SidelightError(f"it was made by {document['component']} in the step `{document['step']}`")
    within = _within(document)
    # a result that is left of the entry's time alone does not count: a process was killed when it took it away
    contents = digests_below(folder, but="" if within is None else _RESULT)
    del contents[_DOCUMENT]
    changed = dict(contents.items() ^ document["contents"].items())
    if changed:
        raise SidelightError(f"{min(changed)} is missing, changed or does not belong there")
    has_result = document["kind"] and within is None
    return Entry(
        within=within,
        result=Artifact.load(folder / _RESULT, mapped=mapped, intact=True) if has_result else None,
        emitted=((name, Artifact.load(folder / f"emitted-{index}")) for index, name in enumerate(document["emitted"])),
        spent=document.get("spent"),  # entries of earlier versions lack both
        passes=document.get("passes"),
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


def digests_below(folder: Path, but: str = "") -> dict[str, str]:
    """Digest of each file below a folder by its relative path; empty for links and pipes, which are not opened.

    Args:
        folder: with the files.
        but: name of a folder in it that is left out.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    if but:
        paths = [path for path in paths if not path.is_relative_to(folder / but)]
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
