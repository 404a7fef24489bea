"""Measurements of a run as a table."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from sidelight_specs.results.columns import Columns
from sidelight_specs.results.measurement import order_flips

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pandas import DataFrame

    from sidelight_specs.results.measurement import Measurement
    from sidelight_specs.results.run import Results

_COLUMNS = ("metric", "of", "name", "variant", "value", "low", "high", "better", "unit", "images")
_NO_ENDS = (math.nan, math.nan)
HEADINGS = ("metric", "of", "measured", "value", "95 % over images", "better", "unit")


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
        help: its meaning.
        interval: 95 % confidence interval of the mean over images; None for fewer than three.
        variants: condition, such as a baseline, to the mean under it, where the number was taken under several.
    """

    metric: str
    of: str
    name: str
    value: float
    better: str
    unit: str
    count: int
    help: str = ""
    interval: tuple[float, float] | None = None
    variants: dict[str, float] = attrs.field(factory=dict)

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text, under `HEADINGS`."""
        value = "does not apply" if math.isnan(self.value) else f"{self.value:.4g}"
        spread = "" if self.interval is None else f"{self.interval[0]:.3g} to {self.interval[1]:.3g}"
        better = "" if self.better == "neither" else self.better
        return (self.metric, self.of, self.name, value, spread, better, self.unit)


@attrs.frozen
class MeasurementTable:
    """All rows, metric by metric.

    Args:
        rows: one for each number.
        notes: lines about several rows together: that an order depends on the baseline.
    """

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

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
        return "\n".join([*(line.rstrip() for line in aligned), *self.notes])

    @property
    def columns(self) -> Columns:
        """The rows as a tidy table for other programs: one number a row, with the ends of its 95 % interval.

        Where a number was taken under several conditions (baselines), each is a row of its own as well, named in the
        column `variant`; the mean over all of them has an empty one.
        """
        values: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for row in self.rows:
            ends = row.interval or (math.nan, math.nan)
            means = {"": (row.value, *ends)} | {key: (mean, *_NO_ENDS) for key, mean in row.variants.items()}
            for variant, numbers in means.items():
                line = (row.metric, row.of, row.name, variant, *numbers, row.better, row.unit, row.count)
                for name, value in zip(_COLUMNS, line, strict=True):
                    values[name].append(value)
        return Columns(values)

    def to_pandas(self) -> DataFrame:
        """`columns` as a DataFrame.

        Raises:
            UserError: pandas is not installed.
        """
        return self.columns.to_pandas()

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in HEADINGS)
        body = "".join(
            f'<tr title="{html.escape(row.help)}">' + "".join(f"<td>{html.escape(cell)}</td>" for cell in row.cells)
            for row in self.rows
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"


def table_of(results: Results) -> MeasurementTable:
    """The table of a finished run."""
    entries = [
        (metric, of, item)
        for metric, subjects in results.measurements.items()
        for of, numbers in subjects.items()
        for item in numbers.items
    ]
    return MeasurementTable(tuple(_row(*entry) for entry in entries), tuple(_notes(entries)))


def _row(metric: str, of: str, item: Measurement) -> Row:
    count = int(np.isfinite(item.values).sum())
    ends = (item.interval, item.variant_means)
    return Row(metric, of, item.name, item.value, item.better, item.unit, count, item.help, *ends)


def _notes(entries: list[tuple[str, str, Measurement]]) -> Iterator[str]:
    """Lines about numbers that depend on a condition such as the baseline, and about orders that turn with it."""
    groups: dict[tuple[str, str], dict[str, Measurement]] = {}
    for metric, of, item in entries:
        if item.variants:
            groups.setdefault((metric, item.name), {})[of] = item
    for (metric, name), items in groups.items():
        varied = next(iter(items.values())).varied
        for of, item in items.items():
            means = ", ".join(f"{variant} {mean:.3g}" for variant, mean in item.variant_means.items())
            yield f"{metric} {name} of {of} by {varied}: {means}"
        pairs = ", ".join(f"{first} and {second}" for first, second in order_flips(items))
        if pairs:
            yield f"{metric} {name}: depends on the {varied} which is better: {pairs}"
