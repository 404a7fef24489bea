"""Mistakes in a user's file with their places, collected so that one reading reports all of them."""

from __future__ import annotations

import unicodedata

from attrs import define, field, frozen

from sidelight_specs.errors import UserError

_LINE_WIDTH = 110
"""A longer source line is shown as a window around the caret."""


@frozen
class Place:
    """A position in a source the user wrote.

    Args:
        file: path, or what stands for one: `--set explainers.a.with.steps=50`, `the recipe given as a dict`.
        line: line, counted from 1; 0 where the source has no lines.
        column: column, counted from 1; 0 where the source has no lines.
        text: the whole line, without its newline.
        rank: position of the source among those that were read; it only orders problems.
    """

    file: str
    line: int = 0
    column: int = 0
    text: str = ""
    rank: int = field(default=0, eq=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@frozen
class Problem:
    """One mistake.

    Args:
        message: what is wrong, one sentence without a full stop.
        place: where, if it has a place.
        expected: what would be right.
        fix: the correction that is most likely meant: `did you mean "steps"?`.
        help: the parameter's own help text.
    """

    message: str
    place: Place | None = None
    expected: str = ""
    fix: str = ""
    help: str = ""

    @property
    def sentence(self) -> str:
        """One line: place, message and fix."""
        place = f"{self.place}: " if self.place else ""
        return f"{place}{self.message}" + (f"; {self.fix}" if self.fix else "")

    def render(self) -> str:
        """Several lines of text: place and message, the source line, a caret, expectation, fix and help."""
        lines = [f"{self.place}: {self.message}" if self.place else self.message]
        if self.place and self.place.line and self.place.text.strip():
            lines += [f"    {line}" for line in _pointed(self.place.text, self.place.column)]
        notes = (("expected", self.expected), ("hint", self.fix), ("help", self.help))
        return "\n".join(lines + [f"  {name}: {text}" for name, text in notes if text])


def _pointed(text: str, column: int) -> tuple[str, str]:
    """A source line made safe for a terminal, and the line with the caret under `column`."""
    start = max(0, column - _LINE_WIDTH // 2) if len(text) > _LINE_WIDTH else 0
    shown = "".join(letter if letter.isprintable() else " " for letter in text[start : start + _LINE_WIDTH])
    before = shown[: column - 1 - start]
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in before)
    return shown, " " * (column - 1 - start + wide) + "^"


class RecipeError(UserError):
    """A recipe, or another document of the user's, that cannot be used as it stands.

    Args:
        problems: every mistake, in the order of the source.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n\n".join(problem.render() for problem in problems))


@define
class Problems:
    """Collects mistakes while reading goes on, so that the user hears of all of them at once.

    Args:
        mistakes: each once, in the order in which they were noted.
        warned: what a run does without complaint and hardly anybody wants.
    """

    mistakes: dict[Problem, None] = field(factory=dict)
    warned: dict[Problem, None] = field(factory=dict)
    _sources: int = 0

    def add(
        self, message: str, place: Place | None = None, *, expected: str = "", fix: str = "", help: str = ""
    ) -> None:
        """Note one mistake; the same one is kept once."""
        self.mistakes.setdefault(Problem(message, place, expected, fix, help))

    def warn(self, message: str, place: Place | None = None, *, fix: str = "") -> None:
        """Note something that is no mistake and yet probably not meant."""
        self.warned.setdefault(Problem(message, place, fix=fix))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Warnings in the order of the sources."""
        return tuple(sorted(self.warned, key=_position))

    def next_rank(self) -> int:
        """A number for the next source, so that problems stand in the order in which sources were read."""
        self._sources += 1
        return self._sources

    @property
    def ordered(self) -> tuple[Problem, ...]:
        """Mistakes in the order of the sources."""
        return tuple(sorted(self.mistakes, key=_position))

    def raise_if_any(self) -> None:
        """Raise a `RecipeError` that lists everything noted so far."""
        if self.mistakes:
            raise RecipeError(self.ordered)


def _position(problem: Problem) -> tuple[bool, int, int, int]:
    place = problem.place or Place("")
    return problem.place is None, place.rank, place.line, place.column
