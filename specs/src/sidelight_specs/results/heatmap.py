"""Heatmaps."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import per_image
from sidelight_specs.blocks import Block, Overlay
from sidelight_specs.errors import SidelightError
from sidelight_specs.results.explanation import Explanation

_ROUNDING = 1e-6  # what upsampling leaves of differences in a constant map, relative


@attrs.frozen(eq=False, kw_only=True)
class Heatmap(Explanation):
    """One value for each pixel: positive speaks for the class that it answers, negative against it.

    Args:
        values: (N, H, W) float32 at the image's own resolution, in the method's own unit; 0 where there is no answer.
        signed: False for methods that only rank pixels (a larger value is more important, none speaks against).
        resolution: (h, w) at which the method worked before upsampling; None for the pixels themselves.
    """

    kind: ClassVar[str] = "heatmap"

    values: np.ndarray = per_image("N H W")
    signed: bool = True
    resolution: tuple[int, int] | None = None

    def validate(self, images: tuple[int, ...] | None = None, classes: int | None = None) -> None:
        """Beside the forms: no values where there is no answer."""
        super().validate(images, classes)
        if self.answered is not None and self.values[~self.answered].any():
            raise SidelightError("values differ from 0 in a row without an answer")

    def view(self, index: int) -> tuple[Block, ...]:
        """The heatmap over the explained image; the reason where there is no answer."""
        if not self.has_answer(index):
            return (self.reason(),)
        return (Overlay(self.values[index], signed=self.signed),)

    def doubts(self) -> list[str]:
        """Images without an answer, and heatmaps that are the same everywhere."""
        maps = self.values if self.answered is None else self.values[self.answered]
        return [*super().doubts(), *constant_maps(maps, "heatmaps")]


def constant_maps(maps: np.ndarray, what: str) -> list[str]:
    """A sentence on how many of (N, H, W) maps do not vary beyond rounding; none where all do."""
    if not len(maps):
        return []
    flat = maps.reshape(len(maps), -1)
    low, high = flat.min(1), flat.max(1)
    constant = high - low <= _ROUNDING * np.maximum(np.abs(low), np.abs(high))
    count = int(constant.sum())
    verb = "is" if count == 1 else "are"
    return [f"{count} of {len(maps)} {what} {verb} constant and point{'s' * (count == 1)} at nothing"] if count else []
