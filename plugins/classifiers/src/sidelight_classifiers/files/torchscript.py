"""TorchScript files: what they hold is checked before torch reads them, and torch never runs their code.

The C++ reader of torch trusts a file's pickles: it takes a storage for as long as they say, and a tensor for as large.
So both pickles are read here first, as data, and every tensor is compared with the storage that it lies in.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError
from sidelight_toolkit.pickled_tensors import TENSORS
from sidelight_toolkit.pickles import Record, RefusedError, check_nesting
from sidelight_toolkit.torch_files import read_outline

from sidelight_classifiers.files.archive import HOW_TO_EXPORT, Unsupported, how_to_mend, pack
from sidelight_classifiers.files.interpreter import ScriptedModule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sidelight_toolkit.pickles import Maker

REFUSED = {"__setstate__", "__getstate__", "classes", "fork", "_fork"}
"""Names in the source that would run while the file is read, or belong to classes of compiled code."""
LARGEST_SOURCE = 8 << 20  # bytes of all code together
LARGEST_PICKLE = 8 << 20  # bytes of objects; weights lie in members of their own
DAMAGED = (
    *(ValueError, IndexError, KeyError, TypeError, AttributeError, RuntimeError, OverflowError, StopIteration),
    *(RecursionError, MemoryError),
)


class _Makers(Mapping[str, "Maker | None"]):
    """Names that the pickles of TorchScript may hold: tensors, typed lists, and classes that the file defines."""

    KNOWN: Mapping[str, Maker | None] = {
        **TENSORS,
        "torch.jit._pickle.restore_type_tag": lambda value, _tag: value,
        **{f"torch.jit._pickle.build_{kind}list": list for kind in ("int", "tensor", "double", "bool")},
    }
    OWN = re.compile(r"__torch__(?!\.torch\.classes)(\.\w+)+", re.ASCII)

    def __getitem__(self, name: str) -> Maker | None:
        if name in self.KNOWN:
            return self.KNOWN[name]
        if self.OWN.fullmatch(name):
            return None
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.KNOWN)

    def __len__(self) -> int:
        return len(self.KNOWN)


def load_torchscript(path: Path, members: Mapping[str, bytes], device: str) -> ScriptedModule:
    """The module of a file, to be computed by `ScriptedModule`.

    Raises:
        UserError: the file does not hold what it says, its code calls what a classifier does not need, or torch cannot
            read it.
    """
    # what is not needed is not handed to torch: its reader would unpickle some of it
    needed = {name: content for name, content in members.items() if _is_needed(name)}
    try:
        _check_source(needed)
        for name in ("constants", "data"):
            _check_pickle(needed, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            script = torch.jit.load(pack(needed), map_location=device)  # type: ignore[no-untyped-call]
        module = ScriptedModule(script.eval())  # resolves every node; nothing of the file has run yet
    except (RefusedError, Unsupported) as error:
        raise UserError(f"{path} has {error}, which Sidelight does not run", how_to_mend(error)) from error
    except DAMAGED as error:
        raise UserError(f"{path} is TorchScript that cannot be read: {_first_line(error)}", HOW_TO_EXPORT) from error
    return module.eval().requires_grad_(False)


def _is_needed(name: str) -> bool:
    """True unless debug information, mobile bytecode or an extra file: torch's reader would unpickle some of them."""
    pattern = r"code/[\w/]+\.py|(data|constants)(\.pkl|/\d+)|(\.data/)?version|byteorder"
    return re.fullmatch(pattern, name, re.ASCII) is not None


def _check_source(members: Mapping[str, bytes]) -> None:
    """Raise an error for code that torch's reader would run at once, or that is too long or too deep for it."""
    sources = {name: content for name, content in members.items() if name.endswith(".py")}
    if sum(map(len, sources.values())) > LARGEST_SOURCE:
        raise ValueError(f"its code is longer than {LARGEST_SOURCE >> 20} MiB")
    for name in sorted(sources):
        try:
            tree = ast.parse(sources[name].decode("utf-8"))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ValueError(f"{name} cannot be understood ({error})") from error
        refused = sorted(set(_refused(tree)))
        if refused:
            raise RefusedError(f"{', '.join(refused)} in {name}")


def _refused(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.alias | ast.Import | ast.ImportFrom):
            yield "import"
        name = getattr(node, "attr", None) or getattr(node, "id", None) or getattr(node, "name", None)
        if isinstance(name, str) and name in REFUSED:
            yield name


def _check_pickle(members: Mapping[str, bytes], name: str) -> None:
    """Raise an error for a pickle with names that a model does not need, too deep, or with a tensor too large."""
    data = members.get(f"{name}.pkl", b"")
    if len(data) > LARGEST_PICKLE:  # before it is read: the reader is written in Python
        raise ValueError(f"{name}.pkl is larger than {LARGEST_PICKLE >> 20} MiB")
    value = read_outline(data, _Makers(), {key: len(content) for key, content in members.items()}, name)
    for record in check_nesting(value):
        if isinstance(record, Record) and record.name.startswith("__torch__") and not _is_object(record):
            raise ValueError(f"an object of {record.name} without attributes")


def _is_object(record: Record) -> bool:
    return (
        record.arguments == () and isinstance(record.state, dict) and all(isinstance(key, str) for key in record.state)
    )


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
