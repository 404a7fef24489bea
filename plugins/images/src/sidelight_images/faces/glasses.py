"""Glasses, from round to square."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sidelight_images.faces.colours import rgb
from sidelight_images.faces.eyes import APART, HEIGHT
from sidelight_images.faces.shapes import rounded_box, smoothstep

if TYPE_CHECKING:
    from sidelight_images.faces.pose import Portrait

FRAME = rgb(0.10, 0.07, 0.09)
THICKNESS = 0.021  # of the frames, half of it


def glasses(portrait: Portrait) -> None:
    """Dark frames, a bridge, temples to the ears, lenses with a streak of light."""
    canvas, window = portrait.canvas, portrait.features(-0.85, -0.42, 0.85, 0.42)
    there, square = portrait["glasses"], portrait["glasses-shape"]
    x, y = window.x, window.y - HEIGHT - 0.012
    frame = np.full_like(x, 9)  # distance: far from any frame
    for side in (-1.0, 1.0):
        lens = rounded_box(
            x - side * (APART + 0.004) * portrait.width,
            y,
            0.186 + 0.014 * square,
            0.180 - 0.040 * square,
            0.175 - 0.115 * square,
        )
        streak = smoothstep(-np.abs(x - side * APART * portrait.width + 0.75 * y + 0.02), -0.055, -0.03)
        canvas.lighten(window, there * canvas.cover(lens) * (0.07 + 0.17 * streak), rgb(0.92, 0.97, 1))
        frame = np.minimum(frame, np.abs(lens) - THICKNESS)
    inner = (APART + 0.004) * portrait.width - 0.186 - 0.014 * square
    bridge = np.maximum(np.abs(y + 0.035 - 0.9 * x * x) - THICKNESS * 0.9, np.abs(x) - inner)
    outer = np.abs(x) - (APART + 0.004) * portrait.width - 0.186
    temple = np.maximum(np.abs(y + 0.04) - THICKNESS * 0.9, np.maximum(-outer, outer - 0.17))
    # temples end at the outline of the face
    temple = np.maximum(temple, portrait.face[:, window.rows, window.columns])
    alpha = there * canvas.cover(np.minimum(frame, np.minimum(bridge, temple)))
    canvas.paint(window, alpha, FRAME, "glasses")
