"""TorchScript files. Their code runs in torch's own interpreter, not in Python; but that one can write files, too."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError

from sidelight_classifiers._archive import HOW_TO_EXPORT, packed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NAMESPACES = {"prim", "aten"}
"""Operators called as `ops.NAMESPACE.name`; others belong to extensions, distributed computing and debuggers."""
REFUSED = {"save", "from_file", "manual_seed", "seed", "fork", "_fork", "classes", "__setstate__", "__getstate__"}
"""Names that write or read files, change global random streams, start threads, or run while the file is read."""


def load_torchscript(path: Path, members: Mapping[str, bytes], device: str) -> torch.nn.Module:
    """The module of a file, after its code was checked.

    Raises:
        UserError: the code calls what a classifier does not need, or torch cannot read the file.
    """
    for name in sorted(members):
        if name.startswith("code/") and name.endswith(".py"):
            check_code(path, name, members[name])
    kept = {name: content for name, content in members.items() if not name.endswith(".debug_pkl")}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(packed(kept), map_location=device)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise UserError(f"{path} is TorchScript that torch cannot read: {_first_line(error)}", HOW_TO_EXPORT) from error
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    found: torch.nn.Module = module.eval()
    return found


def check_code(path: Path, name: str, source: bytes) -> None:
    """Raise a UserError if a source file of the archive names an operator that is refused."""
    try:
        tree = ast.parse(source.decode("utf-8"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"{path}: {name} cannot be understood ({error})", HOW_TO_EXPORT) from error
    refused = sorted(set(_refused(tree)))
    if refused:
        raise UserError(f"{path}: {name} uses {', '.join(refused)}, which Sidelight does not run", HOW_TO_EXPORT)


def _refused(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Attribute):
            names = [node.attr]
            if isinstance(node.value, ast.Name) and node.value.id == "ops" and node.attr not in NAMESPACES:
                yield f"ops.{node.attr}"
        elif isinstance(node, ast.FunctionDef):
            names = [node.name]
        elif isinstance(node, ast.alias | ast.Import | ast.ImportFrom):
            yield "import"
        elif isinstance(node, ast.Name):
            names = [node.id]
        yield from (name for name in names if name in REFUSED)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
