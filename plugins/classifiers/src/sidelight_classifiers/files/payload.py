"""The tensors of an exported program: raw bytes beside a json table of shapes."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

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
"""Codes of the export schema (`ScalarType`)."""


class Unsupported(Exception):
    """What a file has that is not run, as in "the file has ..."."""


def read_tensors(members: Mapping[str, bytes], folder: str) -> dict[str, torch.Tensor]:
    """Name to tensor, for `data/weights` or `data/constants` of an archive.

    Raises:
        Unsupported: a tensor that was pickled, or written on a machine of the other byte order.
    """
    if members.get("byteorder", b"little").decode() != sys.byteorder:
        raise Unsupported("the byte order of another kind of machine")
    table = json.loads(members[f"data/{folder}/model_{folder}_config.json"])["config"]
    return {name: _tensor(entry, members, folder) for name, entry in table.items()}


def _tensor(entry: Mapping[str, Any], members: Mapping[str, bytes], folder: str) -> torch.Tensor:
    if entry["use_pickle"] or not re.fullmatch(r"(weight|tensor)_\d+", entry["path_name"]):
        raise Unsupported("a pickled object among its tensors")
    meta = entry["tensor_meta"]
    dtype = DTYPES.get(meta["dtype"])
    if dtype is None:
        raise Unsupported("a tensor of complex numbers or of 8-bit floats")
    sizes, strides = (_numbers(meta[key]) for key in ("sizes", "strides"))
    raw = members[f"data/{folder}/{entry['path_name']}"]
    flat = torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
    if math.prod(sizes) > len(flat):
        raise ValueError(f"{entry['path_name']} holds {len(flat)} values, {math.prod(sizes)} were promised")
    return flat.as_strided(sizes, strides, meta["storage_offset"]["as_int"]).clone()


def _numbers(sizes: list[Mapping[str, int]]) -> list[int]:
    return [size["as_int"] for size in sizes]
