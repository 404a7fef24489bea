"""Parameters: attrs classes whose every field is typed, documented and bounded.

One declaration serves the strict recipe reader, `sidelight describe`, the JSON Schema, the reference pages and the
conformance kit: all of them ask its `ParamType`.
"""

from __future__ import annotations

import math
import types
import typing
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Union, dataclass_transform, get_args, get_origin

import attrs

from sidelight_specs.wording import listing, show

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Path: TypeAlias = "tuple[str | int, ...]"
Refusal: TypeAlias = "Callable[[Path, Any, ParamType], Any]"
Kind = Literal["bool", "int", "float", "str", "null", "literal", "list", "mapping", "union"]
_KEY = "sidelight"
_SCALARS: dict[Any, Kind] = {bool: "bool", int: "int", float: "float", str: "str", types.NoneType: "null"}
_WORDS = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "text", "null": "null"}
_JSON = {"bool": "boolean", "int": "integer", "float": "number", "str": "string", "null": "null"}
_MOST_CHOICES = 40
"""Choices that an error lists."""


@attrs.frozen
class ParamType:
    """The type of a parameter, parsed from its annotation, with the limits of the scalars in it.

    Recipes hold bool, int, float, str, `Literal` of texts and booleans, `tuple[X, ...]`, `dict[str, X]` and unions
    with each other and None. Every question about such a type is one walk over this tree.

    Args:
        kind: the outermost type; a `tuple[X, ...]` is a list, a `dict[str, X]` a mapping.
        inner: the options of a union, or the one type that all items of a list or mapping have.
        unit: what a number counts.
        minimum: inclusive lower bound of numbers.
        maximum: inclusive upper bound of numbers.
        choices: the values allowed.
    """

    kind: Kind
    inner: tuple[ParamType, ...] = ()
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()

    @classmethod
    def of(cls, annotation: Any, **limits: Any) -> ParamType:
        """The type that an annotation names.

        Raises:
            TypeError: recipes cannot hold such values.
        """
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin in (Union, types.UnionType):
            return cls("union", tuple(cls.of(option, **limits) for option in arguments))  # limits go down to scalars
        if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
            return cls("list", (cls.of(arguments[0], **limits),))
        if origin is dict and arguments[:1] == (str,):
            return cls("mapping", (cls.of(arguments[1], **limits),))
        if origin is Literal and all(isinstance(choice, (str, bool)) for choice in arguments):
            return cls("literal", choices=arguments)
        if origin is None and annotation in _SCALARS:
            return cls(_SCALARS[annotation], **limits)
        raise TypeError(f"recipes cannot hold the type {annotation!r}")

    @property
    def alternatives(self) -> tuple[ParamType, ...]:
        """The options of a union, else this type; float comes last, so that it takes only what no other does."""
        return tuple(sorted(self.inner, key=lambda option: option.kind == "float")) if self.kind == "union" else (self,)

    @property
    def has_unbounded_number(self) -> bool:
        """True if it holds numbers that neither bounds nor choices limit."""
        unlimited = self.minimum is None and self.maximum is None and not self.choices
        return (self.kind in ("int", "float") and unlimited) or any(one.has_unbounded_number for one in self.inner)

    def read(self, data: Any, refuse: Refusal, path: Path = ()) -> Any:
        """Plain data as a parameter holds it: lists as tuples, whole numbers as floats where only floats are asked for.

        Args:
            data: None, bool, int, float, str, or lists, tuples and dicts of these.
            refuse: called with the path, the data and the type asked for, wherever these do not fit, bounds included;
                its answer takes the place of the data.
            path: keys and positions that lead to `data`.
        """
        option = next((option for option in self.alternatives if option._is_shape_of(data)), None)
        if option is None:
            return refuse(path, data, self)
        if option.kind == "list":
            return tuple(option.inner[0].read(item, refuse, (*path, index)) for index, item in enumerate(data))
        if option.kind == "mapping":
            return {key: option.inner[0].read(item, refuse, (*path, key)) for key, item in data.items()}
        if out_of_bounds(data, option.minimum, option.maximum, option.choices):
            return refuse(path, data, option)
        return float(data) if option.kind == "float" else data

    def fits(self, data: Any) -> bool:
        """True if plain data has this type; bounds and choices of scalars are not asked."""
        for option in self.alternatives:
            if option._is_shape_of(data):
                items = data.values() if isinstance(data, dict) else data if option.kind == "list" else ()
                known = option.kind != "literal" or data in option.choices
                if known and all(option.inner[0].fits(item) for item in items):
                    return True
        return False

    def _is_shape_of(self, data: Any) -> bool:
        """True if data has the outermost type. A bool is no number, although Python says so."""
        if self.kind == "literal":
            return any(type(data) is type(choice) for choice in self.choices)
        if self.kind in ("list", "mapping"):
            return isinstance(data, (tuple, list) if self.kind == "list" else dict)
        return _SCALARS.get(type(data)) in (("int", "float") if self.kind == "float" else (self.kind,))

    def words(self) -> str:
        """Wording of the type in an error: `a whole number of pixels between 1 and 512`, `a list, each item text`."""
        if self.kind == "union":
            return " or ".join(option.words() for option in self.inner)
        if self.kind in ("list", "mapping"):
            return f"a {self.kind}, each {'item' if self.kind == 'list' else 'value'} {self.inner[0].words()}"
        if self.choices and self.kind != "null":
            return f"one of {listing(map(show, self.choices), _MOST_CHOICES)}"
        if self.kind not in ("int", "float"):
            return _WORDS[self.kind]
        unit = f" of {self.unit}" if self.unit else ""
        bounded = self.minimum is not None or self.maximum is not None
        return _WORDS[self.kind] + unit + (f" {bounds_text(self.minimum, self.maximum)}" if bounded else "")

    def __str__(self) -> str:
        """Short form for tables: `int`, `list of float`, `one of a, b`, `str or null`."""
        if self.kind == "union":
            return " or ".join(map(str, self.inner))
        if self.kind in ("list", "mapping"):
            return f"{self.kind} {'of' if self.kind == 'list' else 'to'} {self.inner[0]}"
        if self.kind == "literal":
            return "one of " + ", ".join(choice if isinstance(choice, str) else show(choice) for choice in self.choices)
        return self.kind

    def schema(self, variable: dict[str, Any] | None = None) -> dict[str, Any]:
        """JSON Schema (draft 2020-12) of plain data of this type.

        Args:
            variable: schema of a text that may stand for any value but a text, where there is such a text.
        """
        schemas = [option._schema(variable) for option in (self.inner if self.kind == "union" else (self,))]
        if variable is not None and schemas != [{"type": "string"}]:
            schemas.append(variable)
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def _schema(self, variable: dict[str, Any] | None) -> dict[str, Any]:
        if self.kind == "literal":
            return {"enum": list(self.choices)}
        if self.kind == "list":
            return {"type": "array", "items": self.inner[0].schema(variable)}
        if self.kind == "mapping":
            return {"type": "object", "additionalProperties": self.inner[0].schema(variable)}
        schema: dict[str, Any] = {"type": _JSON[self.kind]}
        if self.kind in ("int", "float"):
            bounds = {"minimum": self.minimum, "maximum": self.maximum}
            schema |= {name: bound for name, bound in bounds.items() if bound is not None}
        if self.choices and self.kind != "null":
            schema["enum"] = list(self.choices)
        return schema


@attrs.frozen
class Param:
    """Declaration of one option, as its field holds it.

    Args:
        name: the key in a recipe's `with:`.
        type: what values it holds.
        default: its default, or `attrs.NOTHING` where the user must give one.
        help: one or two sentences.
        unit: what a number counts: `"pixels"`, `"steps"`.
        minimum: inclusive lower bound of a number, or of every item of a tuple or dict of numbers.
        maximum: inclusive upper bound of the same.
        choices: the values allowed.
    """

    name: str
    type: ParamType
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
    facts = attribute.metadata[_KEY]
    problem = out_of_bounds(value, facts["minimum"], facts["maximum"], facts["choices"])
    if problem:
        raise ValueError(f"{attribute.name} {problem}")


def out_of_bounds(value: Any, minimum: float | None, maximum: float | None, choices: tuple[Any, ...] = ()) -> str:
    """Reason why a value, or one inside it, breaks bounds or choices, as the end of a sentence; else empty."""
    if value is None:
        return ""
    if isinstance(value, (tuple, list, dict)):
        items = value.values() if isinstance(value, dict) else value
        return next((text for item in items if (text := out_of_bounds(item, minimum, maximum, choices))), "")
    if choices and value not in choices:
        return f"must be one of {', '.join(map(str, choices))}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    below = minimum is not None and value < minimum
    if not math.isfinite(value) or below or (maximum is not None and value > maximum):
        return f"must be {bounds_text(minimum, maximum)}, got {value!r}"
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
    return tuple(_param(cls, attribute, hints[attribute.name]) for attribute in attrs.fields(cls))


def _param(cls: type, attribute: attrs.Attribute[Any], annotation: Any) -> Param:
    facts = attribute.metadata.get(_KEY)
    name = f"{cls.__name__}.{attribute.name}"
    if facts is None:
        raise TypeError(f"{name} is not declared with sidelight_specs.param")
    if not facts["help"].strip():
        raise TypeError(f"{name} has no help text")
    try:
        kind = ParamType.of(annotation, **{limit: facts[limit] for limit in ("unit", "minimum", "maximum", "choices")})
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    if kind.has_unbounded_number:
        raise TypeError(f"{name} is a number without minimum or maximum")
    return Param(attribute.name, kind, attribute.default, **facts)


@params
class NoParams:
    """For a component without options."""
