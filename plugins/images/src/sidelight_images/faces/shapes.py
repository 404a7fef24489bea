"""Signed distances: negative inside, in units of half the image's side, nearly exact close to the edge."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

Number: TypeAlias = np.ndarray | float
TINY = np.float32(1e-6)  # no division by zero at the centre


def ellipse(x: np.ndarray, y: np.ndarray, rx: Number, ry: Number) -> np.ndarray:
    """An ellipse around the origin with these radii, by f |grad f|^-1 (first order)."""
    px, py = x / rx, y / ry
    value = np.sqrt(px * px + py * py) + TINY
    slope = np.sqrt((px / rx) ** 2 + (py / ry) ** 2) + TINY
    distance: np.ndarray = value * (value - 1) / slope
    return distance


def rounded_box(x: np.ndarray, y: np.ndarray, half_width: Number, half_height: Number, radius: Number) -> np.ndarray:
    """A box around the origin whose corners are rounded; exact."""
    qx, qy = np.abs(x) - (half_width - radius), np.abs(y) - (half_height - radius)
    outside = np.sqrt(np.maximum(qx, 0) ** 2 + np.maximum(qy, 0) ** 2)
    distance: np.ndarray = outside + np.minimum(np.maximum(qx, qy), 0) - radius
    return distance


def union(first: np.ndarray, second: np.ndarray, softness: Number) -> np.ndarray:
    """Both shapes, the seam rounded over `softness` (polynomial smooth minimum)."""
    gap = np.maximum(softness - np.abs(first - second), 0)
    joined: np.ndarray = np.minimum(first, second) - gap * gap / (4 * softness)
    return joined


def intersection(first: np.ndarray, second: np.ndarray, softness: Number) -> np.ndarray:
    """Intersection of both shapes, the corner rounded over `softness`."""
    return -union(-first, -second, softness)


def between(y: np.ndarray, top: np.ndarray, bottom: np.ndarray, slope: Number = 0.0) -> np.ndarray:
    """The band from `top` to `bottom` (y points down), whose edges rise with this slope."""
    distance: np.ndarray = np.maximum(top - y, y - bottom) / np.sqrt(1 + np.square(slope))
    return distance


def bump(x: np.ndarray, y: np.ndarray, rx: Number, ry: Number) -> np.ndarray:
    """A soft spot: 1 at the origin, exactly 0 outside the ellipse with these radii, smooth in between."""
    inside = np.maximum(1 - (x / rx) ** 2 - (y / ry) ** 2, 0)
    spot: np.ndarray = inside * inside
    return spot


def smoothstep(values: np.ndarray, start: Number, end: Number) -> np.ndarray:
    """0 before `start`, 1 after `end`, a cubic in between."""
    t = ((values - start) / (end - start)).clip(0, 1)
    step: np.ndarray = t * t * (3 - 2 * t)
    return step
