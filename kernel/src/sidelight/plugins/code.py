"""A digest of the code behind a component, so that changed code makes a new store key."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WHOLE = 4 * 2**20
"""Bytes up to which a file's content enters the digest; of a larger one (weights) the size does."""


def code_digest(modules: Iterable[str]) -> str:
    """SHA-256 of the packages that hold the modules: every file's path and content, except compiled Python.

    Nothing is imported beyond namespace packages. What cannot be found on disk (a zip) adds nothing: the version,
    which is part of the store key as well, stands for it.
    """
    return _digest(tuple(sorted({place for name in modules for place in _places(name)})))


def _places(module: str) -> tuple[str, ...]:
    """The folder of the outermost regular package of a module, or the file of a module outside any package."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        try:
            spec = importlib.util.find_spec(".".join(parts[:length]))
        except (ImportError, AttributeError, ValueError):
            return ()
        if spec is None:
            return ()
        if spec.origin is not None:
            return tuple(spec.submodule_search_locations or (spec.origin,))
    return ()


@functools.cache
def _digest(places: tuple[str, ...]) -> str:
    total = hashlib.sha256()
    for place in places:
        for name, path in _files(Path(place)):
            size = path.stat().st_size
            content = path.read_bytes() if size <= WHOLE else str(size).encode()
            total.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return total.hexdigest()


def _files(place: Path) -> list[tuple[str, Path]]:
    if place.is_file():
        return [(place.name, place)]
    found = (path for path in place.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sorted((path.relative_to(place).as_posix(), path) for path in found)
