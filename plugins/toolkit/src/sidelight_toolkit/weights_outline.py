"""Names and shapes of a weights file, without its numbers. This module imports nothing heavy."""

from __future__ import annotations

import json
import struct
import zipfile
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sidelight_toolkit.pickles import Reader, RefusedError, plain_dict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sidelight_toolkit.pickles import Makers

T = TypeVar("T")
Outline: TypeAlias = "Mapping[str, tuple[int, ...]]"
LARGEST_HEADER = 100 << 20  # bytes; the limit of the safetensors format
CONTENTS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model", "net")
"""Keys under which training scripts keep the state dict in a checkpoint, averaged weights first."""
PREFIXES = ("_orig_mod.", "module.", "model.", "timm_model.")
"""Put before every name by torch.compile, by DistributedDataParallel, by Lightning and by transformers around timm."""
SETTINGS: Makers = {"argparse.Namespace": None, "pathlib.PosixPath": None}
"""Names that checkpoints of training scripts hold beside weights; they are read as data and left out."""


class _Shape(tuple[int, ...]):
    """Shape of a tensor, as against a tuple of something else."""


def outline(path: Path) -> Outline | None:
    """Name to shape of every tensor of a state dict; None for a file of another kind, or one that is damaged."""
    try:
        if not path.is_file():  # a pipe would never end
            return None
        with path.open("rb") as file:
            start = file.read(9)
        if zipfile.is_zipfile(path):
            shapes: Outline = state_dict_in(_pickled(path), _Shape)
        elif start[8:] == b"{":
            shapes = _safetensors(path)
        else:
            return None
        longest = max((length for shape in shapes.values() for length in shape), default=0)
        return shapes if longest <= path.stat().st_size else None  # a file holds what it says that it holds
    except (OSError, ValueError, KeyError, TypeError, IndexError, RefusedError, zipfile.BadZipFile, struct.error):
        return None
    except (RecursionError, NotImplementedError, AttributeError, StopIteration):  # of a damaged pickle or archive
        return None


def state_dict_in(checkpoint: Any, kind: type[T]) -> dict[str, T]:
    """The tensors of a checkpoint by name, without what training scripts put around them.

    Args:
        checkpoint: a state dict, or a dict that holds one.
        kind: class of a tensor.

    Raises:
        ValueError: it holds no tensors by name.
    """
    if not isinstance(checkpoint, dict):
        raise ValueError(f"it holds a {type(checkpoint).__name__}, not weights by their names")
    held = next((checkpoint[name] for name in CONTENTS if isinstance(checkpoint.get(name), dict)), checkpoint)
    state = {str(name): value for name, value in held.items() if isinstance(value, kind)}
    if not state:
        raise ValueError("it holds no weights by their names")
    while prefix := next((each for each in PREFIXES if all(name.startswith(each) for name in state)), ""):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _safetensors(path: Path) -> dict[str, tuple[int, ...]]:
    """A safetensors file begins with the length of its header, a JSON object of name to dtype, shape and offsets."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(LARGEST_HEADER, path.stat().st_size):
            raise ValueError("the header is longer than the file")
        header = json.loads(file.read(length))
    return state_dict_in(
        {name: _shape(each["shape"]) for name, each in header.items() if name != "__metadata__"}, _Shape
    )


def _pickled(path: Path) -> Any:
    """The object of an archive of `torch.save`, with a shape in the place of each tensor."""
    with zipfile.ZipFile(path) as archive:
        (member,) = [each for each in archive.infolist() if each.filename.endswith("/data.pkl")]
        if member.file_size > LARGEST_HEADER:
            raise ValueError("the pickle is too large")
        data = archive.read(member)
    return Reader(_SHAPES, lambda _identity: None).read(data)


def _shape(lengths: Any) -> _Shape:
    if not all(type(each) is int and each >= 0 for each in lengths):
        raise ValueError("a tensor has no shape")
    return _Shape(lengths)


def _rebuilt(_storage: Any, _offset: Any, size: Any, *_: Any) -> _Shape:
    return _shape(size)


_STORAGES = ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
_SHAPES: Makers = {
    **SETTINGS,
    **{f"{module}.{name}Storage": None for module in ("torch", "torch.cuda") for name in _STORAGES},
    "torch._utils._rebuild_tensor": _rebuilt,
    "torch._utils._rebuild_tensor_v2": _rebuilt,
    "torch._utils._rebuild_parameter": lambda shape, *_: shape,
    "collections.OrderedDict": plain_dict,
    "torch.Size": None,
    "torch.device": None,
}
