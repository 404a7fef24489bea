"""Patterns of toy images: three fine patterns that decide the class, and coarse ones that do not.

On mid-grey, each class has a square of its own place filled with its pattern: `rows` (top left), `columns` (top
right), `checks` (bottom left), all with a period of two pixels and no mean, so that brightness says nothing. The
bottom right square holds stripes with a period of four pixels, and the whole image a horizontal and a vertical
shade: distractors, to which a filter tuned to two pixels is blind.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

CAUSES = ("rows", "columns", "checks")
FACTORS = (*CAUSES, "broad", "shade-x", "shade-y")
CONTRAST = 0.4
"""Half the distance between dark and bright at amplitude 1."""

LOW = np.array([0.2, 0.2, 0.2, 0.2, -0.1, -0.1], dtype=np.float32)
HIGH = np.array([1.0, 1.0, 1.0, 1.0, 0.1, 0.1], dtype=np.float32)
"""Range of each factor's amplitude. Patterns never vanish, so that every class has a gradient everywhere."""


def corner(index: int, size: int) -> tuple[slice, slice]:
    """The rows and columns of the square at `index`, counted as one reads; its side is 3/8 of the image's."""
    side, margin = 3 * size // 8, size // 16
    far = size - margin - side
    top, left = (margin, far)[index // 2], (margin, far)[index % 2]
    return slice(top, top + side), slice(left, left + side)


@lru_cache
def basis(size: int) -> np.ndarray:
    """(6, size, size) float32: the picture of each factor at amplitude 1, to be added to mid-grey."""
    if size % 16:
        raise ValueError(f"the side of a toy image must be a multiple of 16, got {size}")
    y, x = np.mgrid[:size, :size]
    fine = [(-1.0) ** y, (-1.0) ** x, (-1.0) ** (x + y), (-1.0) ** (y // 2)]
    pictures = np.zeros((len(FACTORS), size, size), dtype=np.float32)
    for index, pattern in enumerate(fine):
        pictures[index][corner(index, size)] = CONTRAST * pattern[corner(index, size)]
    pictures[4], pictures[5] = 0.4 * (2 * x / (size - 1) - 1), 0.4 * (2 * y / (size - 1) - 1)
    pictures.flags.writeable = False
    return pictures


def region(cause: int, size: int, border: int = 0) -> np.ndarray:
    """(size, size) bool: the square that decides about class `cause`, widened by `border` pixels."""
    rows, columns = corner(cause, size)
    mask = np.zeros((size, size), dtype=bool)
    mask[max(0, rows.start - border) : rows.stop + border, max(0, columns.start - border) : columns.stop + border] = (
        True
    )
    return mask


def draw(amplitudes: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Images of amplitudes: (N, 6) to (N, C, H, W) float32 in [0, 1], every channel the same."""
    channels, height, width = shape
    if height != width:
        raise ValueError(f"toy images are square, got {shape}")
    grey = 0.5 + np.tensordot(amplitudes, basis(height), axes=1)
    return np.repeat(grey[:, None], channels, axis=1).astype(np.float32)
