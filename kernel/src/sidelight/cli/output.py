"""Writing for people and for programs: tables and colour on a terminal, plain aligned text elsewhere."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, TextIO

from sidelight.terminal import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

STYLES = {"ok": "green", "broken": "red", "blocked": "yellow", "error": "red"}
"""Words that are coloured on a terminal."""


def write(text: str = "", *, to: TextIO | None = None) -> None:
    """Write lines of text, to stdout unless told otherwise."""
    print(clean(text), file=to or sys.stdout)


def write_wrapped(text: str, indent: str = "") -> None:
    """Write a paragraph to stdout, broken into lines that fit the terminal, or 100 columns elsewhere."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    wrapper = textwrap.TextWrapper(max(width, 40), initial_indent=indent, subsequent_indent=indent)
    wrapper.break_on_hyphens = False  # names stay whole
    print(wrapper.fill(clean(text)))


def write_json(value: Any) -> None:
    """Write a value as indented JSON to stdout; what could drive the terminal is escaped as JSON escapes it."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    print("".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text))


def write_error(text: str) -> None:
    """Write `error: ...` to stderr."""
    prefix = "error: "
    if sys.stderr.isatty():
        _console(sys.stderr).print(prefix, style=STYLES["error"], end="")
        prefix = ""
    write(prefix + text, to=sys.stderr)


def write_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, to: TextIO | None = None) -> None:
    """Write a table; columns without any text are left out.

    Args:
        headings: one for each column.
        rows: as many cells each as there are headings.
        to: the stream, stdout unless told otherwise.
    """
    used = [index for index in range(len(headings)) if any(row[index] for row in rows)]
    heads = [headings[index] for index in used]
    cells = [[clean(row[index]) for index in used] for row in rows]
    stream = to or sys.stdout
    if stream.isatty():
        _rich_table(heads, cells, stream)
    else:
        write(plain_table(heads, cells), to=stream)


def plain_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned by spaces, two between them, none at the end of a line."""
    table = [list(headings), *rows]
    widths = [max(len(row[index]) for row in table) for index in range(len(headings))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)
    return "\n".join(lines)


def _rich_table(headings: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=heading != headings[-1])  # a narrow terminal cuts the last column
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, ""), no_wrap=True, overflow="ellipsis") for cell in row))
    _console(stream).print(table)


def _console(stream: TextIO) -> Any:
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False)
