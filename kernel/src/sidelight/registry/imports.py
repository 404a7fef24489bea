"""What a module imports, read from its source: nothing is run."""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec

IMPORTERS = {"import_module", "__import__", "run_module", "run_path"}
"""Functions by which modules are imported that no statement names."""


@functools.cache
def imported(module: str, path: Path) -> tuple[str, ...]:
    """Absolute names of the modules that a module's import statements name, anywhere in it but for type checking.

    Where modules may be imported by computed names, all of its package are given.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return ()
    nodes = list(_executed(tree))
    names = _named(nodes, module, path)
    return (*names, *_whole_package(module)) if any(map(_computes_a_name, nodes)) else names


def outermost_package(module: str) -> str | None:
    """The outermost regular package of a module (in a namespace package, the part below it), or a single module."""
    spec = _outermost(module)
    return spec.name if spec else None


def package_folder(module: str) -> Path | None:
    """The folder of the outermost regular package; None of a module outside any package."""
    spec = _outermost(module)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else None


def source_file(module: str) -> Path | None:
    """Where a module's source lies; None where there is no such module on disk (an attribute, a zip)."""
    spec = _outermost(module)
    if spec is None or spec.origin is None:
        return None
    below = module.removeprefix(spec.name).split(".")[1:]
    if not below:
        path = Path(spec.origin)
        return path if path.is_file() else None
    folder = package_folder(module)
    if folder is None:
        return None
    place = folder.joinpath(*below)
    return next((path for path in (place.with_name(f"{place.name}.py"), place / "__init__.py") if path.is_file()), None)


@functools.cache
def _outermost(module: str) -> ModuleSpec | None:
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        try:
            spec = importlib.util.find_spec(".".join(parts[:length]))
        except (ImportError, AttributeError, ValueError):
            return None
        if spec is None or spec.origin is not None:
            return spec
    return None


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node, except below `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in (getattr(child.test, name, "") for name in ("id", "attr")):
            for node in child.orelse:
                yield from (node, *_executed(node))
        else:
            yield child
            yield from _executed(child)


def _computes_a_name(node: ast.AST) -> bool:
    """Whether it calls an importer with anything but a text."""
    return _calls_importer(node) and _text(node) is None


def _calls_importer(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in IMPORTERS


def _text(call: ast.AST) -> str | None:
    """The first argument, where it is a text."""
    first = call.args[0] if isinstance(call, ast.Call) and call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _named(nodes: list[ast.AST], module: str, path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(node, module, path)
            names += [_module_or_origin(origin, alias.name) for alias in node.names]
        elif _calls_importer(node):
            names.append(_text(node) or module)
    return tuple(dict.fromkeys(names))


def _module_or_origin(origin: str, name: str) -> str:
    """`from origin import name` names a module of that package, or something in `origin` itself."""
    within = f"{origin}.{name}"
    return within if _outermost(origin) and source_file(within) else origin


def _absolute(node: ast.ImportFrom, module: str, path: Path) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    if path.name != "__init__.py":
        parts.pop()
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)


def _whole_package(module: str) -> list[str]:
    folder, package = package_folder(module), outermost_package(module)
    if folder is None or package is None:
        return []
    inside = (path.relative_to(folder).with_suffix("").parts for path in folder.rglob("*.py"))
    return [".".join((package, *(part for part in parts if part != "__init__"))) for parts in inside]
