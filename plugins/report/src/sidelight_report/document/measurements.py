"""Metric table, curves, and the numbers of each image."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.results import order_flips

from sidelight_report.document.judges import judge_of
from sidelight_report.encoding import number, numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.results import Measurement, Measurements

    from sidelight_report.document.context import Context

NAMED_PAIRS = 3  # more fill the table of nine explainers with text; the means by baseline tell the rest
Column = tuple[str, "Measurement"]


def rows(context: Context) -> Iterator[tuple[str, str, list[Column]]]:
    """Metric id, name of the number, and its measurement for each explanation, in recipe order.

    A name that several metrics use gets the metric's id appended, one of an independent classifier that classifier's.
    """
    merged = _merged(context)
    named = {metric: _names(of) for metric, of in merged.items()}
    uses = Counter(name for names in named.values() for name in names)
    for metric, of in merged.items():
        judge = next((judge for key in of if (judge := judge_of(context, metric, key))), "")
        for name in named[metric]:
            columns = [(key, item) for key, measured in of.items() for item in measured.items if item.name == name]
            about = f", by {judge}" if judge else f" ({metric})" if uses[name] > 1 else ""
            yield metric, f"{name}{about}", columns


def _merged(context: Context) -> dict[str, dict[str, Measurements]]:
    """Measurements by metric; equal metrics of different explanations (one for each generator) are merged."""
    asks = {one.id: (one.use, one.params) for one in context.results.components if one.role == "metric"}
    joined: dict[str, dict[str, Measurements]] = {}
    for metric, of in context.results.measurements.items():
        same = [one for one in joined if metric in asks and asks.get(one) == asks[metric]]
        fitting = (one for one in same if not joined[one].keys() & of.keys())
        first = next(fitting, metric)
        joined[first] = {**joined.get(first, {}), **of}
    return joined


def _names(of: dict[str, Measurements]) -> list[str]:
    return list(dict.fromkeys(item.name for measured in of.values() for item in measured.items))


def table(context: Context) -> dict[str, Any]:
    """Metric table: means, numbers of images, and the best of each row if the row is comparable."""
    table_rows = [_row(context, metric, name, columns) for metric, name, columns in rows(context)]
    results = context.results  # columns stand as in the recipe, whichever metric comes first
    order = dict.fromkeys(
        [*results.explanations, *results.attributes, *(key for row in table_rows for key in row["cells"])]
    )
    return {"columns": [key for key in order if any(key in row["cells"] for row in table_rows)], "rows": table_rows}


def _row(context: Context, metric: str, name: str, columns: list[Column]) -> dict[str, Any]:
    reason = incomparable(context, columns)
    first = columns[0][1]
    flips = () if reason else order_flips(dict(columns))
    undecided = {name for pair in flips for name in pair}
    return {
        "metric": metric,
        "name": name,
        "unit": first.unit,
        "better": first.better,
        "help": first.help,
        "reason": reason,
        "best": [] if reason else [name for name in best(columns) if name not in undecided],
        "depends": f"depends on the {first.varied}: {_pairs(flips)}" if flips else "",
        "varied": first.varied,
        "cells": {key: _cell(item) for key, item in columns},
    }


def _pairs(flips: tuple[tuple[str, str], ...]) -> str:
    named = ", ".join(f"{first} or {second}" for first, second in flips[:NAMED_PAIRS])
    more = len(flips) - NAMED_PAIRS
    return f"{named}, and {more} more {'pair' if more == 1 else 'pairs'}" if more > 0 else named


def _cell(item: Measurement) -> dict[str, Any]:
    return {
        "mean": number(item.value),
        "interval": [number(end) for end in item.interval] if item.interval else None,
        "variants": {name: number(mean) for name, mean in item.variant_means.items()},
        "applies": int(np.isfinite(item.values).sum()),
        "of": len(item.values),
        "settings": {key: str(value) for key, value in item.settings.items()},
    }


def incomparable(context: Context, columns: list[Column]) -> str:
    """Reason why the numbers of a row cannot be ranked; empty if they can."""
    items = [item for _, item in columns]
    if len(items) < 2:
        return "one explanation only"
    if items[0].better == "neither":
        return "neither way is better"
    if any((item.unit, item.better) != (items[0].unit, items[0].better) for item in items):
        return "units differ"
    if any(item.settings != items[0].settings for item in items):
        return "settings differ"
    applies = [np.isfinite(item.values).tobytes() for item in items]
    if not np.isfinite(items[0].values).any() or any(mask != applies[0] for mask in applies):
        return "measured on different images"
    sides = {_question(context, key) for key, _ in columns}
    return "explanations of different kinds or questions" if len(sides) > 1 else ""


def _question(context: Context, key: str) -> tuple[str, str]:
    explanation = context.results.explanations.get(key) or context.results.attributes.get(key)
    return (explanation.kind, getattr(explanation, "answers", "")) if explanation else (key, "")


def best(columns: list[Column]) -> list[str]:
    """Explanations with the best mean; several if they tie, none if all do."""
    means = {key: item.value for key, item in columns}
    top = (max if columns[0][1].better == "higher" else min)(means.values())
    winners = [key for key, mean in means.items() if np.isclose(mean, top, rtol=1e-6, atol=1e-12)]
    return [] if len(winners) == len(means) else winners


def charts(context: Context) -> list[dict[str, Any]]:
    """Mean curves of the numbers that have some: insertion, deletion."""
    result = []
    for metric, name, columns in rows(context):
        lines = [line for key, item in columns if (line := mean_curve(key, item)) is not None]
        if lines:
            first = columns[0][1]
            chart = {"metric": metric, "name": name, "help": first.help, "unit": first.unit, "over": first.curve_of}
            result.append(chart | {"lines": lines})
    return result


def mean_curve(key: str, item: Measurement) -> dict[str, Any] | None:
    """Mean over the images whose curve was measured; None without any."""
    if item.curve_x is None or item.curve_y is None or not len(item.curve_y):
        return None
    finite = item.curve_y[np.isfinite(item.curve_y).all(axis=1)]
    if not len(finite):
        return None
    return {"name": key, "x": numbers(item.curve_x, 4), "y": numbers(finite.mean(axis=0), 4), "count": len(finite)}


def of_image(context: Context, key: str, row: int) -> list[dict[str, Any]]:
    """Numbers of one explanation of one image; answers of an independent classifier are shown as such instead."""
    result = []
    for metric, name, columns in rows(context):
        item = dict(columns).get(key)
        measured = context.results.measurements.get(metric, {}).get(key)
        if measured is not None and measured.answers is not None and judge_of(context, metric, key):
            continue
        if item is not None and item.is_of_each(len(context.results.targets)) and np.isfinite(item.values[row]):
            value = number(float(item.values[row]))
            result.append({"name": name, "value": value, "better": item.better, "unit": item.unit})
    return result
