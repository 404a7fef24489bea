"""Options of heatmaps that do not go with the images or with the classifier. This module imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from sidelight_specs import ExplainerDescriptor
from sidelight_specs.facts import Mistake
from sidelight_toolkit.windows import window_misfits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.facts import Given


@frozen(kw_only=True)
class HeatmapDescriptor(ExplainerDescriptor):
    """Describes an explainer that gives heatmaps, one class or the contrast of two."""

    def misfits(self, params: object, given: Given) -> Iterator[Mistake]:
        """A contrast of one value; windows and cells larger than the images."""
        target = getattr(params, "target", None)
        if target == "contrast" and given.classifier_of().task == "regression":
            message = "target: contrast compares two classes, and the classifier is a regression with one value"
            yield Mistake(message, "set target: predicted to explain the value", "target")
        shape = given.explained.shape
        yield from window_misfits(getattr(params, "window", None), getattr(params, "stride", None), shape)
        cell = getattr(params, "cell", None)
        if cell is not None and shape is not None and cell > min(shape[1:]):
            message = f"{cell} pixels do not fit into images of {shape[1]}x{shape[2]}"
            yield Mistake(message, f"set cell to {max(1, min(shape[1:]) // 8)}", "cell")
