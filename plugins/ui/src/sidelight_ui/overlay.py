"""Values over an image as a still picture, in the colours of the report (its `web/colours.js`)."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

Rgb: TypeAlias = tuple[int, int, int]

PREDICTED, PROBE = (13, 166, 151), (244, 151, 12)  # the two sides of the question: teal and amber
ADDED, REMOVED = (226, 48, 42), (36, 97, 232)  # of a difference: red and blue
VIRIDIS = np.array(
    [
        (68, 1, 84),
        (71, 44, 122),
        (59, 81, 139),
        (44, 113, 142),
        (33, 144, 141),
        (39, 173, 129),
        (92, 200, 99),
        (170, 220, 50),
        (253, 231, 37),
    ],
    dtype=np.float64,
)
"""Viridis at nine even steps."""
OPACITY = 0.85  # how strongly the values cover the image


def overlaid(
    image: np.ndarray,
    values: np.ndarray,
    saturation: float,
    *,
    signed: bool,
    colours: tuple[Rgb, Rgb] = (PREDICTED, PROBE),
) -> np.ndarray:
    """An image faded to grey, with values in colours on top.

    Args:
        image: (C, H, W), float in [0, 1].
        values: (H, W), finite.
        saturation: magnitude at which colours saturate.
        signed: a colour for positive and one for negative values; else dark is little and bright is much.
        colours: of positive and of negative values.

    Returns:
        (3, H, W) uint8.
    """
    rgb = np.broadcast_to(np.clip(image, 0, 1) * 255, (3, *image.shape[1:])).astype(np.float64)
    grey = 38 + 0.52 * np.tensordot((0.299, 0.587, 0.114), rgb, 1)  # faint, so that colours carry the values
    below = rgb + (grey - rgb) * OPACITY
    ratio = np.clip(values / saturation, -1, 1) if saturation > 0 else np.zeros(values.shape)
    if signed:
        positive, negative = colours
        colour = np.where(ratio < 0, np.reshape(negative, (3, 1, 1)), np.reshape(positive, (3, 1, 1)))
        weight = np.abs(ratio) ** 0.6
    else:
        ratio = np.maximum(ratio, 0)
        steps = np.arange(len(VIRIDIS)) / (len(VIRIDIS) - 1)
        colour = np.stack([np.interp(ratio, steps, VIRIDIS[:, channel]) for channel in range(3)])
        weight = np.minimum(1, 0.12 + 1.8 * ratio)
    result: np.ndarray = np.rint(below + (colour - below) * OPACITY * weight).clip(0, 255).astype(np.uint8)
    return result
