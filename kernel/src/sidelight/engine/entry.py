"""One entry of the store: a folder with a result, its by-products and warnings, and the digest of every file."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import Artifact, SidelightError
from sidelight_specs.digests import digest_file, digest_of

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


def write_entry(entry: Entry, folder: Path, key: str) -> None:
    """Save an entry into `folder`, which may hold rendered files under `files` already; the document comes last.

    The document names the key, the component, the step and the result's kind: an entry in the place of another, intact
    as it may be, is not believed.
    """
    if entry.result is not None:
        entry.result.save(folder / _RESULT)
    for index, (_, artifact) in enumerate(entry.emitted):
        artifact.save(folder / f"emitted-{index}")
    document: dict[str, Any] = {
        "key": key,
        "kind": entry.result.kind if entry.result is not None else "",
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


def read_entry(folder: Path, key: str, made_by: tuple[str, str] | None = None, modules: Sequence[str] = ()) -> Entry:
    """Load and verify what `write_entry` saved.

    Args:
        folder: the entry's folder.
        key: under which it is looked for.
        made_by: the component and the step that it must come from.
        modules: imported where an artifact is of a kind that nobody has defined yet.

    Raises:
        FileNotFoundError: there is no entry.
        SidelightError: it is damaged, or another entry than the one looked for.
    """
    document = read_document(folder)
    _check_identity(document, key, made_by)
    _check_contents(folder, document["contents"])
    emitted = [_load(folder / f"emitted-{index}", modules) for index in range(len(document["emitted"]))]
    result = _load(folder / _RESULT, modules) if document["digest"] else None
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


def _check_identity(document: dict[str, Any], key: str, made_by: tuple[str, str] | None) -> None:
    if document["key"] != key:
        raise SidelightError(f"it is the entry of another key, {document['key']}")
    if made_by not in (None, (document["component"], document["step"])):
        raise SidelightError(f"it was made by {document['component']} in the step `{document['step']}`")


def _check_contents(folder: Path, contents: dict[str, str]) -> None:
    """Every file as it was written, and nothing beside them: no link, no pipe, no file that nobody wrote."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    unknown = {path.relative_to(folder).as_posix() for path in paths} - contents.keys() - {DOCUMENT}
    if unknown:
        raise SidelightError(f"{min(unknown)} does not belong there")
    for name, digest in contents.items():
        path = folder / name
        if path.is_symlink() or not path.is_file() or digest_file(path) != digest:
            raise SidelightError(f"{name} is missing or changed")


def read_document(folder: Path) -> dict[str, Any]:
    """The entry's own document, checked against its seal; raises like `read_entry`."""
    path = folder / DOCUMENT
    if path.exists() and not path.is_file():  # a pipe would never end
        raise SidelightError(f"{DOCUMENT} is no regular file")
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        seal = document.pop("seal")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
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
