"""Digest of the code behind a component, so that changed code makes a new store key.

grimp reads the import graph from the sources; nothing of a plugin is imported.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight import cache
from sidelight.registry.discover import metadata_stamp, normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.machinery import ModuleSpec

    from sidelight_specs import ComponentDescriptor

WHOLE = 4 * 2**20
"""Bytes up to which a file's content enters the digest; of a larger one (weights) the size does."""
SPECS = "sidelight-specs"
_IMPORTERS = re.compile(rb"\b(import_module|__import__|run_module|run_path)\b")


def code_of(descriptor: ComponentDescriptor, distribution: str) -> str:
    """Digest of the code behind an installed component, from the cache while no file of its packages has changed."""
    behaviour = descriptor.factory.partition(":")[0]
    name, stamp = f"code/{behaviour}", _installed_stamp()
    digest: str | None = cache.get(name, stamp)
    if digest is None:
        built_on = foundations(distribution)
        digest = code_digest(behaviour, built_on)
        spec = _outermost(behaviour)
        single = [Path(spec.origin)] if spec and spec.origin else []  # a module outside of any package
        folders = _packages(behaviour, built_on).values()
        files = [Path(__file__), *single, *(path for folder in folders for path in (folder, *folder.rglob("*")))]
        cache.put(name, stamp, digest, [str(path) for path in files if "__pycache__" not in path.parts])
    return digest


@functools.cache
def _installed_stamp() -> str:
    return metadata_stamp()


def code_digest(behaviour: str, foundations: Iterable[str] = ()) -> str:
    """SHA-256 of what a component runs: its module, every module imported from there, and the data files beside them.

    Modules count where they lie in the component's own package or in one that it is built on. So a plugin may grow
    another component, and what was kept of this one stays good. The `__init__.py` of a package counts only where
    something is imported from it by name: what a plugin's light module says of a component is part of the store key by
    itself. A package counts whole where one of these modules names `import_module` or the like; all of them do where a
    module cannot be parsed.

    Args:
        behaviour: the module that the descriptor's factory names.
        foundations: import names of the packages that the plugin is built on.
    """
    return _digest(behaviour, tuple(sorted(foundations)))


@functools.cache
def foundations(distribution: str) -> tuple[str, ...]:
    """Import names of the distributions that one requires, directly or not, and that themselves require the specs.

    A toolkit, or the technique that another extends: when their code changes, so may the plugin's answers. Torch and
    other libraries do not count; their versions are in the run's manifest. A distribution's package is taken to bear
    its name, with underscores, which is the rule among plugins.
    """
    below: set[str] = set()
    pending = [distribution]
    while pending:
        new = {name for name in _required(pending.pop()) if SPECS in _required(name)} - below
        below |= new
        pending += new
    return tuple(sorted(name.replace("-", "_") for name in below))


@functools.cache
def _required(distribution: str) -> frozenset[str]:
    """Normalised names of what is required without asking for an extra; nothing where the metadata cannot be read."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import InvalidRequirement, Requirement

    try:
        needs = [Requirement(text) for text in requires(distribution) or []]
    except (PackageNotFoundError, InvalidRequirement, OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(normalise(need.name) for need in needs if not need.marker or need.marker.evaluate({"extra": ""}))


@functools.cache
def _digest(behaviour: str, foundations: tuple[str, ...]) -> str:
    folders = _packages(behaviour, foundations)
    sources = _sources(behaviour, folders)
    touched = [folder for folder in folders.values() if any(folder in path.parents for path in sources)]
    data = {path for folder in touched for path in folder.rglob("*") if path.suffix not in (".py", ".pyc")}
    total = hashlib.sha256()
    for label, path in sorted((_label(path), path) for path in sources | data if path.is_file()):
        size = path.stat().st_size
        content = hashlib.sha256(path.read_bytes() if size <= WHOLE else str(size).encode()).hexdigest()
        total.update(f"{label}\0{content}\n".encode())
    return total.hexdigest()


def _packages(behaviour: str, foundations: Iterable[str]) -> dict[str, Path]:
    """Name to folder of the packages of a component and of what it is built on."""
    specs = [spec for name in (behaviour, *foundations) if (spec := _outermost(name))]
    return {spec.name: Path(spec.submodule_search_locations[0]) for spec in specs if spec.submodule_search_locations}


def _sources(behaviour: str, folders: dict[str, Path]) -> set[Path]:
    """Files of the modules of these packages that are imported, by whatever way, when `behaviour` is."""
    if not folders:  # a module outside of any package
        spec = _outermost(behaviour)
        return {Path(spec.origin)} if spec and spec.origin else set()
    files = {module: path for name, folder in folders.items() for module, path in _modules(name, folder)}
    graph = _graph(tuple(sorted(folders)))
    if behaviour not in files:
        return set()
    if graph is None:
        return set(files.values())
    modules = {behaviour, *graph.find_upstream_modules(behaviour)}
    whole: set[str] = set()  # packages that count whole, which may reach further modules
    while True:
        calling = [module for module in modules if _names_importer(files[module])]
        new = {name for name in folders if any(_is_in(module, name) for module in calling)} - whole
        if not new:
            break
        whole |= new
        for name in new:
            modules |= {one for one in files if _is_in(one, name)} | graph.find_upstream_modules(name, as_package=True)
    return {files[module] for module in modules}


@functools.cache
def _graph(packages: tuple[str, ...]) -> Any:
    """The import graph of some packages, or None where a module in one cannot be read."""
    import grimp
    from grimp.exceptions import GrimpException

    try:
        return grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)
    except (GrimpException, ValueError, OSError):
        return None


def _names_importer(source: Path) -> bool:
    """True if a module may import others that no statement names."""
    return _IMPORTERS.search(source.read_bytes()) is not None


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _modules(package: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and file of every module of a package."""
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        yield ".".join((package, *(part for part in parts if part != "__init__"))), path


@functools.cache
def _outermost(module: str) -> ModuleSpec | None:
    """The outermost regular package of a module (in a namespace package, the part below it), or a single module."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        try:
            spec = importlib.util.find_spec(".".join(parts[:length]))
        except (ImportError, AttributeError, ValueError):
            return None
        if spec is None or spec.origin is not None:
            return spec
    return None


def _label(path: Path) -> str:
    """The path from the outermost package on; where that lies on the disk does not count."""
    parts, folder = [path.name], path.parent
    while (folder / "__init__.py").is_file():
        parts.append(folder.name)
        folder = folder.parent
    return "/".join(reversed(parts))
