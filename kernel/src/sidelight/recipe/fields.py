"""From the entries of a `with:` to an instance of a params class."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import attrs
from attrs import frozen
from sidelight_specs.params import Param, describe, out_of_bounds

from sidelight.problems import Problems
from sidelight.recipe.expectation import expected
from sidelight.recipe.model import UNREADABLE, Entry, Value
from sidelight.recipe.scalars import explain_text, plain_scalar
from sidelight.recipe.wording import did_you_mean, listing, quoted, show

if TYPE_CHECKING:
    from sidelight.problems import Place


def read_params(cls: type, entries: dict[str, Entry], owner: str, place: Place, problems: Problems) -> Any:
    """An instance of a params class, or None when something is wrong.

    Only a whole number where a number is expected is converted (int to float), and lists become tuples.

    Args:
        cls: a class made by `sidelight_specs.params`.
        entries: what the recipe gives, by name.
        owner: what the parameters belong to, for messages: `captum/occlusion`.
        place: where to report a parameter that is missing.
        problems: gets every mistake.
    """
    known = {param.name: param for param in describe(cls)}
    values = {}
    for name, entry in entries.items():
        if name in known:
            values[name] = _Reading(known[name], owner, problems).value(known[name].type, entry.value, name)
        else:
            problems.add(
                f"{owner} has no parameter {quoted(name)}",
                entry.key_place,
                expected=f"one of {listing(known)}" if known else "no parameters",
                suggestion=did_you_mean(name, known),
            )
            values[name] = UNREADABLE
    for name, param in known.items():
        if name not in values:
            values[name] = _default(param, owner, place, problems)
    if any(value is UNREADABLE for value in values.values()):
        return None
    return _instance(cls, values, owner, place, problems)


def _default(param: Param, owner: str, place: Place, problems: Problems) -> Any:
    if param.default is not attrs.NOTHING:
        return _settled(param.type, param.default)
    problems.add(f"{owner} needs the parameter {quoted(param.name)}", place, expected=expected(param), help=param.help)
    return UNREADABLE


def _instance(cls: type, values: dict[str, Any], owner: str, place: Place, problems: Problems) -> Any:
    try:
        return cls(**values)
    except Exception as error:  # a plugin's own validator may raise anything
        problems.add(f"{owner} refuses these parameters: {error or type(error).__name__}", place)
        return None


def _settled(annotation: Any, value: Any) -> Any:
    """A default as reading it from a recipe would give it: floats as floats, lists as tuples."""
    part = next((part for part in _parts(annotation) if _fits(part, value)), annotation)
    origin, arguments = get_origin(part), get_args(part)
    if part is float and type(value) is int:
        return float(value)
    if origin is tuple and isinstance(value, (tuple, list)):
        return tuple(_settled(arguments[0], item) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: _settled(arguments[1], item) for key, item in value.items()}
    return value


def _parts(annotation: Any) -> list[Any]:
    """The alternatives of a union; a float alternative comes last, so that it takes only what no other does."""
    union = get_origin(annotation) in (Union, types.UnionType)
    return sorted(get_args(annotation) if union else (annotation,), key=lambda part: part is float)


def _fits(annotation: Any, data: Any) -> bool:
    """Whether data has the outer shape that an annotation asks for."""
    origin = get_origin(annotation)
    if origin is Literal:
        return any(type(data) is type(choice) for choice in get_args(annotation))
    if origin in (tuple, dict):
        return isinstance(data, (tuple, list) if origin is tuple else dict)
    if annotation is float:
        return type(data) in (int, float)
    return type(data) is annotation


@frozen
class _Reading:
    """Reads the value of one parameter."""

    param: Param
    owner: str
    problems: Problems

    def value(self, annotation: Any, value: Value, path: str) -> Any:
        if value.data is UNREADABLE:
            return UNREADABLE
        part = next((part for part in _parts(annotation) if _fits(part, value.data)), None)
        if part is None:
            return self.refuse(value, path, _spelling(annotation, value.data))
        if get_origin(part) is tuple:
            return self.items(get_args(part)[0], value, path)
        if get_origin(part) is dict:
            return self.mapping(get_args(part)[1], value, path)
        if get_origin(part) is Literal and value.data not in get_args(part):
            choices = [choice for choice in get_args(part) if isinstance(choice, str)]
            return self.refuse(value, path, did_you_mean(str(value.data), choices))
        return self.bounded(float(value.data) if part is float else value.data, value, path)

    def items(self, annotation: Any, value: Value, path: str) -> Any:
        items = tuple(self.value(annotation, item, f"{path}.{index}") for index, item in enumerate(value.data))
        return UNREADABLE if UNREADABLE in items else items

    def mapping(self, annotation: Any, value: Value, path: str) -> Any:
        items = {key: self.value(annotation, entry.value, f"{path}.{key}") for key, entry in value.data.items()}
        return UNREADABLE if UNREADABLE in items.values() else items

    def bounded(self, data: Any, value: Value, path: str) -> Any:
        facts = {"choices": self.param.choices, "minimum": self.param.minimum, "maximum": self.param.maximum}
        if not out_of_bounds(facts, data):
            return data
        near = did_you_mean(data, map(str, self.param.choices)) if isinstance(data, str) else ""
        return self.refuse(value, path, near)

    def refuse(self, value: Value, path: str, suggestion: str = "") -> Any:
        self.problems.add(
            f"{quoted(path)} of {self.owner} is {show(value)}",
            value.place,
            expected=expected(self.param),
            suggestion=suggestion,
            help=self.param.help,
        )
        return UNREADABLE


def _spelling(annotation: Any, data: Any) -> str:
    """How to write what was probably meant by a value of the wrong type."""
    parts = _parts(annotation)
    if not isinstance(data, str):
        inner = [get_args(part)[0] for part in parts if get_origin(part) is tuple]
        listed = any(_fits(part, data) for item in inner for part in _parts(item))
        return f"write a list: [{show(data)}]" if listed else _as_text(parts, data)
    try:
        meant = plain_scalar(data)
    except ValueError:
        return ""
    if not isinstance(meant, str) and any(_fits(part, meant) for part in parts):
        return f"write {data} without quotes"
    return explain_text(data)


def _as_text(parts: list[Any], data: Any) -> str:
    plain = isinstance(data, (bool, int, float))
    return f'write it in quotes: "{show(data)}"' if plain and str in parts else ""
