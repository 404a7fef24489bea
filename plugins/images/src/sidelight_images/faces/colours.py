"""Colours as piecewise linear ramps. RGB in [0, 1]."""

from __future__ import annotations

import numpy as np

SKIN = (
    (1.0, 0.87, 0.78),
    (0.97, 0.78, 0.65),
    (0.88, 0.65, 0.49),
    (0.72, 0.49, 0.34),
    (0.54, 0.34, 0.23),
    (0.38, 0.24, 0.17),
)
HAIR = (
    (0.11, 0.10, 0.13),
    (0.26, 0.17, 0.12),
    (0.45, 0.28, 0.16),
    (0.58, 0.24, 0.13),
    (0.85, 0.45, 0.18),
    (0.95, 0.77, 0.43),
    (0.83, 0.84, 0.88),
)
EYES = ((0.27, 0.15, 0.08), (0.55, 0.38, 0.14), (0.25, 0.58, 0.30), (0.16, 0.48, 0.85), (0.60, 0.72, 0.80))
BACKGROUNDS = (
    (0.98, 0.78, 0.66),
    (0.97, 0.89, 0.60),
    (0.71, 0.89, 0.68),
    (0.56, 0.85, 0.87),
    (0.58, 0.71, 0.95),
    (0.80, 0.67, 0.93),
    (0.97, 0.69, 0.79),
)
CLOTHES = (
    (0.20, 0.27, 0.46),
    (0.13, 0.47, 0.50),
    (0.42, 0.60, 0.34),
    (0.95, 0.92, 0.85),
    (0.93, 0.65, 0.24),
    (0.80, 0.30, 0.27),
    (0.50, 0.24, 0.44),
)


def rgb(*channels: float) -> np.ndarray:
    """(1, 3, 1, 1), one colour for every face."""
    return np.array(channels, dtype=np.float32).reshape(1, 3, 1, 1)


def ramp(values: np.ndarray, stops: tuple[tuple[float, float, float], ...]) -> np.ndarray:
    """(N, 3, 1, 1) colours at `values` in [0, 1], of shape (N, 1, 1), between evenly spaced stops."""
    at = np.linspace(0, 1, len(stops))
    channels = [np.interp(values.reshape(-1), at, channel) for channel in zip(*stops, strict=True)]
    return np.stack(channels, axis=1).astype(np.float32)[:, :, None, None]


def mix(first: np.ndarray, second: np.ndarray, ratio: np.ndarray | float) -> np.ndarray:
    """From `first` (ratio 0) to `second` (ratio 1)."""
    if isinstance(ratio, np.ndarray) and ratio.ndim == 3:
        ratio = ratio[:, None]  # (N, h, w) to (N, 1, h, w), for all channels
    mixed: np.ndarray = first + ratio * (second - first)
    return mixed


def luminance(colour: np.ndarray) -> np.ndarray:
    """(N, 1, 1, 1) perceived brightness of (N, 3, 1, 1) colours."""
    bright: np.ndarray = (colour * rgb(0.30, 0.59, 0.11)).sum(axis=1, keepdims=True)
    return bright
