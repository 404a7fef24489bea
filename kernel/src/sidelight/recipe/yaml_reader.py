"""YAML text to values with places. Strict: one document, no tags, no duplicate keys, `true` and `false` only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from sidelight.problems import Place
from sidelight.recipe.budget import Budget, Size, TooBigError
from sidelight.recipe.model import UNREADABLE, Entry, Value
from sidelight.recipe.scalars import plain_scalar
from sidelight.recipe.wording import quoted
from sidelight.recipe.yaml_errors import describe_syntax_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight.problems import Problems

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


def read_yaml(text: str, file: str, problems: Problems, *, one_line: bool = False) -> Value:
    """Read one YAML document; `UNREADABLE` when the text is no YAML, or more than the limits allow.

    Args:
        text: the document.
        file: what to call it in places.
        problems: gets every mistake.
        one_line: the text is a value from the command line, whose places have no line and column.
    """
    return _Document(text, file, problems, one_line).read()


def unfit(text: str) -> str:
    """Why a string cannot be kept in a recipe; empty when it can."""
    if "\0" in text:
        return "text must not contain the null character"
    return "text must not contain half of a surrogate pair" if re.search("[\ud800-\udfff]", text) else ""


class _Document:
    def __init__(self, text: str, file: str, problems: Problems, one_line: bool) -> None:
        self.text, self.file, self.problems, self.one_line = text, file, problems, one_line
        self.lines = _LINE_BREAK.split(text)
        self.rank = problems.next_rank()
        self.budget = Budget()
        self.anchors: dict[str, tuple[Value, Size]] = {}
        self.here = self.at(0, 0)

    def read(self) -> Value:
        try:
            return self.document(self.events())
        except TooBigError as error:
            self.problems.add(f"the recipe is too big: {error}", self.here)
        except (yaml.YAMLError, ValueError) as error:
            found = describe_syntax_error(error, self.text)
            place = self.at(*found.position) if found.position else self.here
            self.problems.add(found.message, place, suggestion=found.suggestion)
        return Value(UNREADABLE, self.at(0, 0))

    def events(self) -> Iterator[Any]:
        for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
            self.here = self.place(event.start_mark)
            yield event

    def at(self, line: int, column: int) -> Place:
        """The place of a position counted from 0."""
        if self.one_line:
            return Place(self.file, rank=self.rank)
        return Place(self.file, line + 1, column + 1, self.lines[min(line, len(self.lines) - 1)], self.rank)

    def place(self, mark: Any) -> Place:
        return self.at(mark.line, mark.column)

    def document(self, events: Iterator[Any]) -> Value:
        root = Value(None, self.here)
        documents = 0
        for event in events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            documents += 1
            if documents == 2:
                self.problems.add("a recipe is one document; a second one starts here", self.here)
                break
            root = self.value(next(events), events, 0)
        return root

    def value(self, event: Any, events: Iterator[Any], depth: int) -> Value:
        place = self.place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, place, depth)
        count, deepest = self.budget.count, self.budget.deepest
        self.budget.deepest = depth
        self.budget.spend(depth)
        data = self.data(event, events, depth, place)
        if event.tag is not None:
            self.problems.add(
                f"the tag {quoted(event.tag)} is not read", place, suggestion="recipes hold plain data; remove the tag"
            )
            data = UNREADABLE
        found = Value(data, place)
        if event.anchor:
            self.anchors[event.anchor] = found, Size(self.budget.count - count, self.budget.deepest - depth)
        self.budget.deepest = max(deepest, self.budget.deepest)
        return found

    def alias(self, event: Any, place: Place, depth: int) -> Value:
        if event.anchor not in self.anchors:
            self.problems.add(f"the alias {quoted('*' + event.anchor)} comes before the end of any such anchor", place)
            return Value(UNREADABLE, place)
        value, size = self.anchors[event.anchor]
        self.budget.spend(depth, size)
        return value

    def data(self, event: Any, events: Iterator[Any], depth: int, place: Place) -> Any:
        if isinstance(event, yaml.SequenceStartEvent):
            return tuple(self.items(events, depth + 1))
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(events, depth + 1)
        try:
            data = event.value if event.style else plain_scalar(event.value)
        except ValueError as error:
            self.problems.add(str(error), place)
            return UNREADABLE
        reason = unfit(data) if isinstance(data, str) else ""
        if reason:
            self.problems.add(reason, place)
            return UNREADABLE
        return data

    def items(self, events: Iterator[Any], depth: int) -> Iterator[Value]:
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            yield self.value(event, events, depth)

    def mapping(self, events: Iterator[Any], depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self.value(event, events, depth)
            value = self.value(next(events), events, depth)
            name = self.key(event, key)
            if name is None:
                continue
            if name in entries:
                first = entries[name].key_place.line
                where = f"; it stands in line {first} already" if first else ""
                self.problems.add(
                    f"the key {quoted(name)} is given twice{where}",
                    key.place,
                    suggestion="give one of them another name, or take it out",
                )
                continue
            entries[name] = Entry(key.place, value)
        return entries

    def key(self, event: Any, key: Value) -> str | None:
        if key.data is UNREADABLE:
            return None
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and not event.style:
            self.problems.add(
                'merge keys ("<<") are not read', key.place, suggestion="use extends, or a variable from vars"
            )
        elif not isinstance(event, yaml.ScalarEvent) or key.data is None:
            self.problems.add("a key must be text", key.place)
        elif not isinstance(key.data, str):
            self.problems.add(f"the key {event.value} is not text", key.place, suggestion=f'write "{event.value}"')
        else:
            return key.data
        return None
