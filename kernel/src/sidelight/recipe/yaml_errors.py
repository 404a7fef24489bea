"""What the YAML parser says, in words that help."""

from __future__ import annotations

import yaml
from attrs import frozen

_HINTS = (
    ("mapping values are not allowed", 'text that contains ": " needs quotes; or the line is indented wrongly'),
    ("could not find expected ':'", "a key is followed by a colon and a space"),
    ("expected <block end>", "the line is indented differently from its neighbours, or the line before is unfinished"),
    ("found unexpected end of stream", "a quote or bracket is not closed"),
    ("but got '<stream end>'", "a quote or bracket is not closed"),
    ("found unknown escape character", "use single quotes, in which a backslash is a backslash"),
    ("cannot start any token", "put the text in quotes"),
)


@frozen
class SyntaxMistake:
    """Args: message and suggestion for a `Problem`; position is (line, column) from 0, or None where it is unknown."""

    message: str
    suggestion: str = ""
    position: tuple[int, int] | None = None


def describe_syntax_error(error: Exception, text: str) -> SyntaxMistake:
    """Translate what PyYAML raised. A `ValueError` comes from an escape beyond the last character of Unicode."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        position = before.count("\n"), len(before) - before.rfind("\n") - 1
        return SyntaxMistake(f"the character U+{ord(text[error.position]):04X} is not allowed", "", position)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return SyntaxMistake(f"this is not valid YAML: {error}")
    mark, problem = error.problem_mark, error.problem or "it cannot be read"
    position = mark.line, mark.column
    if "'\\t'" in problem:
        return SyntaxMistake("a tab cannot indent a recipe", "use spaces", position)
    if text[mark.index - 1 : mark.index + 1] == "${":
        position = mark.line, mark.column - 1
        return SyntaxMistake("a variable inside braces or brackets needs quotes", 'write "${name}"', position)
    context = f" ({error.context})" if error.context else ""
    hint = next((hint for fragment, hint in _HINTS if fragment in problem), "")
    return SyntaxMistake(f"this is not valid YAML: {problem}{context}", hint, position)
