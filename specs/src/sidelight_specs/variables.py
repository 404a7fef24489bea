"""Variables of a recipe: `vars:` and `${name}`, filled in once it is composed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sidelight_specs.documents import UNREADABLE, Budget, Item, TooBigError, Value, items_of
from sidelight_specs.recipe import VARIABLE_NAME
from sidelight_specs.roles import SECTIONS
from sidelight_specs.wording import did_you_mean, listing, quoted, show

if TYPE_CHECKING:
    from sidelight_specs.problems import Place, Problems

MAX_TEXT = 8192  # characters of one text after variables are filled in
_MAX_CHAIN = 16  # variables that refer to one another
_WHOLE = re.compile(r"\$\{([^{}]*)\}")
_REFERENCE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<name>[^{}]*)\}|\$\{")


def fill_in(recipe: Value, problems: Problems) -> Value:
    """The recipe without `vars` and `extends`, which has been followed, every `${name}` replaced.

    A value that is nothing but `${name}` becomes the variable's value with its type; inside longer text the value is
    written into the text. `$${` stands for the characters `${`. A variable may refer to others. Nothing else is
    looked up: no environment, no files. Variables fill parameters; they do not choose components.

    Args:
        recipe: a mapping.
        problems: gets unknown names, circles, and `TooBigError`s (then the answer is `UNREADABLE`).
    """
    rest = {key: item for key, item in recipe.data.items() if key not in ("vars", "extends")}
    try:
        return _Filling(_definitions(recipe.data.get("vars"), problems), problems).value(Value(rest, recipe.place), ())
    except TooBigError as error:
        problems.add(f"the recipe is too big: {error}", recipe.place)
        return Value(UNREADABLE, recipe.place)


def _definitions(item: Item | None, problems: Problems) -> dict[str, Item]:
    """The variables; what is wrong with them is noted."""
    variables = items_of(item, "vars", problems)
    for name, variable in variables.items():
        if not VARIABLE_NAME.fullmatch(name):
            expected = "letters, digits, _ and -, not starting with a digit"
            problems.add(f"{quoted(name)} cannot name a variable", variable.key_place, expected=expected)
    return variables


def _chooses_component(path: tuple[str | int, ...]) -> bool:
    """True of a section, a component in it and its `use`: a recipe that extends another compares what these say.

    Variables are filled in after that; so nothing of it may be one.
    """
    if not path or path[0] not in SECTIONS or path[1:2] in (("with",), ("needs",)):
        return False
    return len(path) <= 2 or (len(path) == 3 and path[2] == "use")


class _Filling:
    """Variables are filled in anew wherever they are used: so the budget counts what is written out."""

    def __init__(self, definitions: dict[str, Item], problems: Problems) -> None:
        self.definitions, self.problems = definitions, problems
        self.budget = Budget()
        self.open: list[str] = []  # the variables being filled in, outermost first

    def value(self, value: Value, path: tuple[str | int, ...]) -> Value:
        self.budget.spend(len(path))
        data = value.data
        if isinstance(data, dict):
            data = {key: Item(item.key_place, self.value(item.value, (*path, key))) for key, item in data.items()}
        elif isinstance(data, tuple):
            data = tuple(self.value(item, (*path, index)) for index, item in enumerate(data))
        elif isinstance(data, str) and "${" in data and _chooses_component(path):
            message = f"a variable cannot choose a component: {show(data)}"
            self.problems.add(message, value.place, fix="write the component out; --swap exchanges it")
            data = UNREADABLE
        elif isinstance(data, str) and "${" in data:
            whole = _WHOLE.fullmatch(data)
            data = self.lookup(whole[1], value.place, path) if whole else self.text(data, value.place, path)
        return Value(data, value.place)

    def text(self, text: str, place: Place, path: tuple[str | int, ...]) -> Any:
        """Text with every reference in it written out; `UNREADABLE` after a mistake."""
        parts = [self.inline(match, place, path) for match in _REFERENCE.finditer(text)]
        if UNREADABLE in parts:
            return UNREADABLE
        written = iter(parts)
        filled = _REFERENCE.sub(lambda _: next(written), text)
        if len(filled) > MAX_TEXT:
            raise TooBigError(f"text of more than {MAX_TEXT} characters after variables were filled in")
        return filled

    def inline(self, match: re.Match[str], place: Place, path: tuple[str | int, ...]) -> Any:
        """One reference as text; `UNREADABLE` after a mistake."""
        name = match["name"]
        if match["escaped"]:
            return "${"
        if name is None:
            self.problems.add('"${" is not closed', place, fix="write $${ where you mean the characters ${")
            return UNREADABLE
        data = self.lookup(name, place, path)
        if data is None or isinstance(data, (dict, tuple)):
            message = f"the variable {quoted(name)} is {show(data)} and cannot stand inside text"
            self.problems.add(message, place, expected="a variable that holds text, a number or a boolean")
            return UNREADABLE
        return data if isinstance(data, str) or data is UNREADABLE else show(data)

    def lookup(self, name: str, place: Place, path: tuple[str | int, ...]) -> Any:
        """The data of a variable; `UNREADABLE` after a mistake."""
        known = self.definitions
        if name not in known:
            expected = f"one of {listing(known)}" if known else "a vars section that defines it"
            fix = did_you_mean(name, known) or "write $${ where you mean the characters ${"
            self.problems.add(f"no variable {quoted(name)} is defined", place, expected=expected, fix=fix)
            return UNREADABLE
        if name in self.open or len(self.open) >= _MAX_CHAIN:
            chain = " -> ".join((*self.open[self.open.index(name) if name in self.open else 0 :], name))
            self.problems.add(f"variables refer to one another in a circle or too long a chain: {chain}", place)
            return UNREADABLE
        self.open.append(name)
        value = self.value(known[name].value, path)
        self.open.pop()
        return value.data
