"""A digest of the code behind a component, so that changed code makes a new store key."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

from sidelight.registry.imports import imported, outermost_package, package_folder, source_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WHOLE = 4 * 2**20
"""Bytes up to which a file's content enters the digest; of a larger one (weights) the size does."""


def code_digest(behaviour: str, foundations: Iterable[str] = ()) -> str:
    """SHA-256 of what a component runs: its module, every module imported from there, and the data files beside them.

    Modules count where they lie in the component's own package or in one that it is built on. So a plugin may grow
    another component, and what was kept of this one stays good. Nothing is imported beyond namespace packages. The
    `__init__.py` of a package counts only where something is imported from it by name: a plugin's light module says
    of a component what is part of the store key by itself. A package in which a module is imported by a computed
    name counts whole.

    Args:
        behaviour: the module that the descriptor's factory names.
        foundations: import names of the packages that the plugin is built on.
    """
    return _digest(behaviour, tuple(sorted(foundations)))


@functools.cache
def _digest(behaviour: str, foundations: tuple[str, ...]) -> str:
    packages = {outermost_package(name) for name in (behaviour, *foundations)} - {None}
    modules = _reached(behaviour, {name for name in packages if name})
    folders = {package_folder(name) for name in modules} - {None}
    files = {path for path in map(source_file, modules) if path}
    files |= {path for folder in folders if folder for path in _beside(folder)}
    total = hashlib.sha256()
    for label, path in sorted((_label(path), path) for path in files):
        total.update(f"{label}\0{_content(path)}\n".encode())
    return total.hexdigest()


def _reached(behaviour: str, packages: set[str]) -> set[str]:
    """The modules of these packages that are imported, by whatever way, when `behaviour` is."""
    found, pending = set[str](), [behaviour]
    while pending:
        name = pending.pop()
        path = source_file(name)
        if name in found or path is None or outermost_package(name) not in packages:
            continue
        found.add(name)
        pending += imported(name, path)
    return found


def _beside(folder: Path) -> list[Path]:
    """Files of a package that are not Python: weights, names of classes, pages."""
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]


def _label(path: Path) -> str:
    """The path from the outermost package on, whose place on the disk does not count."""
    parts = [path.name]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.append(folder.name)
        folder = folder.parent
    return "/".join(reversed(parts))


def _content(path: Path) -> str:
    size = path.stat().st_size
    return hashlib.sha256(path.read_bytes() if size <= WHOLE else str(size).encode()).hexdigest()
