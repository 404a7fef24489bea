"""Digest of the code behind a component, so that changed code makes a new store key.

grimp reads the import graph from the sources; nothing of a plugin is imported.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs.entry_points import normalise

from sidelight import cache
from sidelight.registry.requirements import SPECS, requirements

if TYPE_CHECKING:
    from sidelight_specs import ComponentDescriptor

WHOLE = 4 * 2**20
"""Bytes up to which a file's content enters the digest; of a larger one (weights) the size does."""
_IMPORTERS = re.compile(rb"\b(import_module|__import__|run_module|run_path)\b")
_installed_stamp = functools.cache(cache.metadata_stamp)


def code_of(descriptor: ComponentDescriptor, distribution: str) -> str:
    """Digest of the code behind an installed component, from the cache while no file of its packages has changed."""
    behaviour = descriptor.factory.partition(":")[0]
    name, stamp = f"code/{behaviour}", _installed_stamp()
    digest: str | None = cache.get(name, stamp)
    if digest is None:
        built_on = foundations(distribution)
        digest = code_digest(behaviour, built_on)
        cache.put(name, stamp, digest, [__file__, *package_files(behaviour, *built_on)])
    return digest


def package_files(*modules: str) -> list[str]:
    """Files and folders of the packages of some modules; of a module outside of any package its own file."""
    files = {path for root in package_roots(*modules).values() for path in (root, *root.rglob("*"))}
    return sorted(str(path) for path in files if "__pycache__" not in path.parts)


@functools.cache
def code_digest(behaviour: str, foundations: tuple[str, ...] = ()) -> str:
    """SHA-256 of what a component runs: its module, every module imported from there, and the data files beside them.

    Modules count where they lie in the component's own package or in one that it is built on. So a plugin may grow
    another component, and what was kept of this one stays good. The `__init__.py` of a package counts only where
    something is imported from it by name: what a plugin's light module says of a component is part of the store key by
    itself. A package counts whole where one of these modules names `import_module` or the like; all of them do where a
    module cannot be parsed.
    """
    roots = package_roots(behaviour, *foundations)
    sources = _sources(behaviour, roots)
    total = hashlib.sha256()
    for root in sorted(roots.values(), key=lambda path: (path.name, path)):
        files = {path for path in sources if path == root or root in path.parents}
        if files and root.is_dir():
            files |= {path for path in root.rglob("*") if path.suffix not in (".py", ".pyc") and path.is_file()}
        for label, path in sorted((path.relative_to(root.parent).as_posix(), path) for path in files):
            size = path.stat().st_size
            content = hashlib.sha256(path.read_bytes() if size <= WHOLE else str(size).encode()).hexdigest()
            total.update(f"{label}\0{content}\n".encode())  # where the package lies on the disk does not count
    return total.hexdigest()


@functools.cache
def foundations(distribution: str) -> tuple[str, ...]:
    """Import names of the distributions that one requires, directly or not, and that themselves require the specs.

    A toolkit, or the technique that another extends: when their code changes, so may the plugin's answers. Torch and
    other libraries do not count; their versions are in the run's manifest. A distribution's package is taken to bear
    its name, with underscores, which is the rule among plugins.
    """
    below = [distribution]
    for one in below:  # which grows meanwhile
        below += [name for name in _required(one) if SPECS in _required(name) and name not in below]
    return tuple(sorted(name.replace("-", "_") for name in below[1:]))


@functools.cache
def _required(distribution: str) -> frozenset[str]:
    """Normalised names of what is required without asking for an extra; nothing where the metadata cannot be read."""
    needs = requirements(distribution) or ()
    return frozenset(normalise(need.name) for need in needs if not need.marker or need.marker.evaluate({"extra": ""}))


def _sources(behaviour: str, roots: dict[str, Path]) -> set[Path]:
    """Files of the modules in these packages that are imported, by whatever way, when `behaviour` is."""
    files = {module: path for name, root in roots.items() for module, path in _modules(name, root).items()}
    if behaviour not in files:
        return set()
    graph = _graph(tuple(sorted(name for name, root in roots.items() if root.is_dir())))
    if graph is None or behaviour not in graph.modules:  # a module that cannot be parsed, or one outside of any package
        return set(files.values())
    modules, whole = {behaviour, *graph.find_upstream_modules(behaviour)}, set[str]()
    inside = {name: {one for one, path in files.items() if root in path.parents} for name, root in roots.items()}
    calling = {module for module, path in files.items() if _IMPORTERS.search(path.read_bytes())}
    # Packages that count whole, which may reach further modules.
    while new := {name for name in roots if inside[name] & modules & calling} - whole:
        whole |= new
        for name in new:
            modules |= inside[name] | graph.find_upstream_modules(name, as_package=True)
    return {files[module] for module in modules}


@functools.cache
def _graph(packages: tuple[str, ...]) -> Any:
    """The import graph of some packages, or None where a module in one cannot be read."""
    import grimp
    from grimp.exceptions import GrimpException

    try:
        return grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None) if packages else None
    except (GrimpException, ValueError, OSError):
        return None


def _modules(package: str, root: Path) -> dict[str, Path]:
    """Name to file of every module of a package."""
    if root.is_file():
        return {package: root}
    names = {path: path.relative_to(root).with_suffix("").parts for path in root.rglob("*.py")}
    return {".".join((package, *(one for one in parts if one != "__init__"))): path for path, parts in names.items()}


def package_roots(*modules: str) -> dict[str, Path]:
    """Name to folder of the outermost regular package of each module, or to the file of one outside of any package.

    In a namespace package, which has no origin, that is the part below it.
    """
    roots: dict[str, Path] = {}
    for module in modules:
        parts, spec = module.split("."), None
        with suppress(ImportError, AttributeError, ValueError):
            names = (".".join(parts[: length + 1]) for length in range(len(parts)))
            spec = next((one for name in names if not (one := importlib.util.find_spec(name)) or one.origin), None)
        if spec and spec.origin:
            roots[spec.name] = Path((spec.submodule_search_locations or [spec.origin])[0])
    return roots
