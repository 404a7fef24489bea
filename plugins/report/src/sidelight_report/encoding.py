"""Arrays as text: images as PNG data URIs, values as base64 of 16-bit integers with a scale."""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable

_STEPS = 32767
_MISSING = -32768


def png(image: np.ndarray) -> str:
    """A lossless data URI of one image.

    Args:
        image: (C, H, W) float in [0, 1]; 1 channel is drawn grey, 3 in colour, any other number as its mean.
    """
    codes = pixels(image)
    picture = Image.fromarray(codes[..., 0] if codes.shape[2] == 1 else codes)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return png_uri(buffer.getvalue())


def pixels(image: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3) uint8 of a (C, H, W) float image in [0, 1]; other numbers of channels become their mean."""
    channels = image if image.shape[0] in (1, 3) else image.mean(axis=0, keepdims=True)
    codes = np.rint(np.clip(np.nan_to_num(channels), 0.0, 1.0) * 255).astype(np.uint8)
    return np.moveaxis(codes, 0, 2)


def png_uri(content: bytes) -> str:
    """The data URI of a PNG file."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def grid(values: np.ndarray) -> dict[str, Any]:
    """A map of numbers that the page can colour and read out, exact to 1/32767 of its largest magnitude.

    Args:
        values: (H, W) float; values that are not finite are marked as missing.
    """
    finite = np.isfinite(values)
    largest = float(np.abs(values[finite]).max()) if finite.any() else 0.0
    scaled = np.where(finite, values, 0.0).astype(np.float64) / (largest or 1.0) * _STEPS
    codes = np.where(finite, np.rint(scaled), _MISSING).astype("<i2")
    height, width = values.shape
    data = base64.b64encode(codes.tobytes()).decode("ascii")
    return {"width": width, "height": height, "largest": largest, "data": data}


def saturation(values: np.ndarray, percentile: float) -> float:
    """The magnitude at which colours saturate: a percentile of the absolute values that are not zero.

    Zeros are left out because a sparse map would otherwise be scaled by its background.

    Returns:
        0.0 for a map without a finite value other than zero.
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


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
