"""Concepts: a few features that a prediction is made of."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import per_image
from sidelight_specs.results.explanation import Explanation


@attrs.frozen(eq=False, kw_only=True)
class Concepts(Explanation):
    """The concepts in N images and what each contributes.

    Args:
        names: n concept names.
        activations: (N, n) float32, how strongly each concept is present.
        contributions: (N, n) float32, what each adds to the class's score, in logits.
        heatmaps: (N, n, H, W) float32, where each concept is; None where the method has no place for it.
        exemplars: (n, M, C, H, W) float32, images in which each concept is strongest; None where there are none.
    """

    kind: ClassVar[str] = "concepts"

    names: tuple[str, ...]
    activations: np.ndarray = per_image()
    contributions: np.ndarray = per_image()
    heatmaps: np.ndarray | None = per_image(default=None)
    exemplars: np.ndarray | None = None
