"""The parts of a recipe that no variable may fill: which components there are.

A recipe that extends another compares what both `use`, before variables are filled in; so they must be written out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from sidelight.problems import Problems
from sidelight.recipe.merge import is_component
from sidelight.recipe.model import SECTIONS, UNREADABLE, Entry, Value
from sidelight.recipe.wording import show

if TYPE_CHECKING:
    from collections.abc import Callable


def refuse_variables(recipe: dict[str, Entry], problems: Problems) -> dict[str, Entry]:
    """The recipe with `UNREADABLE` where a section, a component or a `use` holds a variable."""
    refusal = _Refusal(problems)
    return {key: refusal.checked(entry, refusal.section) if key in SECTIONS else entry for key, entry in recipe.items()}


@frozen
class _Refusal:
    problems: Problems

    def section(self, value: Value) -> Value:
        return self.component(value) if is_component(value.data) else self.each(value, self.component)

    def component(self, value: Value) -> Value:
        if not isinstance(value.data, dict) or "use" not in value.data:
            return value
        return Value({**value.data, "use": self.checked(value.data["use"], lambda use: use)}, value.place)

    def each(self, value: Value, how: Callable[[Value], Value]) -> Value:
        if not isinstance(value.data, dict):
            return value
        return Value({key: self.checked(entry, how) for key, entry in value.data.items()}, value.place)

    def checked(self, entry: Entry, how: Callable[[Value], Value]) -> Entry:
        value = entry.value
        if not isinstance(value.data, str) or "${" not in value.data:
            return Entry(entry.key_place, how(value))
        self.problems.add(
            f"a variable cannot choose a component: {show(value)}",
            value.place,
            suggestion="write the component out; --swap exchanges it",
        )
        return Entry(entry.key_place, Value(UNREADABLE, value.place))
