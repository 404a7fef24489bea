"""Numbers as JSON values; maps as base64 of 16-bit integers with a scale."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

_STEPS = 32767
_MISSING = -32768  # the one int16 that no scaled value takes


def grid(values: np.ndarray) -> dict[str, Any]:
    """A map (H, W) as 16-bit integers, exact to 1/32767 of its largest magnitude; the page colours and reads it.

    Args:
        values: (H, W) float; non-finite values are marked as missing.
    """
    finite = np.isfinite(values)
    largest = float(np.abs(values[finite]).max()) if finite.any() else 0.0
    scaled = np.where(finite, values, 0.0).astype(np.float64) / (largest or 1.0) * _STEPS
    codes = np.where(finite, np.rint(scaled), _MISSING).astype("<i2")
    height, width = values.shape
    data = base64.b64encode(codes.tobytes()).decode("ascii")
    return {"width": width, "height": height, "largest": largest, "data": data}


def saturation(values: np.ndarray, percentile: float) -> float:
    """Magnitude at which colours saturate: a percentile of the nonzero magnitudes; 0.0 if there are none.

    Zeros are left out because a sparse map would otherwise be scaled by its background.
    """
    magnitudes = np.abs(values[np.isfinite(values)])
    magnitudes = magnitudes[magnitudes > 0]
    return float(np.percentile(magnitudes, percentile)) if magnitudes.size else 0.0


def number(value: float, digits: int = 6) -> float | None:
    """`value` to `digits` significant digits, or None where it is not finite (JSON has no NaN)."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def numbers(values: Iterable[float], digits: int = 5) -> list[float | None]:
    """`number` of each value."""
    return [number(float(value), digits) for value in values]
