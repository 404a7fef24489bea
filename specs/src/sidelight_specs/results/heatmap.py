"""Heatmaps."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import per_image
from sidelight_specs.results.explanation import Explanation


@attrs.frozen(eq=False, kw_only=True)
class Heatmap(Explanation):
    """One value for each pixel: positive speaks for the class that it answers, negative against it.

    Args:
        values: (N, H, W) float32 at the image's own resolution, in the method's own unit.
        signed: False for methods that only rank pixels (a larger value is more important, none speaks against).
        resolution: (h, w) at which the method worked before upsampling; None for the pixels themselves.
    """

    kind: ClassVar[str] = "heatmap"

    values: np.ndarray = per_image()
    signed: bool = True
    resolution: tuple[int, int] | None = None
