"""Frame in which a head is drawn, and colours that its parts share."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from sidelight_images.faces.canvas import Canvas, Window
from sidelight_images.faces.colours import HAIR, SKIN, ramp
from sidelight_images.faces.factors import NAMES
from sidelight_images.faces.shapes import ellipse, union

PIVOT = np.float32(0.85)  # height on the neck about which the head leans
TILT = np.radians(7.0).astype(np.float32)  # largest lean
TURN = np.float32(0.11)  # largest shift of the features by a turn


class Portrait:
    """N faces on one canvas.

    Args:
        table: (N, 25) factors as `factors.as_table` gives them.
        size: height and width in pixels.
    """

    def __init__(self, table: np.ndarray, size: int) -> None:
        self._columns = {name: table[:, i, None, None] for i, name in enumerate(NAMES)}
        self.canvas = Canvas(len(table), size)
        # coordinates of the head: those of the canvas, rotated about (0, PIVOT)
        angle = self["tilt"] * TILT
        cosine, sine = np.cos(angle), np.sin(angle)
        above = self.canvas.y - PIVOT
        self.x = self.canvas.x * cosine + above * sine
        self.y = above * cosine - self.canvas.x * sine + PIVOT
        self.skin, self.hair = ramp(self["skin"], SKIN), ramp(self["hair-colour"], HAIR)
        self.light = 0.75 * self["light"]
        self.width = 0.90 + 0.20 * self["face-width"]

    def __getitem__(self, name: str) -> np.ndarray:
        """(N, 1, 1) one factor."""
        return self._columns[name]

    def window(self, left: float, top: float, right: float, bottom: float) -> Window:
        """A rectangle of the canvas with coordinates of the head, which leans by `tilt`."""
        return self.canvas.window(self.x, self.y, (left, top, right, bottom))

    def features(self, left: float, top: float, right: float, bottom: float) -> Window:
        """The same with x as eyes, nose and mouth see it: shifted by `yaw`, most in the middle of the face."""
        return self.canvas.window(self.turned, self.y, (left, top, right, bottom))

    @property
    def everywhere(self) -> Window:
        """The whole canvas, coordinates of the head."""
        return self.window(-1, -1, 1, 1)

    @cached_property
    def turned(self) -> np.ndarray:
        """(N, H, W) x of the features."""
        shift: np.ndarray = self.x - TURN * self["yaw"] * (1 - (self.x / 0.75) ** 2).clip(0, 1)
        return shift

    @cached_property
    def face(self) -> np.ndarray:
        """(N, H, W) distance to the outline of the face: skull and jaw in one."""
        x = self.x - 0.03 * self["yaw"]
        skull = ellipse(x, self.y + 0.10, 0.545 * self.width, 0.60)
        jaw = ellipse(x, self.y - 0.26, (0.33 + 0.135 * self["jaw"]) * self.width, 0.45)
        return union(skull, jaw, 0.20)

    @cached_property
    def outline(self) -> np.ndarray:
        """(N, H, W) distance to the outline of the hair on the head, without what hangs down."""
        full = self["hair-volume"]
        radius = (0.60 + 0.10 * full) * self.width
        return ellipse(self.x, self.y + 0.155 + 0.05 * full, radius, 0.66 + 0.085 * full)
