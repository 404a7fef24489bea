"""`vars:` and `${name}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sidelight.recipe.budget import MAX_TEXT, Budget, Size, TooBigError
from sidelight.recipe.literal import refuse_variables
from sidelight.recipe.model import UNREADABLE, Entry, Value
from sidelight.recipe.wording import did_you_mean, listing, quoted, show

if TYPE_CHECKING:
    from sidelight.problems import Place, Problems

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WHOLE = re.compile(r"\$\{([^{}]*)\}")
_REFERENCE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<name>[^{}]*)\}|\$\{")
_MAX_CHAIN = 16
"""Variables that refer to one another."""


def fill_in(recipe: Value, problems: Problems) -> Value:
    """The recipe without `vars`, every `${name}` replaced.

    A value that is nothing but `${name}` becomes the variable's value with its type; inside longer text the value is
    written into the text. `$${` stands for the characters `${`. A variable may refer to others. Nothing else is
    looked up: no environment, no files. Variables fill parameters; they do not choose components.

    Args:
        recipe: a mapping.
        problems: gets unknown names, circles, and `TooBigError`s (then the answer is `UNREADABLE`).
    """
    defined = recipe.data.get("vars")
    rest = refuse_variables({key: entry for key, entry in recipe.data.items() if key != "vars"}, problems)
    try:
        return _Filling(_definitions(defined, problems), problems).value(Value(rest, recipe.place), 0)
    except TooBigError as error:
        problems.add(f"the recipe is too big: {error}", recipe.place)
        return Value(UNREADABLE, recipe.place)


def escape(text: str) -> str:
    """Text that `fill_in` turns back into `text`."""
    return text.replace("${", "$${")


def _definitions(defined: Entry | None, problems: Problems) -> dict[str, Entry]:
    if defined is None or defined.value.data is None or defined.value.data is UNREADABLE:
        return {}
    if not isinstance(defined.value.data, dict):
        problems.add(f"vars must be a mapping of names to values, got {show(defined.value)}", defined.value.place)
        return {}
    for name, entry in defined.value.data.items():
        if not NAME.fullmatch(name):
            problems.add(
                f"{quoted(name)} cannot name a variable",
                entry.key_place,
                expected="letters, digits, _ and -, not starting with a digit",
            )
    return defined.value.data


class _Filling:
    def __init__(self, definitions: dict[str, Entry], problems: Problems) -> None:
        self.definitions, self.problems = definitions, problems
        self.budget = Budget()
        self.known: dict[str, tuple[Value, Size]] = {}
        self.open: list[str] = []

    def value(self, value: Value, depth: int) -> Value:
        if isinstance(value.data, dict):
            self.budget.spend(depth)
            entries = {
                key: Entry(entry.key_place, self.value(entry.value, depth + 1)) for key, entry in value.data.items()
            }
            return Value(entries, value.place)
        if isinstance(value.data, tuple):
            self.budget.spend(depth)
            return Value(tuple(self.value(item, depth + 1) for item in value.data), value.place)
        return self.scalar(value, depth)

    def scalar(self, value: Value, depth: int) -> Value:
        whole = _WHOLE.fullmatch(value.data) if isinstance(value.data, str) else None
        if whole:
            found, size = self.lookup(whole[1], value.place)
            self.budget.spend(depth, size)
            return Value(found.data, value.place)
        self.budget.spend(depth)
        return Value(self.text(value.data, value.place), value.place) if isinstance(value.data, str) else value

    def text(self, text: str, place: Place) -> Any:
        """Text with every reference in it written out; `UNREADABLE` after a mistake."""
        parts: list[Any] = []
        end = 0
        for match in _REFERENCE.finditer(text):
            parts.append(text[end : match.start()])
            parts.append("${" if match["escaped"] else self.written(match["name"], place))
            end = match.end()
        filled = "".join((*parts, text[end:])) if None not in parts else UNREADABLE
        if isinstance(filled, str) and len(filled) > MAX_TEXT and parts:
            raise TooBigError(f"text of more than {MAX_TEXT} characters after variables were filled in")
        return filled

    def written(self, name: str | None, place: Place) -> Any:
        """How a variable's value is written into text; None after a mistake."""
        if name is None:
            self.problems.add('"${" is not closed', place, suggestion="write $${ where you mean the characters ${")
            return None
        data = self.lookup(name, place)[0].data
        if data is UNREADABLE:
            return None
        if data is None or isinstance(data, (dict, tuple)):
            self.problems.add(
                f"the variable {quoted(name)} is {show(data)} and cannot stand inside text",
                place,
                expected="a variable that holds text, a number or a boolean",
            )
            return None
        return data if isinstance(data, str) else show(data)

    def lookup(self, name: str, place: Place) -> tuple[Value, Size]:
        if name in self.known:
            return self.known[name]
        if name not in self.definitions:
            self.undefined(name, place)
        elif name in self.open or len(self.open) >= _MAX_CHAIN:
            chain = " -> ".join((*self.open[self.open.index(name) if name in self.open else 0 :], name))
            self.problems.add(f"variables refer to one another in a circle or too long a chain: {chain}", place)
        else:
            self.known[name] = self.define(name)
            return self.known[name]
        return Value(UNREADABLE, place), Size(1, 0)

    def define(self, name: str) -> tuple[Value, Size]:
        """A variable's own value, and its size once filled in."""
        outer, self.budget = self.budget, Budget()
        self.open.append(name)
        value = self.value(self.definitions[name].value, 0)
        self.open.pop()
        size = Size(self.budget.count, self.budget.deepest)
        self.budget = outer
        return value, size

    def undefined(self, name: str, place: Place) -> None:
        names = listing(self.definitions)
        self.problems.add(
            f"no variable {quoted(name)} is defined",
            place,
            expected=f"one of {names}" if names else "a vars section that defines it",
            suggestion=did_you_mean(name, self.definitions) or "write $${ where you mean the characters ${",
        )
