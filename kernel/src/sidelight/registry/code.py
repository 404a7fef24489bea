"""Digest of the code behind a component, so that changed code makes a new store key.

grimp reads the import graph from the sources; nothing of a plugin is imported.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight.cache import keep, kept
from sidelight.registry.discover import metadata_stamp, normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.machinery import ModuleSpec

    from sidelight_specs import ComponentDescriptor

WHOLE = 4 * 2**20
"""Bytes up to which a file's content enters the digest; of a larger one (weights) the size does."""
SPECS = "sidelight-specs"
_IMPORTERS = ("import_module", "__import__", "run_module", "run_path")
"""Functions by which modules are imported that no statement names."""


def code_of(descriptor: ComponentDescriptor, distribution: str) -> str:
    """Digest of the code behind an installed component, from the cache while no file of its packages has changed."""
    behaviour = descriptor.factory.partition(":")[0]
    name, stamp = f"code/{behaviour}", _installed_stamp()
    digest: str | None = kept(name, stamp)
    if digest is None:
        built_on = foundations(distribution)
        digest = code_digest(behaviour, built_on)
        spec = _outermost(behaviour)
        single = [Path(spec.origin)] if spec and spec.origin else []  # a module outside of any package
        folders = _packages(behaviour, built_on).values()
        files = [*single, *(path for folder in folders for path in (folder, *folder.rglob("*")))]
        keep(name, stamp, digest, [str(path) for path in files if "__pycache__" not in path.parts])
    return digest


@functools.cache
def _installed_stamp() -> str:
    return metadata_stamp()


def code_digest(behaviour: str, foundations: Iterable[str] = ()) -> str:
    """SHA-256 of what a component runs: its module, every module imported from there, and the data files beside them.

    Modules count where they lie in the component's own package or in one that it is built on. So a plugin may grow
    another component, and what was kept of this one stays good. The `__init__.py` of a package counts only where
    something is imported from it by name: what a plugin's light module says of a component is part of the store key by
    itself. A package counts whole where a module in it is imported by a computed name, or cannot be parsed.

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
    modules = _reached(behaviour, folders)
    files = {path for name in modules if (path := _source(name, folders))}
    for name in {package for package in folders for module in modules if _is_in(module, package)}:
        files |= {path for path in folders[name].rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    total = hashlib.sha256()
    for label, path in sorted((_label(path), path) for path in files):
        total.update(f"{label}\0{_content(path)}\n".encode())
    return total.hexdigest()


def _packages(behaviour: str, foundations: Iterable[str]) -> dict[str, Path]:
    """Name to folder of the packages of a component and of what it is built on."""
    specs = [spec for name in (behaviour, *foundations) if (spec := _outermost(name))]
    return {spec.name: Path(spec.submodule_search_locations[0]) for spec in specs if spec.submodule_search_locations}


def _reached(behaviour: str, folders: dict[str, Path]) -> set[str]:
    """The modules of these packages that are imported, by whatever way, when `behaviour` is."""
    graph = _graph(tuple(sorted(folders)))
    reached: set[str] = set()
    pending = [behaviour]
    while pending:
        module = pending.pop()
        source = _source(module, folders)
        if module in reached or source is None:
            continue
        known = graph is not None and module in graph.modules
        upstream = graph.find_upstream_modules(module) if known else ()
        for name in {module, *upstream} - reached:
            reached.add(name)
            pending += _imported_by_call(name, folders)
        if folders and not known:  # grimp could not read the package
            reached |= {name for package in folders if _is_in(module, package) for name in _modules(folders, package)}
    return reached


@functools.cache
def _graph(packages: tuple[str, ...]) -> Any:
    """The import graph of some packages, or None where there is none, or a module in one cannot be parsed."""
    import grimp
    from grimp.exceptions import GrimpException

    try:
        return grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None) if packages else None
    except (GrimpException, ValueError, OSError):
        return None


def _imported_by_call(module: str, folders: dict[str, Path]) -> Iterator[str]:
    """Modules that are imported by calls of functions; all of the package where one is given a computed name."""
    source = _source(module, folders)
    text = source.read_bytes() if source else b""
    if not re.search("|".join(_IMPORTERS).encode(), text):  # parsing all of them takes most of the time
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _IMPORTERS:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value
            else:
                package = next(package for package in folders if _is_in(module, package))
                yield from _modules(folders, package)


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _modules(folders: dict[str, Path], package: str) -> list[str]:
    """Every module of a package."""
    inside = (path.relative_to(folders[package]).with_suffix("").parts for path in folders[package].rglob("*.py"))
    return [".".join((package, *(part for part in parts if part != "__init__"))) for parts in inside]


def _source(module: str, folders: dict[str, Path]) -> Path | None:
    """The source file of a module of these packages, or of a single module beside them; None where there is none."""
    package = next((package for package in folders if _is_in(module, package)), None)
    if package is None:
        spec = _outermost(module) if "." not in module else None
        return Path(spec.origin) if spec and spec.origin and Path(spec.origin).is_file() else None
    place = folders[package].joinpath(*module.removeprefix(package).split(".")[1:])
    return next((path for path in (place.with_name(f"{place.name}.py"), place / "__init__.py") if path.is_file()), None)


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


def _content(path: Path) -> str:
    size = path.stat().st_size
    return hashlib.sha256(path.read_bytes() if size <= WHOLE else str(size).encode()).hexdigest()
