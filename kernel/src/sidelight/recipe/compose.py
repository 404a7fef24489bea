"""Composition of a recipe: files that extend one another, `--swap`, `--set`, `vars:` and `${name}`.

Everything here is a recipe laid over another, key by key, before anything is known of components.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs.documents import MAX_BYTES, UNREADABLE, Budget, Item, TooBigError, Value, read_plain, read_yaml
from sidelight_specs.files import read_regular
from sidelight_specs.problems import Place, Problems
from sidelight_specs.recipe import COMPONENT_KEYS, VARIABLE_NAME
from sidelight_specs.wording import did_you_mean, listing, quoted, show

from sidelight.recipe.model import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_EXTENDS = 8  # files in one chain
MAX_TEXT = 8192  # characters of one text after variables are filled in
_MAX_CHAIN = 16  # variables that refer to one another
_WHOLE = re.compile(r"\$\{([^{}]*)\}")
_REFERENCE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<name>[^{}]*)\}|\$\{")
_KEY = r'(?:"[^"]*"|[^".=]+)'
_SETTING = re.compile(rf"\s*({_KEY}(?:\.{_KEY})*)\s*=(.*)", re.DOTALL)


def compose(
    source: Path | str | Mapping[str, Any], set: Sequence[str], swap: Sequence[str], problems: Problems
) -> Value:
    """The recipe with all that it extends, swaps, sets and names; `UNREADABLE` where it could not be read at all.

    Args:
        source: a path, or plain Python values, whose `extends` is relative to the working folder.
        set: `explainers.a.with.steps=50`, the value in strict YAML. A key that holds a dot is written in quotes.
        swap: `generator=cdeepex/gan` (the recipe's only generator), `explainers.a=captum/saliency` or, where only
            one component has that id, `a=captum/saliency`.
        problems: gets every mistake.
    """
    if isinstance(source, Mapping):
        recipe = _with_bases(read_plain(source, problems), Path(), (), problems)
    else:
        recipe = _read_file(Path(source), (), problems, None)
    if not isinstance(recipe.data, dict):
        if recipe.data is not UNREADABLE:
            what = (
                "the recipe is empty" if recipe.data is None else f"a recipe is a mapping, this is {show(recipe.data)}"
            )
            problems.add(what, recipe.place, expected="keys such as recipe, data, classifier, explainers")
        return Value(UNREADABLE, recipe.place)
    for text in swap:
        recipe = merge(recipe, _swapped(recipe, text, problems))
    settings = Value({}, recipe.place)
    for text in set:
        settings = _merge_values(settings, _setting(text, problems))
    return fill_in(merge(recipe, settings), problems)


def _read_file(path: Path, chain: Sequence[Path], problems: Problems, extended_at: Place | None) -> Value:
    """A file merged with what it extends; a file that cannot be read is reported where it is extended."""
    place = extended_at or Place(str(path), rank=problems.next_rank())
    try:
        content = read_regular(path, MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else reason
        problems.add(f"the recipe {quoted(str(path))} cannot be read: {reason}", place, fix=_similar(path))
        return Value(UNREADABLE, place)
    if len(content) > MAX_BYTES:
        problems.add(f"the recipe {quoted(str(path))} is larger than {MAX_BYTES // 1024} KiB", place)
        return Value(UNREADABLE, place)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        start = before.rfind("\n") + 1
        line = before[start:] + content[error.start :].split(b"\n")[0].decode("utf-8", "replace").rstrip("\r")
        place = Place(str(path), before.count("\n") + 1, len(before) - start + 1, line, problems.next_rank())
        message = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        problems.add(message, place, fix="save the file as UTF-8 text")
        return Value(UNREADABLE, place)
    return _with_bases(read_yaml(text, str(path), problems), path.parent, (*chain, path.resolve()), problems)


def _with_bases(recipe: Value, folder: Path, chain: Sequence[Path], problems: Problems) -> Value:
    """`recipe` laid over what it extends."""
    if not isinstance(recipe.data, dict) or "extends" not in recipe.data:
        return recipe
    named = recipe.data["extends"].value
    if named.data is None:
        return recipe
    if not isinstance(named.data, str):
        problems.add(
            f"extends must name a recipe file, got {show(named.data)}", named.place, expected="a path, as text"
        )
        return Value(UNREADABLE, recipe.place)
    path = folder / named.data
    circle = _circle(path, chain)
    if circle:
        problems.add(circle, named.place)
        return Value(UNREADABLE, recipe.place)
    base = _read_file(path, chain, problems, named.place)
    return merge(base, recipe) if base.data is not UNREADABLE else base


def _circle(path: Path, chain: Sequence[Path]) -> str:
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):
        return ""  # reading it says why
    if resolved in chain:
        names = " -> ".join(link.name for link in (*chain[chain.index(resolved) :], resolved))
        return f"extends goes round in a circle: {names}"
    return f"extends goes through more than {MAX_EXTENDS} files" if len(chain) >= MAX_EXTENDS else ""


def _similar(path: Path) -> str:
    """The recipe that was meant: the name with its suffix, also in `recipes/`, or a similar name beside it."""
    try:
        named = path if path.suffix in (".yaml", ".yml") else path.with_name(f"{path.name}.yaml")
        for meant in (named, Path("recipes") / named):
            if meant != path and meant.is_file():
                return f"did you mean {quoted(str(meant))}?"
        recipes = (file for file in path.parent.iterdir() if file.suffix in (".yaml", ".yml"))
        names = [file.name for file in recipes if file.is_file() and file.name != path.name]
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {quoted(str(path.with_name(near[0])))}?" if near else ""


def is_component(data: Any) -> bool:
    """True if a section holds a single component, rather than a mapping of ids to components."""
    return isinstance(data, dict) and any(key in data for key in COMPONENT_KEYS)


def merge(base: Value, over: Value) -> Value:
    """The recipe `over`, with what it leaves out taken from `base`.

    Mappings merge key by key and everything else is replaced. A component whose `use` changes starts from an empty
    `with`. A section that changes from one component to a mapping of ids, or back, is replaced as a whole.
    `extends` is dropped: it has been followed.
    """
    merged = _merge_mappings(base, over, lambda key: _merge_section if key in SECTIONS else _merge_values)
    return Value({key: item for key, item in merged.data.items() if key != "extends"}, merged.place)


def _merge_mappings(base: Value, over: Value, rule: Callable[[str], Callable[[Value, Value], Value]]) -> Value:
    if not isinstance(base.data, dict) or not isinstance(over.data, dict):
        return over
    merged = dict(base.data)
    for key, item in over.data.items():
        value = rule(key)(base.data[key].value, item.value) if key in base.data else item.value
        merged[key] = Item(item.key_place, value)
    return Value(merged, over.place)


def _merge_values(base: Value, over: Value) -> Value:
    return _merge_mappings(base, over, lambda _: _merge_values)


def _merge_section(base: Value, over: Value) -> Value:
    if is_component(base.data) and is_component(over.data):
        return _merge_component(base, over)
    if is_component(base.data) or is_component(over.data):
        return over
    return _merge_mappings(base, over, lambda _: _merge_component)


def _merge_component(base: Value, over: Value) -> Value:
    if isinstance(base.data, dict) and isinstance(over.data, dict) and "use" in over.data:
        before = base.data.get("use")
        if before is None or before.value.data != over.data["use"].value.data:
            base = Value({key: item for key, item in base.data.items() if key != "with"}, base.place)
    return _merge_values(base, over)


def _setting(text: str, problems: Problems) -> Value:
    """The recipe that holds one setting alone."""
    file = f"--set {text}"
    match = _SETTING.fullmatch(text)
    if not match or match[1] == "extends":
        problems.add(
            "a setting names a key and its value" if not match else "extends is part of the recipe and cannot be set",
            Place(file, rank=problems.next_rank()),
            expected="KEY.KEY=VALUE, such as explainers.occlusion.with.patch=8",
        )
        return Value({}, Place(file))
    value = read_yaml(match[2].strip(), file, problems, one_line=True)
    return _nested([key.strip().strip('"') for key in re.findall(_KEY, match[1])], value)


def _nested(keys: Sequence[str], value: Value) -> Value:
    for key in reversed(keys):
        value = Value({key: Item(value.place, value)}, value.place)
    return value


def _swapped(recipe: Value, text: str, problems: Problems) -> Value:
    """The recipe that holds nothing but the exchanged `use`."""
    place = Place(f"--swap {text}", rank=problems.next_rank())
    name, equals, use = (part.strip() for part in text.partition("="))
    if not equals or not name or not use:
        message = "a swap names a role or an id, and the component to put there"
        problems.add(message, place, expected="ROLE_OR_ID=PLUGIN/COMPONENT")
        return Value({}, place)
    names = _swappable(recipe)
    matches = [keys for keys, called in names.items() if name in called]
    if len(matches) == 1:
        return _nested((*matches[0], "use"), Value(use, place))
    if matches:
        choices = listing(".".join(keys) for keys in matches)
        problems.add(f"{quoted(name)} could be any of {choices}", place, fix="name one of them")
    else:
        problems.add(
            f"the recipe has no component {quoted(name)} to swap",
            place,
            expected=listing(".".join(keys) for keys in names),
            fix=did_you_mean(name, dict.fromkeys(name for called in names.values() for name in called)),
        )
    return Value({}, place)


def _swappable(recipe: Value) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The keys that lead to each component of a recipe, to the names that `--swap` may call it by."""
    names: dict[tuple[str, ...], tuple[str, ...]] = {}
    for section, role in SECTIONS.items():
        item = recipe.data.get(section)
        if item is None or not isinstance(item.value.data, dict):
            continue
        if is_component(item.value.data):
            names[section,] = (role, section)
            continue
        for key, component in item.value.data.items():
            if component.value.data not in (None, UNREADABLE):
                names[section, key] = (role, section, key, f"{section}.{key}", f"{role}.{key}")
    return names


def fill_in(recipe: Value, problems: Problems) -> Value:
    """The recipe without `vars`, every `${name}` replaced.

    A value that is nothing but `${name}` becomes the variable's value with its type; inside longer text the value is
    written into the text. `$${` stands for the characters `${`. A variable may refer to others. Nothing else is
    looked up: no environment, no files. Variables fill parameters; they do not choose components.

    Args:
        recipe: a mapping.
        problems: gets unknown names, circles, and `TooBigError`s (then the answer is `UNREADABLE`).
    """
    rest = Value({key: item for key, item in recipe.data.items() if key != "vars"}, recipe.place)
    try:
        return _Filling(_definitions(recipe.data.get("vars"), problems), problems).value(rest, ())
    except TooBigError as error:
        problems.add(f"the recipe is too big: {error}", recipe.place)
        return Value(UNREADABLE, recipe.place)


def _definitions(defined: Item | None, problems: Problems) -> dict[str, Item]:
    if defined is None or defined.value.data is None or defined.value.data is UNREADABLE:
        return {}
    if not isinstance(defined.value.data, dict):
        problems.add(f"vars must be a mapping of names to values, got {show(defined.value.data)}", defined.value.place)
        return {}
    for name, item in defined.value.data.items():
        if not VARIABLE_NAME.fullmatch(name):
            expected = "letters, digits, _ and -, not starting with a digit"
            problems.add(f"{quoted(name)} cannot name a variable", item.key_place, expected=expected)
    return defined.value.data


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
        elif isinstance(data, str):
            whole = _WHOLE.fullmatch(data)
            data = self.lookup(whole[1], value.place, path) if whole else self.text(data, value.place, path)
        return Value(data, value.place)

    def text(self, text: str, place: Place, path: tuple[str | int, ...]) -> Any:
        """Text with every reference in it written out; `UNREADABLE` after a mistake."""
        parts: list[str | None] = []
        end = 0
        for match in _REFERENCE.finditer(text):
            parts += [text[end : match.start()], "${" if match["escaped"] else self.inline(match["name"], place, path)]
            end = match.end()
        if None in parts:
            return UNREADABLE
        filled = "".join((*filter(None, parts), text[end:]))
        if len(filled) > MAX_TEXT and parts:
            raise TooBigError(f"text of more than {MAX_TEXT} characters after variables were filled in")
        return filled

    def inline(self, name: str | None, place: Place, path: tuple[str | int, ...]) -> str | None:
        """A variable's value as text; None after a mistake."""
        if name is None:
            self.problems.add('"${" is not closed', place, fix="write $${ where you mean the characters ${")
            return None
        data = self.lookup(name, place, path)
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

    def lookup(self, name: str, place: Place, path: tuple[str | int, ...]) -> Any:
        """The data of a variable; `UNREADABLE` after a mistake."""
        if name not in self.definitions:
            self.problems.add(
                f"no variable {quoted(name)} is defined",
                place,
                expected=f"one of {listing(self.definitions)}"
                if self.definitions
                else "a vars section that defines it",
                fix=did_you_mean(name, self.definitions) or "write $${ where you mean the characters ${",
            )
            return UNREADABLE
        if name in self.open or len(self.open) >= _MAX_CHAIN:
            chain = " -> ".join((*self.open[self.open.index(name) if name in self.open else 0 :], name))
            self.problems.add(f"variables refer to one another in a circle or too long a chain: {chain}", place)
            return UNREADABLE
        self.open.append(name)
        value = self.value(self.definitions[name].value, path)
        self.open.pop()
        return value.data
