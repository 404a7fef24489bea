"""The type of a parameter in words: what an error expects, and what the reference page says."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from sidelight_specs.params import bounds_text

from sidelight.recipe.wording import listing, show

if TYPE_CHECKING:
    from sidelight_specs.params import Param

_SCALARS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def expected(param: Param, annotation: Any = None) -> str:
    """`a whole number of pixels between 1 and 512`.

    Args:
        param: whose unit, bounds and choices apply.
        annotation: a part of its type; the whole type when None.
    """
    annotation = param.type if annotation is None else annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join("null" if part is types.NoneType else expected(param, part) for part in arguments)
    if origin is Literal:
        return f"one of {listing(map(show, arguments), 40)}"
    if origin is tuple:
        return f"a list, each item {expected(param, arguments[0])}"
    if origin is dict:
        return f"a mapping, each value {expected(param, arguments[1])}"
    if param.choices:
        return f"one of {listing(map(show, param.choices), 40)}"
    return f"{_SCALARS[annotation]}{_bounds(annotation, param)}"


def _bounds(annotation: Any, param: Param) -> str:
    if annotation not in (int, float):
        return ""
    unit = f" of {param.unit}" if param.unit else ""
    bounded = param.minimum is not None or param.maximum is not None
    return unit + (f" {bounds_text(param.minimum, param.maximum)}" if bounded else "")
