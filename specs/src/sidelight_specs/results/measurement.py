"""Measurements."""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact


@attrs.frozen(eq=False, kw_only=True)
class Measurement:
    """One named number, with the values it is the mean of.

    Args:
        name: short, as it heads a column: `"insertion"`.
        values: (N,) float32, one for each image, NaN where it does not apply; or (1,) for a number of the whole set.
        better: which way is better, or `"neither"`.
        unit: `"probability"`, `"share of images"`, `"logits"`, ...
        help: one sentence that says what it means and how it is computed.
        settings: what the number depends on (baseline, step, softmax), for whoever compares.
        curve_x: (T,) float32, where there is a curve behind the number, what was varied.
        curve_y: (N, T) float32, the curve of each image.
        curve_of: what was varied, in words, as it stands below the axis: `"share of the image shown"`.
    """

    name: str
    values: np.ndarray
    better: Literal["higher", "lower", "neither"] = "neither"
    unit: str = ""
    help: str = ""
    settings: dict[str, str] = attrs.field(factory=dict)
    curve_x: np.ndarray | None = None
    curve_y: np.ndarray | None = None
    curve_of: str = ""

    @property
    def value(self) -> float:
        """The mean over the images to which it applies; NaN where it applies to none."""
        finite = self.values[np.isfinite(self.values)]
        return float(finite.mean()) if finite.size else float("nan")


@attrs.frozen(eq=False, kw_only=True)
class Measurements(Artifact):
    """What one metric found of one explanation."""

    kind: ClassVar[str] = "measurements"

    items: tuple[Measurement, ...] = ()
