"""Whether a changed picture is still a picture of the data, or merely another tint of it.

A generator's coordinates can move a classifier in ways that mean nothing: a to-RGB coordinate of a coarse level dyes
the whole picture, and a shoe that turns black is no other shoe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_toolkit.images import resize
from torch.nn import functional

from sidelight_stylex.attfind.discriminator_filter import COMPANIONS, Judge, has_judge

if TYPE_CHECKING:
    from sidelight_stylex.attfind.style_effects import Models

SIDE, CELL = 64, 4
"""Pictures are compared at this size, in squares of that size, in pixels."""
SAME = 1e-2
"""Pictures as close as this, over all pixels, are one."""
UNSEEN = 1e-3
"""Changes of less than this, root mean square, are not looked at."""


def tinted(before: np.ndarray, after: np.ndarray) -> float:
    """How much of a change one colour shift explains that is the same everywhere in the picture.

    In each image, each channel after the change is fitted by a multiple of the channel before it plus a constant.

    Args:
        before: (N, C, H, W).
        after: (N, C, H, W).

    Returns:
        the median over the images of 1 - (what the fit leaves / the change), squared differences summed over pixels;
        NaN where nothing can be seen to change.
    """
    x, y = (images.reshape(*images.shape[:2], -1).astype(np.float64) for images in (before, after))
    middle = [part.mean(axis=2, keepdims=True) for part in (x, y)]
    dx, dy = x - middle[0], y - middle[1]
    variance = (dx**2).sum(axis=2, keepdims=True)
    slope = np.divide((dx * dy).sum(axis=2, keepdims=True), variance, out=np.ones_like(variance), where=variance > 1e-9)
    left = ((dy - slope * dx) ** 2).sum(axis=(1, 2))
    change = ((y - x) ** 2).sum(axis=(1, 2))
    seen = change > UNSEEN**2 * x[0].size
    return float(np.median(1 - left[seen] / change[seen])) if seen.any() else float("nan")


class Surroundings:
    """Pictures of the data, how far they lie from each other, and where pictures that are to be changed lie.

    Args:
        models: classifier and generator.
        data: (R, C, H, W) what the generator makes of the data, R >= 2.
        before: (N, C, H, W) pictures before a change.
    """

    def __init__(self, models: Models, data: torch.Tensor, before: torch.Tensor) -> None:
        self._data, self._cells = data.flatten(1), _cells(data)
        self._measures = [self._strangeness]
        if has_judge(models) and len(data) >= COMPANIONS:
            self._judge = Judge(models, data[:COMPANIONS])
            self._measures.append(self._doubt)
        self._spreads = [measure(data).std() for measure in self._measures]
        self._before = [measure(before) for measure in self._measures]

    def left_by(self, after: torch.Tensor) -> float:
        """By how many of the data's own standard deviations a change makes pictures less like the data.

        Measured by the strangest place of a picture: how far it is from the nearest that any picture of the data has
        there; and by the generator's discriminator, where it has one. The larger of the two, each the median over the
        images.

        Args:
            after: (N, C, H, W) the pictures after the change.
        """
        growths = [
            float(((measure(after) - before) / spread.clamp_min(1e-6)).median())
            for measure, before, spread in zip(self._measures, self._before, self._spreads, strict=True)
        ]
        return max(growths)

    def _doubt(self, images: torch.Tensor) -> torch.Tensor:
        """(N,) minus the discriminator's logits."""
        return -self._judge(images)

    def _strangeness(self, images: torch.Tensor) -> torch.Tensor:
        """(N,) distance of the strangest place, to the nearest of the data that is not the picture itself."""
        same = torch.cdist(images.flatten(1), self._data) < SAME
        distances = torch.cdist(_cells(images), self._cells).masked_fill(same, torch.inf)
        return distances.min(2).values.max(0).values


def _cells(images: torch.Tensor) -> torch.Tensor:
    """(places, N, values): squares of `CELL` pixels of images of at most `SIDE` pixels."""
    side = min(SIDE, *images.shape[-2:])
    return functional.unfold(resize(images, (side, side)), CELL, stride=CELL).permute(2, 0, 1)
