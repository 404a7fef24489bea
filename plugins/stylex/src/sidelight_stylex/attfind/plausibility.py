"""Plausibility of attributes: neither a mere tint of the image, nor a step out of the data.

A generator's coordinates can move a classifier in ways that mean nothing: a to-RGB coordinate of a coarse level dyes
the whole image, and a shoe that turns black is no other shoe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_stylegan2.networks.discriminator import GROUP, Discriminator
from sidelight_stylegan2.networks.pixels import from_pixels
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.images import resize
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidelight_specs.results import Attribute

    from sidelight_stylex.attfind.style_effects import Models
    from sidelight_stylex.params import FinderParams

SIDE, CELL = 64, 4
"""Pixels: images are compared at `SIDE`, in squares of `CELL`, about the size of an eye or a mouth."""
JUDGED = 256
"""Pixels a side of what is judged, at most: 128 images of 1024 pixels would take 1.5 GiB."""
SAME = 1e-2
"""Distance over all pixels below which two images are one, found again in the data."""
INVISIBLE = 1e-3
"""Root mean square of a change below which it cannot be seen, and is not judged."""


def implausible(
    models: Models,
    reference: torch.Tensor,
    styles: torch.Tensor,
    attributes: Sequence[Attribute],
    params: FinderParams,
) -> list[str]:
    """Reasons why attributes are not plausible; empty for those that are.

    Args:
        models: classifier and generator.
        reference: (R, S) styles of the data.
        styles: (N, S) of the images to change.
        attributes: A of them.
        params: the limits `tint` and `outside`.
    """
    # a discriminator looks at images as the classifier does, at full size
    side = JUDGED if getattr(models.generator, "trained_discriminator", None) is None else None
    before = models.draw(styles, side)
    statistics = LocalStatistics(models, models.draw(reference, side), before)
    flags = []
    for attribute in attributes:
        after = models.draw(attribute.apply(styles), side)
        tint, departure = tint_ratio(to_array(before), to_array(after)), statistics.departure(after)
        reasons = []
        if tint >= params.tint:
            reasons.append(f"tints the whole picture: one colour shift explains {tint:.0%} of the change")
        if departure > params.outside:
            reasons.append(f"leaves the data, by {departure:.1f} of its standard deviations")
        flags.append("; ".join(reasons))
    return flags


def tint_ratio(before: np.ndarray, after: np.ndarray) -> float:
    """Ratio of a change that one colour shift of the whole image explains.

    In each image, each channel y after the change is fitted by a x + b of the channel x before it.

    Args:
        before: (N, C, H, W).
        after: (N, C, H, W).

    Returns:
        the median over the images of 1 - |y - a x - b|^2 / |y - x|^2; NaN where no change can be seen.
    """
    x, y = (images.reshape(*images.shape[:2], -1).astype(np.float64) for images in (before, after))  # (N, C, HW)
    mean = [values.mean(axis=2, keepdims=True) for values in (x, y)]
    dx, dy = x - mean[0], y - mean[1]
    variance = (dx**2).sum(axis=2, keepdims=True)
    # least squares for a; b drops out of the centred values
    slope = np.divide((dx * dy).sum(axis=2, keepdims=True), variance, out=np.ones_like(variance), where=variance > 1e-9)
    residual = ((dy - slope * dx) ** 2).sum(axis=(1, 2))
    change = ((y - x) ** 2).sum(axis=(1, 2))
    visible = change > INVISIBLE**2 * x[0].size
    return float(np.median(1 - residual[visible] / change[visible])) if visible.any() else float("nan")


class LocalStatistics:
    """Deviation of images from the data, square by square, and by the generator's discriminator if it has one.

    Args:
        models: classifier and generator.
        data: (R, C, H, W) what the generator makes of the data, R >= 2.
        before: (N, C, H, W) images before a change.
    """

    def __init__(self, models: Models, data: torch.Tensor, before: torch.Tensor) -> None:
        self._data, self._cells = data.flatten(1), _cells(data)
        self._measures: list[Callable[[torch.Tensor], torch.Tensor]] = [self._strangeness]
        realness = discriminator_filter(models, data)
        if realness is not None:
            self._measures.append(lambda images: -realness(images))
        self._spreads = [measure(data).std() for measure in self._measures]
        self._before = [measure(before) for measure in self._measures]

    def departure(self, after: torch.Tensor) -> float:
        """Growth of the deviation by a change, in standard deviations of the data.

        The larger of two, each the median over the images: the distance of an image's strangest square from the nearest
        that any image of the data has there; and minus the discriminator's logit.

        Args:
            after: (N, C, H, W) the images after the change.
        """
        growths = [
            float(((measure(after) - before) / spread.clamp_min(1e-6)).median())
            for measure, before, spread in zip(self._measures, self._before, self._spreads, strict=True)
        ]
        return max(growths)

    def _strangeness(self, images: torch.Tensor) -> torch.Tensor:
        """(N,) the largest, over squares, of the distance to the nearest image of the data that is not the image."""
        same = torch.cdist(images.flatten(1), self._data) < SAME  # (N, R)
        distances = torch.cdist(_cells(images), self._cells).masked_fill(same, torch.inf)  # (cells, N, R)
        return distances.min(2).values.max(0).values


def _cells(images: torch.Tensor) -> torch.Tensor:
    """(cells, N, values): squares of `CELL` pixels of images of at most `SIDE` pixels."""
    side = min(SIDE, *images.shape[-2:])
    return functional.unfold(resize(images, (side, side)), CELL, stride=CELL).permute(2, 0, 1)


def discriminator_filter(models: Models, data: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Logits of being real, (N, C, H, W) to (N,), by the discriminator that a StylEx generator was trained against.

    None for other generators, for one whose discriminator never joined the training, and with fewer than `GROUP` - 1
    images of the data.

    Args:
        models: classifier and generator.
        data: (R, C, H, W) images; the first `GROUP` - 1 are the companions of every image.
    """
    discriminator = getattr(models.generator, "trained_discriminator", None)  # also of a StylEx kept in a zoo
    companions = data[: GROUP - 1]
    if not isinstance(discriminator, Discriminator) or len(companions) < GROUP - 1:
        return None

    def logits(images: torch.Tensor) -> torch.Tensor:
        # the minibatch deviation couples a group: every image is seen among the same companions. Groups are dealt
        # with a stride: the first of each quarter of the batch, the second of each, ...
        batch = torch.cat([images, companions.repeat_interleave(len(images), 0)])
        # by the classifier that it was trained with: the explained one may have other classes
        labels = models.generator.class_probabilities(batch) if discriminator.conditioned else None  # type: ignore[attr-defined]
        batch = resize(batch, (discriminator.size, discriminator.size))  # as it was trained
        realness: torch.Tensor = discriminator(from_pixels(batch).contiguous(memory_format=torch.channels_last), labels)
        return realness[: len(images), 0]

    return lambda images: in_batches(logits, images, max(1, models.batch.rows("realness") // GROUP))
