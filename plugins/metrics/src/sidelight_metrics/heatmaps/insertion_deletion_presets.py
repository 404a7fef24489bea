"""Insertion/deletion presets (exact, RISE, I-GOS): points of the curve, baselines, area rule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_toolkit.baselines import baseline, blur_of
from sidelight_toolkit.curves import area, counts, counts_in_chunks
from sidelight_toolkit.images import gaussian_blur
from sidelight_toolkit.imputation import noisy_linear

if TYPE_CHECKING:
    from sidelight_metrics.params import Baseline, InsertionDeletionParams

RISE_KERNEL, RISE_SIGMA = 11, 5.0
IGOS_CHUNKS = 50
HALF = 0.5  # a pixel that is visible by half or more counts as known to the imputation

Fill = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(C, H, W) image and (n, 1, H, W) share of each pixel that is visible, to the (n, C, H, W) pictures."""


@attrs.frozen
class Absence:
    """Baseline: the values of absent pixels.

    Args:
        name: as reports call it: `"blur"`.
        insertion: the fill behind pixels that have not come yet.
        deletion: the fill behind pixels that have gone.
        detail: what `name` leaves open: kernel and sigma of a blur.
    """

    name: str
    insertion: Fill
    deletion: Fill
    detail: str = ""


@attrs.frozen
class Convention:
    """One way to take the curves.

    Args:
        taken: rows and columns of what is ranked to how many have come or gone at each point, (T,).
        absences: what stands where pixels are absent; the curves are taken once with each.
        area: shares (T,) and scores (T,) to the area.
        step, rule: how reports say it.
    """

    taken: Callable[[int, int], np.ndarray]
    absences: tuple[Absence, ...]
    area: Callable[[np.ndarray, np.ndarray], float]
    step: str
    rule: str


def convention_of(params: InsertionDeletionParams, noise: Callable[[torch.Tensor], torch.Tensor]) -> Convention:
    """The convention that the options ask for.

    Args:
        params: the options.
        noise: (C, H, W) image to noise of unit standard deviation of its shape, the same at every call.
    """
    if params.convention == "rise":
        return _rise()
    if params.convention == "igos":
        return _igos()
    return Convention(
        taken=lambda rows, columns: counts(rows * columns, params.step),
        absences=tuple(absence(kind, noise) for kind in params.baselines),
        area=partial(area, rule=params.rule),
        step=f"{params.step:g} of the pixels",
        rule=params.rule,
    )


def _rise() -> Convention:
    """A row of pixels at a time; a light blur before, grey after (zeros after their normalising); the trapezoid."""

    def blurred(image: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        return torch.lerp(gaussian_blur(image[None], RISE_KERNEL, RISE_SIGMA)[0], image, visible)

    detail = f"blur, kernel {RISE_KERNEL}, sigma {RISE_SIGMA:g} pixels, for insertion, grey for deletion"
    return Convention(
        taken=lambda rows, columns: counts_in_chunks(rows * columns, columns),
        absences=(Absence("as in RISE", blurred, _constant("grey"), detail),),
        area=partial(area, rule="trapezoid"),
        step="a row of pixels",
        rule="trapezoid",
    )


def _igos() -> Convention:
    """Chunks of a fiftieth, rounded down; blur before and after; their sum, slip included."""
    blur = _constant("blur")
    return Convention(
        taken=lambda rows, columns: counts_in_chunks(rows * columns, max(1, rows * columns // IGOS_CHUNKS)),
        absences=(Absence("blur", blur, blur),),
        area=area_igos,
        step=f"1/{IGOS_CHUNKS} of the cells, rounded down",
        rule="sum as in the code of I-GOS",
    )


def absence(kind: Baseline, noise: Callable[[torch.Tensor], torch.Tensor]) -> Absence:
    """Baseline by its name in recipes."""
    if kind == "noisy-linear":

        def imputed(image: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
            known = visible >= HALF
            filled = noisy_linear(image.expand(len(visible), *image.shape), known, noise(image))
            return torch.lerp(filled, image.expand_as(filled), visible)

        return Absence(kind, imputed, imputed)
    fill = _constant(kind)
    return Absence(kind, fill, fill)


def _constant(kind: Baseline) -> Fill:
    """Fill by a baseline that does not depend on the mask."""
    return lambda image, visible: torch.lerp(baseline(image[None], kind)[0], image, visible)  # type: ignore[arg-type]


def blur_text(height: int, width: int) -> str:
    """Kernel and sigma of the blur baseline, for reports."""
    size, sigma = blur_of(height, width)
    return f"blur, kernel {size}, sigma {sigma:.3g} pixels"


def area_igos(x: np.ndarray, y: np.ndarray) -> float:
    """The area as the code of I-GOS takes it: each chunk counts with the score after it, the last one with 1.

    The 1 is a slip of theirs: with 49 cells it adds up to 1/49 to insertion and deletion alike.
    """
    heights = y[1:].copy()
    heights[-1] = 1
    return float((heights * np.diff(x)).sum())
