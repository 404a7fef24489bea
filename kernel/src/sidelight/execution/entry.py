"""One entry of the store: a folder with a result, its by-products and warnings, and the digest of every file."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import Artifact, SidelightError

from sidelight.execution.hashing import digest_file, digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DOCUMENT = "entry.json"
FILES = "files"
_RESULT = "result"


@attrs.frozen(eq=False, kw_only=True)
class Entry:
    """What one step made.

    Args:
        component: `PLUGIN/COMPONENT` that made it.
        step: what it did: `"explain"`.
        result: the artifact; None for a step that gives files only, or that had nothing to do.
        emitted: full name and artifact of each by-product, in the order of their making.
        warnings: what the components said meanwhile.
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


def write_entry(entry: Entry, folder: Path) -> None:
    """Save an entry into `folder`, which may hold rendered files under `files` already; the document comes last."""
    if entry.result is not None:
        entry.result.save(folder / _RESULT)
    for index, (_, artifact) in enumerate(entry.emitted):
        artifact.save(folder / f"emitted-{index}")
    document: dict[str, Any] = {
        "component": entry.component,
        "step": entry.step,
        "digest": entry.digest,
        "emitted": [name for name, _ in entry.emitted],
        "warnings": list(entry.warnings),
        "files": list(entry.files),
        "contents": {path.relative_to(folder).as_posix(): digest_file(path) for path in _walk(folder)},
    }
    document["seal"] = digest_of(document)
    (folder / DOCUMENT).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_entry(folder: Path, modules: Sequence[str] = ()) -> Entry:
    """Load and verify what `write_entry` saved.

    Args:
        folder: the entry's folder.
        modules: imported where an artifact is of a kind that nobody has defined yet.

    Raises:
        FileNotFoundError: there is no entry.
        SidelightError: it is damaged.
    """
    document = read_document(folder)
    for name, digest in document["contents"].items():
        if not (folder / name).is_file() or digest_file(folder / name) != digest:
            raise SidelightError(f"{name} is missing or changed")
    emitted = [_load(folder / f"emitted-{index}", modules) for index in range(len(document["emitted"]))]
    return Entry(
        component=document["component"],
        step=document["step"],
        result=_load(folder / _RESULT, modules) if document["digest"] else None,
        emitted=tuple(zip(document["emitted"], emitted, strict=True)),
        warnings=tuple(document["warnings"]),
        files=tuple(document["files"]),
        digest=document["digest"],
    )


def read_document(folder: Path) -> dict[str, Any]:
    """The entry's own document, checked against its seal; raises like `read_entry`."""
    try:
        document: dict[str, Any] = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        seal = document.pop("seal")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise SidelightError(f"{DOCUMENT} is damaged ({error})") from error
    if digest_of(document) != seal:
        raise SidelightError(f"{DOCUMENT} is damaged (its seal does not match)")
    return document


def _load(folder: Path, modules: Sequence[str]) -> Artifact:
    try:
        return Artifact.load(folder)
    except SidelightError:
        if not modules:
            raise
    for module in modules:  # a plugin's own kind of artifact exists once its module has been imported
        import_module(module)
    return Artifact.load(folder)


def _walk(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
