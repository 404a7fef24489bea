"""The IDX format of MNIST and Fashion-MNIST: magic number, big-endian sizes, unsigned bytes."""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 1 << 28  # bytes; the largest file of Fashion-MNIST has 47 MB


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """A uint8 array with so many dimensions, from a file that may be compressed with gzip.

    Raises:
        UserError: not such a file, or damaged, or of more than 256 MiB.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _parsed(file.read(LARGEST + 1), dimensions)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}", "fetch the file again") from error


def _parsed(content: bytes, dimensions: int) -> np.ndarray:
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes([0, 0, 8, dimensions]):
        raise ValueError(f"it is no IDX file of unsigned bytes in {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != np.prod(shape, dtype=object):
        raise ValueError(f"its header promises {' x '.join(map(str, shape))} bytes, it holds {len(content) - header}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
