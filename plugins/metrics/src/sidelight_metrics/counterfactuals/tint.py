"""Shift of an image's mean colour by its counterfactual, in CIELAB, and the part of the change that it makes up.

In the region (a square in the middle of the image) with the mean colours m before and m' after, in CIELAB (CIE 1976,
D65, from sRGB), which is about even to the eye:

    lightness = L*(m') - L*(m)                                           of 100; positive: lighter
    hue and chroma = |(a*, b*)(m') - (a*, b*)(m)|                        2.3 is just noticeable (Mahy et al. 1994)
    tint share = |mean change|^2 / mean |change|^2                       of all channels; 1: one colour laid over all

Counterfactuals whose tint share is above a half change the light more than the thing: the run warns of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Counterfactual, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array

from sidelight_metrics.counterfactuals import converged_only
from sidelight_metrics.kinds import expect_kind

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from torch import Tensor

    from sidelight_metrics.params import TintParams

GREY, RGB = 1, 3  # channels
MOSTLY = 0.5  # tint share above which a change is mostly one of tint
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # IEC 61966-2-1
WHITE = TO_XYZ.sum(1)  # D65


class Tint(Metric):
    """Lightness, hue and chroma of the mean colour before and after, and the share of the change that they are."""

    def __init__(self, params: TintParams, *, run: Run) -> None:
        del run
        self._params = params

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`lightness`, `hue and chroma` and `tint share`; NaN where the search failed.

        Raises:
            UserError: the images are neither grey nor RGB.
        """
        del targets
        if images.shape[1] not in (GREY, RGB):
            raise UserError(
                f"the images have {images.shape[1]} channels, and tint is of grey or RGB images",
                "take this metric out of the recipe",
            )
        result, region = expect_kind(explanation, Counterfactual), self._params.region
        before, after = (central(one.astype(np.float64), region) for one in (to_array(images), result.images))
        shift = lab(after.mean((2, 3))) - lab(before.mean((2, 3)))  # (N, 3)
        change = after - before  # (N, C, h, w)
        uniform, whole = np.square(change.mean((2, 3))).mean(1), np.square(change).mean((1, 2, 3))
        share = converged_only(np.divide(uniform, whole, out=np.zeros_like(whole), where=whole > 0), result)
        settings = {"region": f"{region:g}"}
        return Measurements(
            items=(
                Measurement(
                    name="lightness",
                    values=converged_only(shift[:, 0], result),
                    better="neither",
                    unit="L*, of 100",
                    help="Lightness of the mean colour, after less before; failed searches left out.",
                    settings=settings,
                ),
                Measurement(
                    name="hue and chroma",
                    values=converged_only(np.hypot(shift[:, 1], shift[:, 2]), result),
                    better="lower",
                    unit="CIELAB units",
                    help="Distance of the mean colours in a* and b*; 2.3 is just noticeable; failed searches left out.",
                    settings=settings,
                ),
                Measurement(
                    name="tint share",
                    values=share,
                    better="lower",
                    unit="share of the squared change",
                    help="Part of the change that is one colour for the whole region; failed searches left out.",
                    settings=settings,
                    doubt_above=MOSTLY,
                    doubt="more than half of the change is one colour laid over the whole region, "
                    "so that the counterfactual changes the tint more than anything in it",
                ),
            )
        )


def central(images: np.ndarray, share: float) -> np.ndarray:
    """The middle `share` of both sides of (N, C, H, W) images, one pixel at least."""
    height, width = images.shape[2:]
    down, across = (max(1, round(share * side)) for side in (height, width))
    top, left = (height - down) // 2, (width - across) // 2
    return images[:, :, top : top + down, left : left + across]


def lab(colours: np.ndarray) -> np.ndarray:
    """CIELAB L*, a*, b* of sRGB colours (N, 3), or of greys (N, 1), in [0, 1]."""
    rgb = np.broadcast_to(colours, (len(colours), 3))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    t = linear @ TO_XYZ.T / WHITE
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)
