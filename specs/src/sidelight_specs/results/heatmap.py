"""Heatmaps."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import per_image
from sidelight_specs.blocks import Block, Overlay
from sidelight_specs.results.explanation import Explanation

_ROUNDING = 1e-6  # what upsampling leaves of differences in a constant map, relative


@attrs.frozen(eq=False, kw_only=True)
class Heatmap(Explanation):
    """One value for each pixel: positive speaks for the class that it answers, negative against it.

    Args:
        values: (N, H, W) float32 at the image's own resolution, in the method's own unit.
        signed: False for methods that only rank pixels (a larger value is more important, none speaks against).
        resolution: (h, w) at which the method worked before upsampling; None for the pixels themselves.
    """

    kind: ClassVar[str] = "heatmap"

    values: np.ndarray = per_image("N H W")
    signed: bool = True
    resolution: tuple[int, int] | None = None

    def view(self, index: int) -> tuple[Block, ...]:
        """The heatmap over the explained image."""
        return (Overlay(self.values[index], signed=self.signed),)

    def doubts(self) -> list[str]:
        """Heatmaps that are the same everywhere."""
        return constant_maps(self.values, "heatmaps")


def constant_maps(maps: np.ndarray, what: str) -> list[str]:
    """A sentence on how many of (N, H, W) maps do not vary beyond rounding; none where all do."""
    flat = maps.reshape(len(maps), -1)
    low, high = flat.min(1), flat.max(1)
    constant = high - low <= _ROUNDING * np.maximum(np.abs(low), np.abs(high))
    count = int(constant.sum())
    verb = "is" if count == 1 else "are"
    return [f"{count} of {len(maps)} {what} {verb} constant and point{'s' * (count == 1)} at nothing"] if count else []
