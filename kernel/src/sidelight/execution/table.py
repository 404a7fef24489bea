"""The table of what the metrics found."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.results import Results

HEADINGS = ("metric", "of", "measured", "value", "better", "unit")


@attrs.frozen
class Row:
    """One number.

    Args:
        metric: the metric's id.
        of: the id of what was measured.
        name: the number's name.
        value: the mean over the images to which it applies; NaN where there are none.
        better: `higher`, `lower` or `neither`.
        unit: its unit.
        count: how many images it is the mean of.
        help: what it means.
    """

    metric: str
    of: str
    name: str
    value: float
    better: str
    unit: str
    count: int
    help: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text, under `HEADINGS`."""
        value = "does not apply" if math.isnan(self.value) else f"{self.value:.4g}"
        return (self.metric, self.of, self.name, value, "" if self.better == "neither" else self.better, self.unit)


@attrs.frozen
class MeasurementTable:
    """All rows, metric by metric."""

    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    def __str__(self) -> str:
        lines = [HEADINGS, *(row.cells for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
        aligned = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
        return "\n".join(line.rstrip() for line in aligned)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in HEADINGS)
        body = "".join(
            f'<tr title="{html.escape(row.help)}">' + "".join(f"<td>{html.escape(cell)}</td>" for cell in row.cells)
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def table_of(results: Results) -> MeasurementTable:
    """The table of a finished run."""
    return MeasurementTable(
        tuple(
            Row(metric, of, item.name, item.value, item.better, item.unit, _count(item.values), item.help)
            for metric, subjects in results.measurements.items()
            for of, numbers in subjects.items()
            for item in numbers.items
        )
    )


def _count(values: np.ndarray) -> int:
    return int(np.isfinite(values).sum())
