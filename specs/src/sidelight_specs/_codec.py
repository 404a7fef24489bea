"""attrs classes to and from plain json values beside a table of numpy arrays."""

from __future__ import annotations

import math
import types
import typing
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import attrs

if TYPE_CHECKING:
    import numpy as np

_ARRAY = "$array"


def encode(instance: Any, *, unread: bool = False) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Split an attrs instance into json values and arrays; an array's name is the path of its field.

    With `unread` arrays come as they are: in any layout, and what stands for one (`LazyImages`, `StoredArray`) unread.
    """
    import numpy as np

    arrays: dict[str, Any] = {}
    document = _encode(instance, "", arrays)
    if not unread:
        arrays = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    return document, arrays


def _encode(value: Any, path: str, arrays: dict[str, Any]) -> Any:
    import numpy as np

    from sidelight_specs.lazy import LazyImages
    from sidelight_specs.stored import StoredArray

    if isinstance(value, np.ndarray | LazyImages | StoredArray):
        if value.dtype.hasobject:
            raise TypeError(f"{path}: arrays of Python objects cannot be saved")
        path = path.replace("\0", "%00")  # where a zip archive would end the name
        if path in arrays:
            raise TypeError(f"{path}: two arrays have this path; a name must not hold a dot that leads to another")
        arrays[path] = value
        return {_ARRAY: path}
    if isinstance(value, np.generic):
        return _encode(value.item(), path, arrays)
    if attrs.has(type(value)):
        return {
            field.name: _encode(getattr(value, field.name), f"{path}.{field.name}".lstrip("."), arrays)
            for field in attrs.fields(type(value))
        }
    if isinstance(value, dict):
        return {str(key): _encode(item, f"{path}.{key}", arrays) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_encode(item, f"{path}.{index}", arrays) for index, item in enumerate(value)]
    return _encode_scalar(value, path)


def _encode_scalar(value: Any, path: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{path}: a {type(value).__name__} cannot be saved")


def decode(annotation: Any, value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Rebuild what `encode` made, given the type it had."""
    if isinstance(value, dict) and _ARRAY in value:
        return arrays[value[_ARRAY]]
    if isinstance(value, dict) and "$float" in value:
        return float(value["$float"])
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return None if value is None else decode(_present(arguments), value, arrays)
    if attrs.has(annotation):
        hints = typing.get_type_hints(annotation)
        return annotation(**{name: decode(hints[name], item, arrays) for name, item in value.items()})
    if origin is tuple:
        item = arguments[0] if arguments else Any
        kinds = [item] * len(value) if len(arguments) != 2 or arguments[1] is ... else list(arguments)
        return tuple(decode(kind, part, arrays) for kind, part in zip(kinds, value, strict=True))
    if origin is dict:
        return {key: decode(arguments[1], item, arrays) for key, item in value.items()}
    if origin is Literal and value not in arguments:
        raise ValueError(f"{value!r} is none of {arguments}")
    return value


def _present(arguments: tuple[Any, ...]) -> Any:
    kinds = [kind for kind in arguments if kind is not types.NoneType]
    return kinds[0] if len(kinds) == 1 else Any
