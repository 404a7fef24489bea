"""By-products: artifacts that components emitted, below the cards."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Any

from sidelight_specs.results import Measurements, Split, SplitPredictions, SplitValues, State

from sidelight_report.document.blocks import strip_entry, view
from sidelight_report.document.measurements import mean_curve
from sidelight_report.encoding import number, numbers

if TYPE_CHECKING:
    from sidelight_report.document.context import Context

MOST_SAMPLES = 64
MOST_ROWS = 4  # questions that a by-product with a row for each is shown for


@singledispatch
def by_product(artifact: Any, context: Context) -> dict[str, Any]:
    """Entry of an artifact; a kind without a section of its own is drawn by its blocks."""
    count = min(next(iter(artifact.rows().values()), 1), MOST_ROWS, context.count)
    views = [view(artifact, context, row) for row in range(count)]
    images = context.results.split.images
    shown = [views[row] | {"picture": context.picture(images[row])} for row in range(count) if views[row]["blocks"]]
    error = next((one["error"] for one in views), "")
    return {"kind": "blocks", "what": artifact.kind, "error": error, "rows": shown}


@by_product.register(State)
def _curves(artifact: State, context: Context) -> dict[str, Any]:
    lines = [
        {"name": name, "x": list(range(1, len(values) + 1)), "y": numbers(values, 4)}
        for name, values in artifact.curves.items()
    ]
    return {"kind": "curves", "lines": lines}


@by_product.register(Measurements)
def _numbers(artifact: Measurements, context: Context) -> dict[str, Any]:
    lines = [line for item in artifact.items if (line := mean_curve(item.name, item)) is not None]
    values = [
        {"name": item.name, "value": number(item.value), "better": item.better, "unit": item.unit}
        for item in artifact.items
    ]
    return {"kind": "numbers", "numbers": values, "lines": lines}


@by_product.register(SplitPredictions)
@by_product.register(SplitValues)
def _of_a_split(artifact: SplitPredictions | SplitValues, context: Context) -> dict[str, Any]:
    one = view(artifact, context, 0)
    return {**one, "rows": [{"blocks": one["blocks"], "picture": None}] if one["blocks"] else []}


@by_product.register(Split)
def _samples(artifact: Split, context: Context) -> dict[str, Any]:
    strip = strip_entry(artifact.images[:MOST_SAMPLES], artifact.ids[:MOST_SAMPLES], "", context)
    return {"kind": "blocks", "what": artifact.kind, "error": "", "rows": [{"blocks": [strip], "picture": None}]}
