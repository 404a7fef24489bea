"""Plain Python values, as the Python API takes them, to and from values with places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sidelight.problems import Place
from sidelight.recipe.budget import Budget, TooBigError
from sidelight.recipe.model import UNREADABLE, Entry, Value
from sidelight.recipe.scalars import MAX_DIGITS
from sidelight.recipe.wording import quoted, show
from sidelight.recipe.yaml_reader import unfit

if TYPE_CHECKING:
    from sidelight.problems import Problems

SOURCE = "the recipe given as a dict"


def read_plain(recipe: Mapping[str, Any], problems: Problems) -> Value:
    """The values of a recipe given as a dict; `UNREADABLE` when it is larger than the limits allow (or holds itself).

    Places name the path of a value: `the recipe given as a dict, at explainers.a.with.steps`.
    """
    try:
        return _Walk(problems).value(recipe, (), 0)
    except TooBigError as error:
        place = Place(SOURCE)
        problems.add(f"the recipe is too big: {error}", place)
        return Value(UNREADABLE, place)


class _Walk:
    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.budget = Budget()

    def value(self, found: Any, path: tuple[str, ...], depth: int) -> Value:
        self.budget.spend(depth)
        place = Place(f"{SOURCE}, at {'.'.join(path)}" if path else SOURCE, rank=self.problems.next_rank())
        if isinstance(found, Mapping):
            return Value(self.mapping(found, path, depth + 1, place), place)
        if isinstance(found, (list, tuple)):
            items = (self.value(item, (*path, str(index)), depth + 1) for index, item in enumerate(found))
            return Value(tuple(items), place)
        return Value(self.scalar(found, place), place)

    def mapping(self, found: Mapping[Any, Any], path: tuple[str, ...], depth: int, place: Place) -> dict[str, Entry]:
        entries = {}
        for key, item in found.items():
            reason = unfit(key) if isinstance(key, str) else f"the key {show(key)} is not text"
            if reason:
                self.problems.add(reason, place)
                continue
            value = self.value(item, (*path, key), depth)
            entries[str.__str__(key)] = Entry(value.place, value)
        return entries

    def scalar(self, found: Any, place: Place) -> Any:
        if found is None or isinstance(found, bool):
            return found
        if isinstance(found, float):
            return float(found)
        reason: str
        plain: str | int | None
        if isinstance(found, str):
            reason, plain = unfit(found), str.__str__(found)
        elif isinstance(found, int):
            too_long = abs(found) >= 10**MAX_DIGITS
            reason, plain = f"a number of more than {MAX_DIGITS} digits is not read" if too_long else "", int(found)
        else:
            kind = quoted(f"{type(found).__module__}.{type(found).__qualname__}")
            reason, plain = f"a value of type {kind} is not read", None
        if reason:
            self.problems.add(reason, place, expected="a bool, int, float, str, list, dict or None")
        return UNREADABLE if reason else plain


def to_plain(value: Value) -> Any:
    """Dicts, lists and scalars without places."""
    if isinstance(value.data, dict):
        return {key: to_plain(entry.value) for key, entry in value.data.items()}
    if isinstance(value.data, tuple):
        return [to_plain(item) for item in value.data]
    return value.data
