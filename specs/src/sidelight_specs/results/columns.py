"""A table of plain values for other programs: as a DataFrame, CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
import math
from contextlib import suppress
from secrets import token_hex
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs

from sidelight_specs.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pandas import DataFrame

_DIGITS = 9  # significant ones: a float32 comes back as it was
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets run, when a text begins with it
_ROWS, _COLUMNS = 20, 7  # of a table that are printed


@attrs.frozen(repr=False)
class Columns:
    """Columns of equal length, heading to values: text, whole numbers, floats (NaN: does not apply), booleans, None."""

    values: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.values.values()), ()))

    def __getitem__(self, heading: str) -> list[Any]:
        return self.values[heading]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each row, heading to value."""
        return (dict(zip(self.values, row, strict=True)) for row in zip(*self.values.values(), strict=True))

    def __str__(self) -> str:
        shown = list(self.values)[:_COLUMNS]
        rows = list(zip(*(map(_short, self.values[name][:_ROWS]) for name in shown), strict=True))
        widths = [max(map(len, column)) for column in zip(shown, *rows, strict=True)]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in (shown, *rows)]
        hidden = {"rows": len(self) - _ROWS, "columns": len(self.values) - _COLUMNS}
        more = [f"{count} more {what}" for what, count in hidden.items() if count > 0]
        return "\n".join([*lines, *([f"... {' and '.join(more)}"] if more else [])])

    __repr__ = __str__

    def to_pandas(self) -> DataFrame:
        """The same as a DataFrame.

        Raises:
            UserError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise UserError("the table as a DataFrame needs pandas", "pip install pandas") from error
        return DataFrame(self.values)

    def write(self, path: Path) -> None:
        """Write the file whole, in the format of its name: `.csv`, `.jsonl` or `.parquet`.

        In CSV a text that a spreadsheet would run as a formula gets an apostrophe before it, as spreadsheets write it.
        A number that does not apply is an empty cell, `null` in JSON, a null in Parquet.

        Raises:
            UserError: another ending, a folder that cannot be written to, or Parquet without pyarrow.
        """
        write = _WRITERS.get(path.suffix.lower())
        if write is None:
            raise UserError(f"{path}: the format is not known", "name a file that ends in .csv, .jsonl or .parquet")
        draft = path.with_name(f".{token_hex(6)}.part")  # of its own, because two may write one file
        try:
            write(self, draft)
            draft.replace(path)
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror or error}", "choose another place") from error
        finally:
            with suppress(OSError):  # it is not there; what kept it from being written is told above
                draft.unlink()


def _write_csv(table: Columns, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        # with this end of the line both of its characters are quoted in cells
        lines = SimpleNamespace(write=lambda line: stream.write(line.removesuffix("\r\n") + "\n"))
        writer = csv.writer(lines, lineterminator="\r\n")
        writer.writerow(map(_cell, table.values))
        writer.writerows(map(_cell, row) for row in zip(*table.values.values(), strict=True))


def _write_json_lines(table: Columns, path: Path) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for row in table.rows():
            plain = {heading: _finite(value) for heading, value in row.items()}
            stream.write(json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n")


def _write_parquet(table: Columns, path: Path) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        fix = "pip install pyarrow, or write .csv or .jsonl"
        raise UserError("a Parquet file needs pyarrow", fix) from error
    plain = {heading: list(map(_finite, values)) for heading, values in table.values.items()}
    parquet.write_table(pyarrow.table(plain), path)


_WRITERS: dict[str, Callable[[Columns, Path], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_json_lines,
    ".parquet": _write_parquet,
}


def _finite(value: Any) -> Any:
    """The value, rounded as in the other formats; None for a float that is not finite."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _cell(value: Any) -> str:
    """The value in a CSV file."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}" if math.isfinite(value) else ""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _short(value: Any) -> str:
    """The value for a reader."""
    return f"{value:.4g}" if isinstance(value, float) and math.isfinite(value) else _cell(value)
