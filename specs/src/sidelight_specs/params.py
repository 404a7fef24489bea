"""Parameters: attrs classes whose every field is typed, documented and bounded.

One declaration serves the strict recipe reader, `sidelight describe`, the JSON Schema and the reference pages.
"""

from __future__ import annotations

import math
import types
import typing
from typing import Any, Literal, TypeVar, Union, dataclass_transform, get_args, get_origin

import attrs

T = TypeVar("T")
_KEY = "sidelight"
_SCALARS = (bool, int, float, str)


@attrs.frozen
class Param:
    """What a field says of itself.

    Args:
        name: the key in a recipe's `with:`.
        type: the resolved annotation.
        default: its default, or `attrs.NOTHING` where the user must give one.
        help: one or two sentences.
        unit: what a number counts: `"pixels"`, `"steps"`.
        minimum, maximum: inclusive bounds of a number, or of every item of a tuple or dict of numbers.
        choices: the values allowed.
    """

    name: str
    type: Any
    default: Any
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()


def param(
    default: Any,
    help: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[Any, ...] = (),
) -> Any:
    """Declare one parameter; use it inside a class decorated with `params`.

    Args:
        default: the value when the recipe is silent; `...` where the user must give one.
        help: what it does, as a user needs to read it.
        unit: what a number counts.
        minimum: inclusive lower bound; every number needs at least one bound.
        maximum: inclusive upper bound.
        choices: the values allowed; a `Literal` annotation says the same and is preferred for strings.
    """
    facts = {"help": help, "unit": unit, "minimum": minimum, "maximum": maximum, "choices": tuple(choices)}
    return attrs.field(
        default=attrs.NOTHING if default is ... else default, metadata={_KEY: facts}, validator=_within, kw_only=True
    )


@dataclass_transform(kw_only_default=True, frozen_default=True)  # without specifiers, `= param(...)` is a default
def params(cls: type[T]) -> type[T]:
    """Make a class a set of parameters: frozen, keyword-only, every field made by `param`."""
    return attrs.frozen(kw_only=True)(cls)


def _within(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    problem = out_of_bounds(attribute.metadata[_KEY], value)
    if problem:
        raise ValueError(f"{attribute.name} {problem}")


def out_of_bounds(facts: Any, value: Any) -> str:
    """Why `value` breaks the bounds or choices in `facts`, as the end of a sentence; empty when it does not."""
    if value is None:
        return ""
    if isinstance(value, (tuple, list, dict)):
        items = value.values() if isinstance(value, dict) else value
        return next((text for text in (out_of_bounds(facts, item) for item in items) if text), "")
    if facts["choices"] and value not in facts["choices"]:
        return f"must be one of {', '.join(map(str, facts['choices']))}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    low, high = facts["minimum"], facts["maximum"]
    if not math.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
        return f"must be {bounds_text(low, high)}, got {value!r}"
    return ""


def bounds_text(low: float | None, high: float | None) -> str:
    """`between 0 and 1`, `at least 1`, `at most 9`, or `finite`."""
    if low is not None and high is not None:
        return f"between {low} and {high}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else "finite"


def describe(cls: type) -> tuple[Param, ...]:
    """The fields of a params class, in order.

    Raises:
        TypeError: a field has no type that recipes can hold, no help, or is a number without a bound.
    """
    if not attrs.has(cls):
        raise TypeError(f"{cls.__name__} is not a params class; decorate it with sidelight_specs.params")
    hints = typing.get_type_hints(cls)
    found = []
    for attribute in attrs.fields(cls):
        facts = attribute.metadata.get(_KEY)
        if facts is None:
            raise TypeError(f"{cls.__name__}.{attribute.name} is not declared with sidelight_specs.param")
        found.append(Param(attribute.name, hints[attribute.name], attribute.default, **facts))
        _check(cls, found[-1])
    return tuple(found)


def _check(cls: type, field: Param) -> None:
    place = f"{cls.__name__}.{field.name}"
    if not field.help.strip():
        raise TypeError(f"{place} has no help text")
    kinds = leaf_types(field.type)
    if not kinds:
        raise TypeError(f"{place}: recipes cannot hold the type {field.type!r}")
    unbounded = field.minimum is None and field.maximum is None and not field.choices
    if unbounded and kinds & {int, float}:
        raise TypeError(f"{place} is a number without minimum or maximum")


def leaf_types(annotation: Any) -> set[type]:
    """The scalar types that an annotation is made of; empty when recipes cannot hold it.

    Recipes hold bool, int, float, str, `Literal`, `tuple[X, ...]`, `dict[str, X]` and `X | None`.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _SCALARS:
        return {annotation}
    if origin is Literal:
        return {str} if all(isinstance(item, (str, bool)) for item in arguments) else set()
    if origin in (Union, types.UnionType):
        return _all_leaves([item for item in arguments if item is not types.NoneType])
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return leaf_types(arguments[0])
    if origin is dict and arguments[:1] == (str,):
        return leaf_types(arguments[1])
    return set()


def _all_leaves(parts: list[Any]) -> set[type]:
    leaves = [leaf_types(part) for part in parts]
    return set().union(*leaves) if all(leaves) else set()


@params
class NoParams:
    """For a component without options."""
