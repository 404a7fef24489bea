"""Operators and arguments of an exported program's nodes, from json to what torch computes with."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import torch

from sidelight_classifiers.files.allow_list import is_allowed
from sidelight_classifiers.files.archive import Unsupported
from sidelight_classifiers.files.guards import check_number, guarded

if TYPE_CHECKING:
    from collections.abc import Mapping

ARITHMETIC = {"add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "eq", "ne", "lt", "le", "gt", "ge", "getitem"}
DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
"""Data types by their codes in the export schema (`ScalarType`); complex numbers and 8-bit floats are left out."""
FORMATS = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format}
STRIDED = 7  # code of the dense layout in the export schema


def operator_of(target: str) -> Callable[..., Any]:
    """The function that a node's target names.

    Raises:
        Unsupported: it is no operator that model files may use, and no arithmetic on sizes.
    """
    if match := re.fullmatch(r"torch\.ops\.aten\.(\w+)\.(\w+)", target):
        return aten_operator(*match.groups())
    if match := re.fullmatch(r"_operator\.(\w+)", target):
        if match[1] in ARITHMETIC:
            return bounded(getattr(operator, match[1]))
    elif target in {"math.ceil", "math.floor", "math.trunc"}:
        return getattr(math, target.removeprefix("math."))  # type: ignore[no-any-return]
    raise Unsupported(f"the operator {target}")


def aten_operator(name: str, overload: str) -> Callable[..., Any]:
    """An operator of torch's own library that model files may use, with checks of its arguments.

    Raises:
        Unsupported: it is not on the allow-list, or this torch has none of the name.
    """
    if is_allowed(name, overload):
        function = getattr(getattr(torch.ops.aten, name, None), overload, None)
        if isinstance(function, torch._ops.OpOverload):
            return guarded(function)
    raise Unsupported(f"the operator aten.{name}.{overload}")


def bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Arithmetic on sizes that raises where a whole number leaves the range that operators take."""

    def call(*values: Any) -> Any:
        result = function(*values)
        check_number(result)
        return result

    return call


@attrs.frozen
class Argument:
    """Argument of a node, to be looked up once earlier values are computed.

    Args:
        get: from the values by name to the argument.
        needs: names of the values that it reads.
    """

    get: Callable[[dict[str, Any]], Any]
    needs: tuple[str, ...] = ()

    def __call__(self, values: dict[str, Any]) -> Any:
        """The argument."""
        return self.get(values)


def argument(described: Mapping[str, Any], device: torch.device) -> Argument:
    """An argument from its json, `{"as_KIND": value}`.

    Raises:
        Unsupported: a kind that classifiers do without: subgraphs, custom objects, complex numbers.
    """
    ((kind, value),) = described.items()
    if kind in _CONSTANTS:
        constant = device if kind == "as_device" else _CONSTANTS[kind](value)
        # a copy of a list, as an operator may change its argument
        return Argument(lambda _: list(constant) if isinstance(constant, list) else constant)
    if kind in {"as_tensor", "as_sym_int", "as_sym_float", "as_sym_bool"}:
        return _reference(value)
    if kind in {"as_tensors", "as_sym_ints", "as_sym_floats", "as_sym_bools"}:
        return _list_of([_reference(item) for item in value])
    if kind == "as_optional_tensors":
        return _list_of([argument(item, device) for item in value])
    raise Unsupported(f"an argument of the kind {kind}")


def outputs_of(described: list[Mapping[str, Any]]) -> list[str | list[str]]:
    """The names of a node's outputs; a list within the list where an output is a list of tensors."""
    names: list[str | list[str]] = []
    for output in described:
        ((kind, value),) = output.items()
        if kind == "as_tensors":
            names.append([item["name"] for item in value])
        elif kind != "as_none":
            names.append(value["name"] if kind == "as_tensor" else value["as_name"])
    return names


def _reference(value: Mapping[str, Any]) -> Argument:
    """A named value, or a plain number where a size is known."""
    ((key, item),) = value.items()
    if key in {"name", "as_name"}:
        return Argument(lambda values: values[item], (item,))
    return Argument(lambda _: item)


def _list_of(items: list[Argument]) -> Argument:
    needs = tuple(name for item in items for name in item.needs)
    return Argument(lambda values: [item(values) for item in items], needs)


def _layout(code: int) -> torch.layout:
    if code != STRIDED:
        raise Unsupported("a sparse tensor")
    return torch.strided


_CONSTANTS: dict[str, Callable[[Any], Any]] = {
    "as_none": lambda _: None,
    "as_int": int,
    "as_float": float,
    "as_bool": bool,
    "as_string": str,
    "as_ints": lambda items: [int(item) for item in items],
    "as_floats": lambda items: [float(item) for item in items],
    "as_bools": lambda items: [bool(item) for item in items],
    "as_device": lambda _: None,
    "as_scalar_type": lambda code: DTYPES[code],
    "as_memory_format": lambda code: FORMATS[code],
    "as_layout": _layout,
}
