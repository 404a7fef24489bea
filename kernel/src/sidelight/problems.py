"""What is wrong with a user's file, and where: collected, so that one reading reports all of it."""

from __future__ import annotations

from attrs import frozen
from sidelight_specs import UserError


@frozen
class Place:
    """A position in a source the user wrote.

    Args:
        file: path, or what stands for one: `--set explainers.a.with.steps=50`, `the recipe given as a dict`.
        line, column: counted from 1; 0 where the source has no lines.
        text: the whole line, without its newline.
    """

    file: str
    line: int = 0
    column: int = 0
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@frozen
class Problem:
    """One mistake.

    Args:
        message: what is wrong, one sentence without a full stop.
        place: where, if it has a place.
        expected: what would be right.
        suggestion: the correction that is most likely meant: `did you mean "steps"?`.
        help: the parameter's own help text.
    """

    message: str
    place: Place | None = None
    expected: str = ""
    suggestion: str = ""
    help: str = ""

    def render(self) -> str:
        """Several lines of text: place and message, the source line, a caret, expectation, suggestion and help."""
        lines = [f"{self.place}: {self.message}" if self.place else self.message]
        if self.place and self.place.line:
            lines += [f"    {self.place.text}", "    " + " " * (self.place.column - 1) + "^"]
        notes = (("expected", self.expected), ("hint", self.suggestion), ("help", self.help))
        return "\n".join(lines + [f"  {name}: {text}" for name, text in notes if text])


class RecipeError(UserError):
    """A recipe that cannot be used as it stands.

    Args:
        problems: every mistake found, in the order of the source.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n\n".join(problem.render() for problem in problems))
