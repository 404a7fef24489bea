"""Eyes, lids and brows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sidelight_images.faces.colours import EYES, luminance, mix, ramp, rgb
from sidelight_images.faces.shapes import bump, ellipse, intersection, smoothstep

if TYPE_CHECKING:
    from sidelight_images.faces.canvas import Window
    from sidelight_images.faces.pose import Portrait

APART = 0.237  # of each eye from the middle of a face of width 1
HEIGHT = -0.015


def eyes(portrait: Portrait) -> None:
    """Both eyes, each in a window of its own."""
    for side in (-1.0, 1.0):
        _eye(portrait, side)


def _eye(portrait: Portrait, side: float) -> None:
    canvas = portrait.canvas
    window = portrait.features(min(-side * 0.2, side * 0.62), -0.42, max(-side * 0.2, side * 0.62), 0.36)
    size = portrait["eye-size"]
    x, y = (window.x - side * APART * portrait.width) * side, window.y - HEIGHT
    wide, high = 0.135 + 0.014 * size, 0.046 + 0.066 * size
    # socket, then the white, shaded below the upper lid
    socket = bump(x - 0.0, y + 0.03, 0.20, 0.15)
    canvas.shade(window, 0.34 * socket, mix(rgb(0.74, 0.55, 0.55), rgb(0.60, 0.45, 0.45), portrait["skin"]))
    upper, lower = _lid(x, y - 0.1 * x, wide, high), _lid(x, -(y - 0.1 * x), wide, high * 0.80)
    opening = intersection(upper, lower, 0.012)
    inside = canvas.cover(opening)
    shadow = smoothstep(y + high, 0.0, 0.085)
    canvas.paint(window, inside, mix(rgb(0.66, 0.66, 0.74), rgb(1.0, 0.99, 0.985), shadow), "eyes")
    _iris(portrait, window, x * side, y, inside, 0.073 + 0.019 * size)
    # lashes, lower rim, and the crease above the lid
    line = canvas.cover(np.abs(upper) - 0.017) * canvas.cover(lower - 0.018)
    canvas.paint(window, 0.93 * line, rgb(0.10, 0.06, 0.07), "eyes")
    below = canvas.cover(np.abs(lower) - 0.006) * canvas.cover(upper - 0.008)
    canvas.paint(window, 0.45 * below, portrait.skin * rgb(0.45, 0.28, 0.28), "eyes")
    crease = canvas.cover(np.abs(_lid(x, y - 0.1 * x + 0.042, wide * 1.06, high * 1.03)) - 0.008)
    canvas.paint(window, 0.42 * crease * smoothstep(-y, 0.0, 0.05), portrait.skin * rgb(0.46, 0.30, 0.30))


def _lid(x: np.ndarray, y: np.ndarray, wide: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Distance to the upper side of a parabola through (-wide, 0), (0, -high), (wide, 0)."""
    slope = 2 * high * x / (wide * wide)
    distance: np.ndarray = (-high * (1 - (x / wide) ** 2) - y) / np.sqrt(1 + slope * slope)
    return distance


def _iris(
    portrait: Portrait, window: Window, x: np.ndarray, y: np.ndarray, inside: np.ndarray, radius: np.ndarray
) -> None:
    canvas, colour = portrait.canvas, ramp(portrait["eye-colour"], EYES)
    y = y + 0.004
    far = np.sqrt(x * x + y * y)  # from the centre of the pupil
    shade = smoothstep(far / radius, 0.25, 1.0)
    disc = mix(mix(colour, rgb(1, 1, 1), 0.25), colour * 0.45, shade)
    canvas.paint(window, inside * canvas.cover(far - radius), disc, "eyes")
    canvas.paint(window, inside * canvas.cover(far - radius * 0.47), rgb(0.03, 0.02, 0.03), "eyes")
    glow = bump(x + 0.25 * radius * portrait.light, y - 0.5 * radius, radius * 0.75, radius * 0.5)
    canvas.lighten(window, 0.55 * inside * glow * canvas.cover(far - radius), colour)
    spark = ellipse(x - 0.026 - 0.02 * portrait.light, y + 0.028, 0.021, 0.021)
    canvas.paint(window, 0.97 * inside * canvas.cover(spark), rgb(1, 1, 1), "eyes")


def brows(portrait: Portrait) -> None:
    """Two tapered arcs, darker than the hair."""
    canvas, thick, angle = portrait.canvas, portrait["brow-thickness"], portrait["brow-angle"]
    colour = portrait.hair * mix(rgb(0.80, 0.76, 0.74), rgb(0.48, 0.42, 0.40), luminance(portrait.hair))
    colour = mix(colour, portrait.skin * 0.22, 0.30)
    for side in (-1.0, 1.0):
        window = portrait.features(min(-side * 0.22, side * 0.7), -0.6, max(-side * 0.22, side * 0.7), 0.05)
        x = (window.x - side * (APART + 0.005) * portrait.width) * side
        slope = -0.42 * angle
        middle = -0.222 + slope * x + 1.6 * x * x - 0.02 * thick  # an arc, its inner end down if stern
        along = (x / 0.168).clip(-1, 1)
        half = (0.018 + 0.038 * thick) * (1 - 0.62 * (0.5 + 0.5 * along) ** 1.5)
        steep = slope + 3.2 * x
        stroke = np.abs(window.y - middle) / np.sqrt(1 + steep * steep) - half
        ends = np.abs(x) - 0.168
        canvas.paint(window, 0.95 * canvas.cover(intersection(stroke, ends, 0.03)), colour, "brows")
