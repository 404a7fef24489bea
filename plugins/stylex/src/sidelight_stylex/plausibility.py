"""Whether a changed picture is still a picture of the data, or merely another tint of it.

A generator's coordinates can move a classifier in ways that mean nothing: a to-RGB coordinate of a coarse level dyes
the whole picture, and a shoe that turns black is no other shoe.
"""

from __future__ import annotations

import attrs
import numpy as np
import torch
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.images import resize

from sidelight_stylex.changes import Models
from sidelight_stylex.judging import COMPANIONS, Judge, has_judge

SIDE = 16
"""Pictures are compared at this size, in pixels."""
OUTSIDE = 0.99
"""A picture is outside of the data where it is farther away than this share of the data's own pictures."""
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


@attrs.frozen(eq=False)
class Surroundings:
    """Pictures of the data, and how far they lie from each other.

    Args:
        models: classifier and generator.
        styles: (R, S) of the data's images.
    """

    models: Models
    styles: torch.Tensor

    def left_by(self, before: torch.Tensor, after: torch.Tensor) -> float:
        """The share of changed pictures that leave the data.

        By the generator's discriminator, where it has one: its judgement of the changed picture is lower than that of
        nearly all pictures of the data, and falls by the change. Otherwise by the distance to the nearest picture of
        the data: larger than that of nearly all pictures of the data to the nearest other one, and grown by the change.

        Args:
            before: (N, S) styles.
            after: (N, S) styles.
        """
        judged = has_judge(self.models) and len(self.styles) >= COMPANIONS
        measure = self._doubt if judged else self._isolation
        usual = torch.quantile(measure(self.styles), OUTSIDE)
        one, other = measure(before), measure(after)
        return float(((other > usual) & (other > one)).float().mean())

    def _doubt(self, styles: torch.Tensor) -> torch.Tensor:
        judge = Judge(self.models, self.models.draw(self.styles[:COMPANIONS]))
        return -judge(self.models.draw(styles))

    def _isolation(self, styles: torch.Tensor) -> torch.Tensor:
        """(N,) distance to the nearest of the data's pictures that is not the picture itself."""
        ours, theirs = self._small(styles), self._small(self.styles)
        distances = torch.cdist(ours, theirs)
        same = torch.cdist(styles, self.styles) < 1e-6
        return distances.masked_fill(same, torch.inf).min(1).values

    def _small(self, styles: torch.Tensor) -> torch.Tensor:
        draw = self.models.generator.synthesize_styles
        return in_batches(lambda part: resize(draw(part), (SIDE, SIDE)).flatten(1), styles, self.models.batch)
