"""Digests of plain values, arrays and files."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

_SIZE = 32


def digest_of(value: Any) -> str:
    """blake2b (64 hexadecimal digits) of plain values; tuples count as lists, the order of keys does not matter."""
    text = json.dumps(value, sort_keys=True, allow_nan=True)
    return hashlib.blake2b(text.encode(), digest_size=_SIZE).hexdigest()


def digest_arrays(*arrays: np.ndarray) -> str:
    """blake2b of arrays: their dtypes, shapes and values."""
    hasher = hashlib.blake2b(digest_size=_SIZE)
    for array in arrays:
        hasher.update(f"{array.dtype.str}{array.shape}".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()


def digest_file(path: Path) -> str:
    """blake2b of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=_SIZE)).hexdigest()
