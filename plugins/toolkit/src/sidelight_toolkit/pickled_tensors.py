"""Tensors as torch pickles them: a flat storage, and how a tensor lies in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from sidelight_toolkit.pickles import Name, RefusedError, plain_dict

if TYPE_CHECKING:
    from sidelight_toolkit.pickles import Makers

_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
STORAGES: Makers = {f"{module}.{name}": None for module in ("torch", "torch.cuda") for name in _DTYPES}
"""Names of storage types."""


def dtype_of(storage: Any) -> torch.dtype:
    """Element type of a storage type. Raises RefusedError for any other name."""
    name = storage.text.rpartition(".")[2] if isinstance(storage, Name) else ""
    if name not in _DTYPES:
        raise RefusedError(f"a tensor storage of an unknown type {name}".rstrip())
    return _DTYPES[name]


def rebuild_tensor(flat: Any, offset: Any, size: Any, stride: Any, *_: Any) -> torch.Tensor:
    """A tensor in its flat storage.

    Raises:
        ValueError: it would leave the storage, or have more elements than it.
    """
    if not isinstance(flat, torch.Tensor) or not all(isinstance(number, int) for number in (offset, *size, *stride)):
        raise ValueError("a tensor is not made of a storage and whole numbers")
    if min((offset, *size, *stride), default=0) < 0 or len(size) != len(stride) or math.prod(size) > len(flat):
        raise ValueError(f"a tensor of size {tuple(size)} does not fit its storage of {len(flat)} elements")
    # index of the last element: torch's C++ reader does not compare it with the storage
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if math.prod(size) and last >= len(flat):
        raise ValueError(f"a tensor of size {tuple(size)} leaves its storage of {len(flat)} elements")
    return flat.as_strided(tuple(size), tuple(stride), offset)


def as_parameter(tensor: Any, *_: Any) -> Any:
    """A parameter is its tensor."""
    return tensor


TENSORS: Makers = {
    **STORAGES,
    "torch._utils._rebuild_tensor": rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor,
    "torch._utils._rebuild_parameter": as_parameter,
    "collections.OrderedDict": plain_dict,
    "torch.Size": None,
    "torch.device": None,
    **{f"torch.{name}": None for name in ("float16", "float32", "float64", "int32", "int64", "uint8", "bool")},
}
"""Names that tensors and state dicts are made of."""
