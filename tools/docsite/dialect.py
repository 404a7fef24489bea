"""CommonMark in the form that Python-Markdown, which both generators use, reads alike.

A code host takes lists whose contents are indented by two spaces, and lists and tables straight below a paragraph.
Python-Markdown wants four spaces for each level, and an empty line.
"""

from __future__ import annotations

import attrs

from docsite.markdown import parse

LISTS = ("bullet_list_open", "ordered_list_open")


@attrs.define
class _Line:
    """Surroundings of a line of a page.

    Attributes:
        depth: number of list items that it continues.
        fence: indent of the fence of its code block, None outside of code.
        is_spaced: it wants an empty line above.
    """

    depth: int = 0
    fence: int | None = None
    is_spaced: bool = False


def for_python_markdown(text: str) -> str:
    """Page with four spaces for each level of lists, and an empty line before each outer list and each table."""
    lines = text.splitlines()
    result: list[str] = []
    for line, around in zip(lines, _surroundings(text, lines), strict=True):
        if around.is_spaced and result and result[-1].strip():
            result.append("")
        if around.depth and line.strip():
            margin = _indent(line)
            line = " " * 4 * around.depth + line[margin if around.fence is None else min(margin, around.fence) :]
        result.append(line)
    return "\n".join(result) + "\n"


def _surroundings(text: str, lines: list[str]) -> list[_Line]:
    found = [_Line() for _ in lines]
    lists = 0
    for token in parse(text):
        start, end = token.map or (0, 0)
        if token.type == "list_item_open":
            for around in found[start + 1 : end]:
                around.depth += 1
        elif token.type == "fence":
            for around in found[start:end]:
                around.fence = _indent(lines[start])
        elif token.type == "table_open" or (token.type in LISTS and lists == 0):
            found[start].is_spaced = True
        lists += token.nesting if token.type.endswith("_list_open") or token.type.endswith("_list_close") else 0
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
