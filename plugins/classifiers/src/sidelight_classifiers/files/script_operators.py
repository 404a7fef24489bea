"""TorchScript's operators on numbers, texts, lists, tuples and dicts, in Python.

torch's own interpreter divides by zero, overflows, and fills memory with lists; here numbers stay in the range that
operators take (`guards.LARGEST_NUMBER`), and lists and texts stay short.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import torch

from sidelight_classifiers.files.operators import bounded

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_NODES = 100_000  # of one call, and items of a list; a scripted ViT-L has about 10,000 nodes
CODES = (
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float32, torch.float64),
    *(torch.complex32, torch.complex64, torch.complex128, torch.bool, None, None, None, torch.bfloat16),
)
"""Data types by their numbers in TorchScript (`c10::ScalarType`)."""


def _text(value: Any) -> str:
    return str(value)[:1000]  # no file needs longer texts


def _limited(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose results are numbers in the range of operators, or lists and texts of bounded length."""
    limited = bounded(function)

    def call(*values: Any) -> Any:
        result = limited(*values)
        if isinstance(result, list | str) and len(result) > MOST_NODES:
            raise ValueError(f"a list or text of {len(result)} items")
        return result

    return call


def _product(left: Any, right: Any) -> Any:
    if isinstance(left, list) and len(left) * max(right, 0) > MOST_NODES:  # before the list is made
        raise ValueError(f"a list of {len(left) * right} items")
    return left * right


def _set_item(holder: Any, key: Any, value: Any) -> Any:
    holder[key] = value
    return holder


def _extended(items: list[Any], more: list[Any]) -> list[Any]:
    items.extend(more)
    return items


PLAIN: dict[str, Callable[..., Any]] = {
    # arithmetic; what can grow is limited
    **{name: _limited(getattr(operator, name)) for name in ("add", "sub", "neg", "floordiv")},
    "mul": _limited(_product),
    **{name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge", "truediv")},
    "div": operator.truediv,
    "remainder": operator.mod,
    "pow": lambda base, exponent: float(base) ** float(exponent),
    "sqrt": math.sqrt,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": round,
    "abs": abs,
    "fabs": math.fabs,
    # logic
    "__and__": operator.and_,
    "__or__": operator.or_,
    "__not__": operator.not_,
    "__is__": operator.is_,
    "__isnot__": operator.is_not,
    # lists, tuples and dicts
    "__contains__": lambda holder, item: item in holder,
    "__getitem__": operator.getitem,
    "__range_length": lambda start, end, step: len(range(start, end, step)),
    "__derive_index": lambda number, start, step: start + number * step,
    "slice": lambda items, start, end, step: items[slice(start, end, step)],
    "len": len,
    "list": list,
    "append": lambda items, item: _extended(items, [item]),
    "extend": _limited(_extended),
    "add_": _limited(_extended),
    "insert": list.insert,
    "pop": list.pop,
    "reverse": list.reverse,
    "_set_item": _set_item,
    "keys": list,
    "values": lambda holder: list(holder.values()),
    "items": lambda holder: list(holder.items()),
    "get": lambda holder, key, default=None: holder.get(key, default),
    # conversions and texts
    "Int": int,
    "Float": float,
    "Bool": bool,
    "str": _text,
    "format": lambda pattern, *values: pattern.replace("{}", "%s") % tuple(map(_text, values)),
    "join": lambda pattern, items: _text(pattern.join(map(_text, items[:1000]))),
    "warn": lambda *_: None,
    # the state of the machine, as a plain forward pass sees it
    "is_grad_enabled": torch.is_grad_enabled,
    "is_autocast_enabled": lambda *_: False,
    "is_autocast_cpu_enabled": lambda *_: False,
    "is_scripting": lambda: True,
    "_get_tracing_state": lambda: False,
    "_unwrap_optional": lambda value: value,
    "device": torch.device,
}
"""Operators of `aten` on numbers, texts and lists. Numbers stay below `LARGEST_NUMBER`, so nothing overflows."""


def _number_of(tensor: Any) -> Any:
    """A size that was traced as a tensor. Pixels do not become sizes: only whole numbers without axes do."""
    if isinstance(tensor, torch.Tensor) and (tensor.ndim or tensor.is_floating_point()):
        raise ValueError("a number taken from pixels")
    return tensor.item() if isinstance(tensor, torch.Tensor) else tensor


OF_TENSORS: dict[str, Callable[..., Any]] = {
    "Int": lambda tensor: int(_number_of(tensor)),
    "Float": lambda tensor: float(_number_of(tensor)),
    "Bool": lambda tensor: bool(_number_of(tensor)),
    "ScalarImplicit": _number_of,
    "IntImplicit": lambda tensor: int(_number_of(tensor)),
    "FloatImplicit": lambda tensor: float(_number_of(tensor)),
    "len": len,
    "__contains__": lambda tensors, tensor: any(each is tensor for each in tensors),
    "append": PLAIN["append"],
    "__getitem__": PLAIN["__getitem__"],
    "device": torch.device,
    "tensor": lambda data, dtype=None, device=None, requires_grad=False: torch.tensor(
        data, dtype=None if dtype is None else CODES[dtype], device=device
    ),
}
"""Functions of `aten` on tensors that are no tensor operators."""

PRIM: dict[str, Callable[..., Any]] = {
    "ListConstruct": lambda *items: list(items),
    "TupleConstruct": lambda *items: items,
    "TupleUnpack": tuple,
    "ListUnpack": tuple,
    "TupleIndex": operator.getitem,
    "DictConstruct": lambda *items: dict(zip(items[::2], items[1::2], strict=True)),
    "NumToTensor": torch.tensor,
    "Uninitialized": lambda: None,
    "unchecked_cast": lambda value: value,
    "unchecked_unwrap_optional": lambda value: value,
    "dtype": lambda tensor: CODES.index(tensor.dtype),
    "layout": lambda tensor: 0,
    "min": lambda *values: min(*values),
    "max": lambda *values: max(*values),
    "abs": abs,
    "data": lambda tensor: tensor.detach(),
    "rangelist": lambda count: list(range(min(count, MOST_NODES))),
    **{
        name: operator.attrgetter(name)
        for name in (
            *("device", "requires_grad", "itemsize", "is_cpu", "is_cuda", "is_meta", "is_mkldnn", "is_nested"),
            *("is_quantized", "is_sparse", "is_xla", "is_xpu", "is_mps"),
        )
    },
    "index": lambda device: device.index,
    "type": lambda device: device.type,
}
