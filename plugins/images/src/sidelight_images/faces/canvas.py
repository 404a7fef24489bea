"""Pixels: layers laid over each other with anti-aliased edges, and which part every pixel shows."""

from __future__ import annotations

import attrs
import numpy as np

from sidelight_images.names import FACE_PARTS

ZOOM = 1.06  # more than 1 cuts the margins, so that the head fills the image
TOP = np.float32(-0.97)  # y of the upper border


@attrs.frozen(eq=False)
class Window:
    """A rectangle of the canvas, the same for every face.

    Args:
        rows, columns: where it lies.
        x, y: (N, h, w) coordinates of its pixels' centres in the frame of the caller.
    """

    rows: slice
    columns: slice
    x: np.ndarray
    y: np.ndarray


class Canvas:
    """N square pictures that are painted from back to front.

    Coordinates: x to the right, from -0.94 to 0.94; y down, from -0.97 to 0.92. The crown is near -0.95, the chin
    near 0.71, so that the head fills the picture.
    """

    def __init__(self, count: int, size: int) -> None:
        self.size, self.pixel = size, np.float32(2 / size / ZOOM)
        self.colours = np.zeros((count, 3, size, size), dtype=np.float32)
        self.owner = np.zeros((count, size, size), dtype=np.uint8)
        centres = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * self.pixel
        self.x = np.broadcast_to(centres - np.float32(1 / ZOOM), (count, size, size))
        self.y = np.broadcast_to(centres[:, None] + TOP, (count, size, size))

    def window(self, x: np.ndarray, y: np.ndarray, box: tuple[float, float, float, float]) -> Window:
        """The pixels of `box` = (left, top, right, bottom) with their coordinates in the frame (x, y)."""
        left, right = (round((value + 1 / ZOOM) * ZOOM / 2 * self.size) for value in box[::2])
        top, bottom = (round((value - TOP) * ZOOM / 2 * self.size) for value in box[1::2])
        rows, columns = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
        return Window(rows, columns, x[:, rows, columns], y[:, rows, columns])

    def cover(self, distance: np.ndarray) -> np.ndarray:
        """(N, h, w) share of each pixel that lies inside a shape."""
        # a straight edge through the pixel's centre covers half of it
        covered: np.ndarray = (np.float32(0.5) - distance / self.pixel).clip(0, 1)
        return covered

    def paint(self, window: Window, alpha: np.ndarray, colour: np.ndarray, part: str = "") -> None:
        """Lay a colour over the window; pixels that it covers by half or more belong to `part` from now on.

        Args:
            window: where.
            alpha: (N, h, w) in [0, 1].
            colour: (N or 1, 3, h or 1, w or 1).
            part: one of `FACE_PARTS`; empty for light and shade, which leave the parts as they are.
        """
        below = self.colours[:, :, window.rows, window.columns]
        below += alpha[:, None] * (colour - below)
        if part:
            self.owner[:, window.rows, window.columns][alpha >= 0.5] = FACE_PARTS.index(part)

    def shade(self, window: Window, amount: np.ndarray, tint: np.ndarray) -> None:
        """Multiply by `tint` (N or 1, 3, 1, 1) where `amount` is 1; leave as it is where it is 0."""
        below = self.colours[:, :, window.rows, window.columns]
        below *= 1 + amount[:, None] * (tint - 1)

    def lighten(self, window: Window, amount: np.ndarray, colour: np.ndarray) -> None:
        """Screen a light over the window: 1 - (1 - below)(1 - light)."""
        below = self.colours[:, :, window.rows, window.columns]
        below += amount[:, None] * colour * (1 - below)
