"""Files of the run's machine that go into a bundle, and what stands for their paths in the recipe there.

Files are known by name and SHA-256 from the run's manifest, so that what is packed is what was read, or nothing is.
"""

from __future__ import annotations

import hashlib
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field

from sidelight_evidence.archive import is_safe
from sidelight_evidence.cards import paths_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sidelight_specs.results import Results
    from sidelight_specs.results.run import ComponentRecord


@define
class Given:
    """Files packed from the run's machine.

    Args:
        files: name in the bundle to the file.
        values: path of a component and parameter, such as `data.path`, to the value that stands for it in the bundle:
            names of files or folders in it.
        missing: sentences about what could not be packed.
    """

    files: dict[str, Path] = field(factory=dict)
    values: dict[str, Any] = field(factory=dict)
    missing: list[str] = field(factory=list)


def explained_files(results: Results, manifest: Mapping[str, Any]) -> Given:
    """The files that the explained images were read from."""
    given, wanted = Given(), dict[str, set[str]]()
    for image in manifest.get("digests", {}).get("images", ()):
        if "file" in image:
            wanted.setdefault(image["file"], set()).add(image["file_sha256"])
    if not wanted:
        given.missing.append("the data name no files of the images; the results hold their pixels")
        return given
    paths = paths_of(results)
    path = "data" if "data" in paths else next(name for name, one in paths.items() if one.role == "data")
    count = _pack_component(given, paths[path], f"inputs/{path}", path, Path(str(manifest.get("folder", ""))), wanted)
    if not count:  # such as photographs of an installed package, which any auditor has
        given.missing.append("the files of the images are not below a path that the recipe names")
    return given


def component_files(results: Results, manifest: Mapping[str, Any]) -> Given:
    """Files that parameters of components other than data name, such as those of models."""
    given = Given()
    digests, folder = manifest.get("digests", {}).get("files", {}), Path(str(manifest.get("folder", "")))
    for path, one in paths_of(results).items():
        for parameter, digest in digests.get(path, {}).items() if one.role != "data" else ():
            source = folder / Path(str(one.params.get(parameter, ""))).expanduser()
            name = f"files/{path}/{parameter}/{source.name}"
            if source.is_file() and is_safe(name) and _digest(source) == digest:
                given.files[name], given.values[f"{path}.{parameter}"] = source, name
            else:
                given.missing.append(f"{path}: the file of `{parameter}` is a folder, has changed, or is gone")
    return given


def _pack_component(
    given: Given, one: ComponentRecord, target: str, path: str, base: Path, wanted: dict[str, set[str]]
) -> int:
    """Pack the wanted files below each path among a component's parameters; gives how many there are."""
    before = len(given.files)
    for parameter, value in one.params.items():
        many = value if isinstance(value, (list, tuple)) else [value]
        if not many or not all(isinstance(item, str) and item for item in many):
            continue
        stands: list[str] = []
        for number, item in enumerate(many):
            place = f"{target}/{parameter}" if many is not value else f"{target}/{parameter}/{number}"
            stands += _pack_path(given, item, place, base, wanted)
        if stands:
            given.values[f"{path}.{parameter}"] = stands if many is value else stands[0]
    return len(given.files) - before


def _pack_path(given: Given, item: str, place: str, base: Path, wanted: dict[str, set[str]]) -> list[str]:
    """Pack the wanted files that a path or a pattern leads to; gives the names that stand for it."""
    source = base / Path(item).expanduser()
    if source.is_dir():
        found = {f"{place}/{file.relative_to(source).as_posix()}": file for file in _below(source, wanted)}
        given.files |= {name: file for name, file in found.items() if is_safe(name)}
        return [place] if found else []
    try:
        files = [Path(name) for name in sorted(glob(str(source)))] if has_magic(item) else [source]  # noqa: PTH207  (absolute)
        found = {f"{place}/{file.name}": file for file in files if _is_wanted(file, wanted)}
    except OSError:  # no path at all
        return []
    given.files |= {name: file for name, file in found.items() if is_safe(name)}
    return list(found)


def _below(folder: Path, wanted: dict[str, set[str]]) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if _is_wanted(file, wanted))


def _is_wanted(file: Path, wanted: dict[str, set[str]]) -> bool:
    return file.name in wanted and file.is_file() and _digest(file) in wanted[file.name]


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
