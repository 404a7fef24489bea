"""Heatmaps."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import per_image
from sidelight_specs.blocks import Block, Overlay
from sidelight_specs.errors import SidelightError
from sidelight_specs.mapped import blocks
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
        absent = [] if self.answered is None else np.flatnonzero(~self.answered).tolist()
        if any(self.values[row].any() for row in absent):
            raise SidelightError("values differ from 0 in a row without an answer")

    def view(self, index: int) -> tuple[Block, ...]:
        """The heatmap over the explained image; the reason where there is no answer."""
        if not self.has_answer(index):
            return (self.reason(),)
        return (Overlay(self.values[index], signed=self.signed),)

    def doubts(self) -> list[str]:
        """Images without an answer, and heatmaps that are the same everywhere."""
        return [*super().doubts(), *constant_maps(self.values, "heatmaps", self.answered)]


def constant_maps(maps: np.ndarray, what: str, answered: np.ndarray | None = None) -> list[str]:
    """A sentence on how many of (N, H, W) maps do not vary beyond rounding; none where all do.

    Args:
        maps: the maps, which are gone over a few at a time.
        what: they are, in the plural.
        answered: (N,) bool, the maps that count; None for all.
    """
    if not maps.size:
        return []
    constant = np.concatenate([_is_constant(block) for block in blocks(maps)])
    if answered is not None:
        constant = constant[answered]
    count = int(constant.sum())
    verb = "is" if count == 1 else "are"
    return (
        [f"{count} of {len(constant)} {what} {verb} constant and point{'s' * (count == 1)} at nothing"] if count else []
    )


def _is_constant(maps: np.ndarray) -> np.ndarray:
    flat = maps.reshape(len(maps), -1)
    low, high = flat.min(1), flat.max(1)
    return np.asarray(high - low <= _ROUNDING * np.maximum(np.abs(low), np.abs(high)))
