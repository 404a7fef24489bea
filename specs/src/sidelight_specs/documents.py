"""Documents that a user wrote, read strictly: YAML text or plain Python values, as values that know their places.

One document, no tags, anchors or aliases, no key twice, `true` and `false` only; every mistake is collected in
`Problems`, and reading goes on behind it. PyYAML's events are read, not its nodes: these no longer show a bare `!`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import yaml
from attrs import frozen

from sidelight_specs.files import nearest_file, read_regular
from sidelight_specs.params import Param, ParamType, describe
from sidelight_specs.problems import Place, Problems
from sidelight_specs.wording import did_you_mean, listing, quoted, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

MAX_BYTES = 256 * 1024
MAX_VALUES = 20_000
MAX_DEPTH = 32
MAX_DIGITS = 300  # longer numbers overflow a float and take quadratic time to read
SOURCE = "the recipe given as a dict"

_SUFFIXES = (".yaml", ".yml")
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what PyYAML counts as the end of a line
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan")
_BOOLEANS = dict.fromkeys(("yes", "y", "on", "true"), "true") | dict.fromkeys(("no", "n", "off", "false"), "false")


class _Unreadable:
    """The type of `UNREADABLE`."""

    def __repr__(self) -> str:
        return "UNREADABLE"


UNREADABLE = _Unreadable()
"""The data of a value whose mistake has been reported; later checks pass over it in silence."""


@frozen
class Value:
    """A plain value with its place.

    Args:
        data: None, bool, int, float, str, a tuple of `Value`, a dict from str to `Item`, or `UNREADABLE`.
        place: where it starts.
    """

    data: Any
    place: Place


@frozen
class Item:
    """One key of a mapping and its value."""

    key_place: Place
    value: Value


class TooBigError(Exception):
    """A limit was passed. The message says which."""


class Budget:
    """Counts the values of a document, so that a hostile one costs no more than an error."""

    def __init__(self) -> None:
        self.count = 0

    def spend(self, depth: int) -> None:
        """Account for one value at this depth.

        Raises:
            TooBigError: there are too many values, or they are nested too deeply.
        """
        self.count += 1
        if self.count > MAX_VALUES:
            raise TooBigError(f"more than {MAX_VALUES} values, counting every variable as written out")
        if depth > MAX_DEPTH:
            raise TooBigError(f"nested more than {MAX_DEPTH} levels deep")


def read_yaml(text: str, file: str, problems: Problems, *, one_line: bool = False) -> Value:
    """Read one YAML document; `UNREADABLE` when the text is no YAML, or more than the limits allow.

    Args:
        text: the document.
        file: what to call it in places.
        problems: gets every mistake.
        one_line: the text is a value from the command line, whose places have no line and column.
    """
    reader = _YamlReader(text, file, problems, one_line)
    try:
        return reader.document()
    except TooBigError as error:
        problems.add(f"the document is too big: {error}", reader.here)
    except (yaml.YAMLError, ValueError) as error:  # a ValueError comes from an escape beyond the last character
        position, message, fix = _syntax_mistake(error, text)
        problems.add(message, reader.at(*position) if position else reader.here, fix=fix)
    return Value(UNREADABLE, reader.at(0, 0))


def read_yaml_file(
    path: Path, problems: Problems, *, noun: str = "recipe", place: Place | None = None, folder: Path | None = None
) -> Value:
    """Read the YAML document in a file; `UNREADABLE` after a mistake.

    Args:
        path: of the file.
        problems: gets every mistake.
        noun: what the file is, for messages.
        place: where the user named the file; its path is what a mistake is reported at otherwise.
        folder: where such files usually lie: one that is meant is looked for there as well.
    """
    place = place or Place(str(path), rank=problems.next_rank())
    unreadable = Value(UNREADABLE, place)
    try:
        content = read_regular(path, MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else reason
        message = f"the {noun} {quoted(str(path))} cannot be read: {reason}"
        problems.add(message, place, fix=_file_meant(path, folder))
        return unreadable
    if len(content) > MAX_BYTES:
        problems.add(f"the {noun} {quoted(str(path))} is larger than {MAX_BYTES // 1024} KiB", place)
        return unreadable
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        start = before.rfind("\n") + 1
        line = before[start:] + content[error.start :].split(b"\n")[0].decode("utf-8", "replace").rstrip("\r")
        place = Place(str(path), before.count("\n") + 1, len(before) - start + 1, line, problems.next_rank())
        message = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        problems.add(message, place, fix="save the file as UTF-8 text")
        return unreadable
    return read_yaml(text, str(path), problems)


def _file_meant(path: Path, folder: Path | None) -> str:
    """The file that was meant: the name with its suffix, also in the usual folder, or a similar name beside it."""
    try:
        named = path if path.suffix in _SUFFIXES else path.with_name(f"{path.name}.yaml")
        candidates = [named, *([folder / named] if folder else [])]
        meant = next((one for one in candidates if one != path and one.is_file()), None)
    except (OSError, ValueError):  # a name that no file can have
        return ""
    meant = meant or nearest_file(path, _SUFFIXES)
    return f"did you mean {quoted(str(meant))}?" if meant else ""


class _YamlReader:
    def __init__(self, text: str, file: str, problems: Problems, one_line: bool) -> None:
        self.text, self.file, self.problems, self.one_line = text, file, problems, one_line
        self.lines = _LINE_BREAK.split(text)
        self.rank = problems.next_rank()
        self.budget = Budget()
        self.anchors: set[str] = set()
        self.here = self.at(0, 0)

    def at(self, line: int, column: int) -> Place:
        """The place of a position counted from 0."""
        if self.one_line:
            return Place(self.file, rank=self.rank)
        return Place(self.file, line + 1, column + 1, self.lines[min(line, len(self.lines) - 1)], self.rank)

    def events(self) -> Iterator[Any]:
        for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
            mark: Any = event.start_mark
            self.here = self.at(mark.line, mark.column)
            yield event

    def document(self) -> Value:
        events, root, documents = self.events(), Value(None, self.here), 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents == 2:
                    self.problems.add("only one document is read; a second one starts here", self.here)
                    break
                root = self.value(next(events), events, 0)
        return root

    def value(self, event: Any, events: Iterator[Any], depth: int) -> Value:
        place = self.here
        self.budget.spend(depth)
        if isinstance(event, yaml.SequenceStartEvent):
            data: Any = tuple(self.items(events, depth + 1))
        elif isinstance(event, yaml.MappingStartEvent):
            data = self.mapping(events, depth + 1)
        else:
            data = UNREADABLE if isinstance(event, yaml.AliasEvent) else self.scalar(event, place)
        if event.anchor is not None and event.anchor not in self.anchors:  # an alias names its anchor as well
            self.anchors.add(event.anchor)
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            self.problems.add(
                f"anchors and aliases are not read: {quoted(sign + event.anchor)}",
                place,
                fix="write the value out, or give it a name under vars",
            )
        if getattr(event, "tag", None) is not None:
            self.problems.add(
                f"the tag {quoted(event.tag)} is not read", place, fix="only plain data is read; remove the tag"
            )
            data = UNREADABLE
        return Value(data, place)

    def scalar(self, event: Any, place: Place) -> Any:
        try:
            data = event.value if event.style else plain_scalar(event.value)
        except ValueError as error:
            reason = str(error)
        else:
            reason = unfit(data) if isinstance(data, str) else ""
        if reason:
            self.problems.add(reason, place)
        return UNREADABLE if reason else data

    def items(self, events: Iterator[Any], depth: int) -> Iterator[Value]:
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            yield self.value(event, events, depth)

    def mapping(self, events: Iterator[Any], depth: int) -> dict[str, Item]:
        items: dict[str, Item] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self.value(event, events, depth)
            value = self.value(next(events), events, depth)
            if key.data is UNREADABLE or self.is_wrong_key(event, key):
                continue
            if key.data not in items:
                items[key.data] = Item(key.place, value)
                continue
            line = items[key.data].key_place.line
            self.problems.add(
                f"the key {quoted(key.data)} is given twice" + (f"; it stands in line {line} already" if line else ""),
                key.place,
                fix="give one of them another name, or take it out",
            )
        return items

    def is_wrong_key(self, event: Any, key: Value) -> bool:
        """True unless a key is text; the mistake is noted."""
        message, fix = "", ""
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and not event.style:
            message, fix = 'merge keys ("<<") are not read', "use extends, or a variable from vars"
        elif not isinstance(event, yaml.ScalarEvent) or key.data is None:
            message = "a key must be text"
        elif not isinstance(key.data, str):
            message, fix = f"the key {event.value} is not text", f'write "{event.value}"'
        if message:
            self.problems.add(message, key.place, fix=fix)
        return bool(message)


_HINTS = {  # what PyYAML says, and what helps
    "mapping values are not allowed": 'text that contains ": " needs quotes; or the line is indented wrongly',
    "could not find expected ':'": "a key is followed by a colon and a space",
    "expected <block end>": "the line is indented differently from its neighbours, or the line before is unfinished",
    "found unexpected end of stream": "a quote or bracket is not closed",
    "but got '<stream end>'": "a quote or bracket is not closed",
    "found unknown escape character": "use single quotes, in which a backslash is a backslash",
    "cannot start any token": "put the text in quotes",
}


def _syntax_mistake(error: Exception, text: str) -> tuple[tuple[int, int] | None, str, str]:
    """Position (line and column from 0, where known), message and hint for what PyYAML raised."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        position = before.count("\n"), len(before) - before.rfind("\n") - 1
        return position, f"the character U+{ord(text[error.position]):04X} is not allowed", ""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return None, f"this is not valid YAML: {error}", ""
    mark, problem = error.problem_mark, error.problem or "it cannot be read"
    if "'\\t'" in problem:
        return (mark.line, mark.column), "a tab cannot indent a line", "use spaces"
    if text[mark.index - 1 : mark.index + 1] == "${":
        message = "a variable inside braces or brackets needs quotes"
        return (mark.line, mark.column - 1), message, 'write "${name}"'
    context = f" ({error.context})" if error.context else ""
    hint = next((hint for fragment, hint in _HINTS.items() if fragment in problem), "")
    return (mark.line, mark.column), f"this is not valid YAML: {problem}{context}", hint


def plain_scalar(text: str) -> bool | int | float | str | None:
    """The value of an unquoted word: numbers, booleans and null have one spelling each (YAML 1.2's), the rest is text.

    Raises:
        ValueError: a number of more than `MAX_DIGITS` characters.
    """
    if text in _WORDS:
        return _WORDS[text]
    integer = _INTEGER.fullmatch(text)
    if not integer and not _FLOAT.fullmatch(text):
        return text
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} characters is too long; at most {MAX_DIGITS} are read")
    return int(text) if integer else float(text.replace(".inf", "inf").replace(".nan", "nan"))


def explain_text(text: str) -> str:
    """The reason why `text` is text although it resembles a number, a boolean or null; empty when it resembles none."""
    word = text.lower()
    if word in _BOOLEANS:
        return f"only true and false are booleans; write {_BOOLEANS[word]}"
    if word in ("null", "none", "nil"):
        return "the empty value is written null"
    if re.fullmatch(r"[-+]?[0-9]+(:[0-9]+)+(\.[0-9]*)?", text):
        return "there are no base-60 numbers; write the number out"
    number = _decimal(text)
    return f"numbers are decimal, without leading zeros, separators or commas; write {number}" if number else ""


def _decimal(text: str) -> str:
    """A plain decimal spelling of what resembles a number; empty when it does not."""
    if len(text) > MAX_DIGITS:
        return ""
    if re.fullmatch(r"[-+]?0([xX][0-9a-fA-F_]+|[oO][0-7_]+|[bB][01_]+)", text):
        try:
            return str(int(text, 0))
        except ValueError:  # underscores in the wrong places
            return ""
    if re.fullmatch(r"[-+]?[0-9][0-9_]*([.,][0-9]+)?([eE][-+]?[0-9]+)?", text):
        sign = text[0] if text[0] in "+-" else ""
        return sign + (re.sub(r"^0+(?=[0-9])", "", text.lstrip("+-").replace("_", "").replace(",", ".")))
    return ""


def unfit(text: str) -> str:
    """Reason why a document cannot hold a string; empty when it can."""
    if "\0" in text:
        return "text must not contain the null character"
    return "text must not contain half of a surrogate pair" if re.search("[\ud800-\udfff]", text) else ""


def read_plain(document: Mapping[str, Any], problems: Problems, source: str = SOURCE) -> Value:
    """The values of a document given as a dict; `UNREADABLE` when it is larger than the limits allow (or holds itself).

    Places name the path of a value: `the recipe given as a dict, at explainers.a.with.steps`.
    """
    budget = Budget()

    def read(data: Any, path: str, depth: int) -> Value:
        budget.spend(depth)
        place = Place(f"{source}, at {path}" if path else source, rank=problems.next_rank())
        return _plain_value(data, place, problems, lambda item, key: read(item, f"{path}.{key}".lstrip("."), depth + 1))

    try:
        return read(document, "", 0)
    except TooBigError as error:
        problems.add(f"the document is too big: {error}", Place(source))
        return Value(UNREADABLE, Place(source))


def _plain_value(data: Any, place: Place, problems: Problems, below: Callable[[Any, Any], Value]) -> Value:
    """A value with its place; `below` reads what a mapping or list holds under a key."""
    if isinstance(data, Mapping):
        items = {}
        for key, item in data.items():
            reason = unfit(key) if isinstance(key, str) else f"the key {show(key)} is not text"
            if reason:
                problems.add(reason, place)
            else:
                value = below(item, key)
                items[str.__str__(key)] = Item(value.place, value)
        return Value(items, place)
    if isinstance(data, (list, tuple)):
        return Value(tuple(below(item, index) for index, item in enumerate(data)), place)
    plain, reason = _plain_scalar(data)
    if reason:
        problems.add(reason, place, expected="a bool, int, float, str, list, dict or None")
    return Value(UNREADABLE if reason else plain, place)


def _plain_scalar(data: Any) -> tuple[bool | int | float | str | None, str]:
    """A scalar without the subclass that it may be of (numpy.float64 is one of float), and why it cannot be kept."""
    if data is None or isinstance(data, bool):
        return data, ""
    if isinstance(data, float):
        return float(data), ""
    if isinstance(data, str):
        return str.__str__(data), unfit(data)
    if isinstance(data, int):
        too_long = abs(data) >= 10**MAX_DIGITS
        return int(data), f"a number of more than {MAX_DIGITS} digits is not read" if too_long else ""
    kind = quoted(f"{type(data).__module__}.{type(data).__qualname__}")
    return None, f"a value of type {kind} is not read"


def to_plain(value: Value) -> Any:
    """Dicts, lists and scalars without places."""
    if isinstance(value.data, dict):
        return {key: to_plain(item.value) for key, item in value.data.items()}
    if isinstance(value.data, tuple):
        return [to_plain(item) for item in value.data]
    return value.data


def refuse(
    value: Value, subject: str, problems: Problems, *, expected: str = "", fix: str = "", help: str = ""
) -> None:
    """Note that a value is wrong, `the seed is -1`, unless its own mistake has been noted."""
    if value.data is not UNREADABLE:
        problems.add(f"{subject} is {show(value.data)}", value.place, expected=expected, fix=fix, help=help)


def items_of(value: Value | Item | None, subject: str, problems: Problems) -> dict[str, Item]:
    """The items of a mapping that may be left out or empty; what is none is noted."""
    value = value.value if isinstance(value, Item) else value
    if value is None or value.data is None:
        return {}
    if isinstance(value.data, dict):
        return value.data
    refuse(value, subject, problems, expected="a mapping of names to values")
    return {}


def read_params(cls: type, items: dict[str, Item], owner: str, place: Place | None, problems: Problems) -> Any:
    """An instance of a params class, or None when something is wrong.

    Args:
        cls: a class made by `sidelight_specs.params`.
        items: what the document gives, by name.
        owner: what the parameters belong to, for messages: `captum/occlusion`.
        place: where to report a parameter that is missing.
        problems: gets every mistake.
    """
    known = {param.name: param for param in describe(cls)}
    values = {}
    for name, item in items.items():
        if name in known:
            values[name] = _param_value(known[name], item.value, owner, problems)
        else:
            problems.add(
                f"{owner} has no parameter {quoted(name)}",
                item.key_place,
                expected=f"one of {listing(known)}" if known else "no parameters",
                fix=did_you_mean(name, known),
            )
            values[name] = UNREADABLE
    for name, param in known.items():
        if name not in values:
            values[name] = _default(param, owner, place, problems)
    if any(value is UNREADABLE for value in values.values()):
        return None
    try:
        return cls(**values)
    except Exception as error:  # a plugin's own validator may raise anything
        problems.add(f"{owner} refuses these parameters: {error or type(error).__name__}", place)
        return None


def _default(param: Param, owner: str, place: Place | None, problems: Problems) -> Any:
    """A default as reading it would give it: floats as floats, lists as tuples."""
    if param.default is not attrs.NOTHING:
        return param.type.read(param.default, lambda _, data, __: data)
    message = f"{owner} needs the parameter {quoted(param.name)}"
    problems.add(message, place, expected=param.type.words(), help=param.help)
    return UNREADABLE


def _param_value(param: Param, value: Value, owner: str, problems: Problems) -> Any:
    """The value of one parameter, or `UNREADABLE` after all that is wrong with it has been noted."""
    refused = []

    def note(path: tuple[str | int, ...], data: Any, kind: ParamType) -> Any:
        refused.append(path)
        subject, expected = f"{quoted('.'.join(map(str, (param.name, *path))))} of {owner}", param.type.words()
        wrong = Value(data, _at(value, path))
        refuse(wrong, subject, problems, expected=expected, fix=_correction(kind, data), help=param.help)
        return UNREADABLE

    result = param.type.read(to_plain(value), note)
    return UNREADABLE if refused else result


def _at(value: Value, path: Iterable[str | int]) -> Place:
    for key in path:
        value = value.data[key].value if isinstance(value.data, dict) else value.data[key]
    return value.place


def _correction(kind: ParamType, data: Any) -> str:
    """Spelling of what was probably meant by a value that a type refuses."""
    words = [choice for choice in kind.choices if isinstance(choice, str)]
    if isinstance(data, str) and words:
        return did_you_mean(data, words)
    if not isinstance(data, str):
        if any(option.kind == "list" and option.inner[0].fits(data) for option in kind.alternatives):
            return f"write a list: [{show(data)}]"
        texts = isinstance(data, (bool, int, float)) and any(option.kind == "str" for option in kind.alternatives)
        return f'write it in quotes: "{show(data)}"' if texts else ""
    try:
        meant = plain_scalar(data)
    except ValueError:
        return ""
    return f"write {data} without quotes" if not isinstance(meant, str) and kind.fits(meant) else explain_text(data)
