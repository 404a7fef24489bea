"""Weights of TensorFlow.js: a manifest and its shards, read as data.

The manifest is a JSON list of groups `{paths, weights}` (or a `model.json` with that list as `weightsManifest`). The
shards of a group, one after another, hold the values of its weights in the order of the list, little-endian and
without gaps. A quantised weight of k bits is stored as q, with the value

    v = q * scale + min                                 q of uint8 or uint16; float16 is a cast

as in tfjs-core, `io/io_utils.ts`, `decodeWeights`. Everything is checked before numbers are read: names, shapes, types,
finite scales, the sum of all sizes against the sizes of the files; a shard lies in the manifest's folder.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen
from sidelight_specs import UserError
from sidelight_specs.files import read_regular, refuse_special

from sidelight_faces.locations import LARGEST_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_WEIGHTS = 1 << 30  # bytes of all shards together
MOST_AXES = 8
PLAIN = {"float32": "<f4", "int32": "<i4"}
QUANTISED = {"uint8": "<u1", "uint16": "<u2", "float16": "<f2"}
FIX = "install the package again, or name another file with `where`"


@frozen
class Entry:
    """One weight of a manifest.

    Args:
        name: unique in the manifest.
        shape: of the weight.
        stored: numpy type of the stored numbers.
        scale, low: of quantised numbers; 1 and 0 for others.
    """

    name: str
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    scale: float = 1.0
    low: float = 0.0

    @property
    def size(self) -> int:
        """Bytes in the shard."""
        return math.prod(self.shape) * self.stored.itemsize

    def values(self, data: bytes) -> np.ndarray:
        """The weight as float32, of `size` bytes; computed in double precision, as JavaScript does."""
        numbers = np.frombuffer(data, self.stored).reshape(self.shape)
        return np.asarray(numbers.astype(np.float64) * self.scale + self.low, np.float32)


def read_manifest(path: Path) -> dict[str, np.ndarray]:
    """Name to float32 array of every weight of a manifest, in its order.

    Args:
        path: of the manifest; its shards lie in the same folder.

    Raises:
        UserError: a file cannot be read, is damaged, or holds something else; the message says what.
    """
    weights: dict[str, np.ndarray] = {}
    try:
        groups = list(_groups(path))
        # of all groups together: they may name one shard again and again
        promised = sum(entry.size for _, entries in groups for entry in entries)
        if promised > LARGEST_WEIGHTS:
            raise ValueError(f"it promises {promised:,} bytes, more than {LARGEST_WEIGHTS:,}")
        for shards, entries in groups:
            data = _shards(path, shards, sum(entry.size for entry in entries))
            start = 0
            for entry in entries:
                if entry.name in weights:
                    raise ValueError(f'the weight "{entry.name}" stands there twice')
                weights[entry.name] = entry.values(data[start : start + entry.size])
                start += entry.size
    except OSError as error:
        raise UserError(f"{error.filename or path} cannot be read: {error.strerror or error}", FIX) from error
    except (ValueError, RuntimeError) as error:  # JSON that is damaged or too deep, too; links in a circle
        raise UserError(f"{path} is no manifest of weights that can be read: {error}", FIX) from error
    if not weights:
        raise UserError(f"{path} holds no weights", FIX)
    return weights


def _groups(path: Path) -> Iterator[tuple[list[str], list[Entry]]]:
    text = read_regular(path, LARGEST_MANIFEST + 1)
    if len(text) > LARGEST_MANIFEST:
        raise ValueError(f"it is larger than {LARGEST_MANIFEST >> 20} MiB")
    document = json.loads(text)
    groups = document.get("weightsManifest") if isinstance(document, dict) else document
    if not isinstance(groups, list):
        raise ValueError("it is no list of groups")
    for group in groups:
        if not isinstance(group, dict) or not isinstance(group.get("paths"), list):
            raise ValueError("a group has no list `paths`")
        if not isinstance(group.get("weights"), list):
            raise ValueError("a group has no list `weights`")
        yield group["paths"], [_entry(item) for item in group["weights"]]


def _entry(item: Any) -> Entry:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise ValueError("a weight has no name")
    name, shape = item["name"], item.get("shape")
    if not isinstance(shape, list) or len(shape) > MOST_AXES or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f'the shape of "{name}" is {shape}, not a list of lengths')
    quantised = item.get("quantization")
    if quantised is None:
        return Entry(name, tuple(shape), _type(name, item.get("dtype"), PLAIN))
    if not isinstance(quantised, dict) or item.get("dtype") != "float32":
        raise ValueError(f'"{name}" is quantised, and no float32')
    stored = _type(name, quantised.get("dtype"), QUANTISED)
    if stored.kind == "f":
        return Entry(name, tuple(shape), stored)
    scale, low = (_number(name, key, quantised.get(key)) for key in ("scale", "min"))
    return Entry(name, tuple(shape), stored, scale, low)


def _number(name: str, key: str, value: Any) -> float:
    # 1e300: a whole number of JSON may be beyond any float
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise ValueError(f'the {key} of "{name}" is {value}, not a finite number')
    return float(value)


def _type(name: str, given: Any, known: dict[str, str]) -> np.dtype[Any]:
    if not isinstance(given, str) or given not in known:
        raise ValueError(f'"{name}" is of the type {given}; known are {", ".join(known)}')
    return np.dtype(known[given])


def _shards(path: Path, names: list[Any], size: int) -> bytes:
    """The bytes of all shards of a group, after their sizes were compared with what the manifest promises."""
    folder, files = path.parent.resolve(), []
    for name in names:
        # resolved, so that no link and no `..` leads out of the folder
        if not isinstance(name, str) or not (file := (folder / name).resolve()).is_relative_to(folder):
            raise ValueError(f'the shard "{name}" lies outside of its folder')
        refuse_special(file)
        files.append(file)
    held = sum(file.stat().st_size for file in files)
    if held != size:
        raise ValueError(f"its shards hold {held:,} bytes, the weights take {size:,}")
    data = b"".join(read_regular(file, size) for file in files)
    if len(data) != size:
        raise ValueError(f"its shards hold {len(data):,} bytes, the weights take {size:,}")
    return data
