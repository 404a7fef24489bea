"""Digests of plain values, arrays, tensors and files: the same on every machine that holds the same content."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

_SIZE = 32  # bytes: 64 hexadecimal digits


def digest_of(value: Any) -> str:
    """Digest of a nested value: blake2b, 64 hexadecimal digits.

    Tuples count as lists, the order of a dict's keys does not matter, and a tensor counts as the array of its values,
    whatever its device or memory layout.

    Args:
        value: None, a bool, number, text or bytes; an array or tensor; an object with a method `digest`, such as an
            artifact; or a tuple, list or dict with text keys of these, to any depth.

    Raises:
        SidelightError: it holds anything else, whose content cannot be told.
    """
    try:
        text = json.dumps(value, sort_keys=True, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:  # keys that are no text, and what holds itself
        raise SidelightError(f"a digest needs plain values, arrays and tensors: {error}") from error
    return hashlib.blake2b(text.encode(), digest_size=_SIZE).hexdigest()


def seed_of(text: str) -> int:
    """A number in [0, 2**63) that follows from a text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def digest_file(path: Path) -> str:
    """Digest of a file's bytes: blake2b, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=_SIZE)).hexdigest()


def _plain(value: Any) -> Any:
    """A stand-in, made of plain values, for what json does not know."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")  # where they are not loaded, none is their value
    if torch is not None and isinstance(value, torch.Tensor):
        flat = value.detach().cpu().contiguous().reshape(-1)
        content = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""  # numpy lacks bfloat16
        return _content(str(value.dtype).removeprefix("torch."), tuple(value.shape), content)
    if numpy is not None and isinstance(value, numpy.ndarray) and not value.dtype.hasobject:
        from sidelight_specs.mapped import content_digest

        return _array(str(value.dtype), value.shape, content_digest(value, _SIZE))
    if numpy is not None and isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, bytes):
        return _content("bytes", (len(value),), value)
    digest = getattr(value, "digest", None)
    if callable(digest) and not isinstance(value, type):
        return {"$digest": f"{type(value).__qualname__} {digest()}"}
    raise TypeError(f"a {type(value).__qualname__} has no digest")


def content_of(array: np.ndarray) -> memoryview:
    """The bytes of an array in C order, as `tobytes` gives them, without a copy of a contiguous one."""
    import numpy as np

    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _content(dtype: str, shape: tuple[int, ...], content: bytes) -> dict[str, Any]:
    return _array(dtype, shape, hashlib.blake2b(content, digest_size=_SIZE).hexdigest())


def _array(dtype: str, shape: tuple[int, ...], digest: str) -> dict[str, Any]:
    return {"$array": [dtype, list(shape), digest]}
