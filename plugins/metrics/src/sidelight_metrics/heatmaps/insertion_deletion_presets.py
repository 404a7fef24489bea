"""Insertion/deletion presets (exact, RISE, I-GOS): schedule of the curve, baselines, area rule.

exact  step and baselines of the options; trapezoid, or left Riemann sum
rise   Petsiuk et al. 2018: a row of pixels a step; a light blur for insertion, grey for deletion; trapezoid
igos   Qi et al. 2020: chunks of 1/50; a strong blur for both; right Riemann sum, the last height taken as 1
"""

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
    from sidelight_metrics.params import BaselineName, InsertionDeletionParams

RISE_KERNEL, RISE_SIGMA = 11, 5.0  # pixels, as in the code of RISE
IGOS_CHUNKS = 50  # steps, as in the code of I-GOS
HALF = 0.5  # a pixel that is visible by half or more counts as known to the imputation

Fill = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(C, H, W) image and (n, 1, H, W) visibility of each pixel in [0, 1], to (n, C, H, W) images."""


@attrs.frozen
class Baseline:
    """Values of hidden pixels.

    Args:
        name: as reports call it: `"blur"`.
        insertion: fills pixels that have not been inserted yet.
        deletion: fills pixels that have been deleted.
        detail: what `name` leaves open: kernel and sigma of a blur.
    """

    name: str
    insertion: Fill
    deletion: Fill
    detail: str = ""


@attrs.frozen
class Preset:
    """Rules by which the curves and their areas are taken.

    Args:
        schedule: rows and columns of the ranked grid to the number of cells taken at each point, (T,).
        baselines: the curves are taken once with each.
        area: ratios (T,) and scores (T,) to the area.
        step, rule: their description in reports.
    """

    schedule: Callable[[int, int], np.ndarray]
    baselines: tuple[Baseline, ...]
    area: Callable[[np.ndarray, np.ndarray], float]
    step: str
    rule: str


def preset_of(params: InsertionDeletionParams, noise: Callable[[torch.Tensor], torch.Tensor]) -> Preset:
    """Preset that the options name.

    Args:
        params: the options.
        noise: (C, H, W) image to noise of unit standard deviation of its shape, the same at every call.
    """
    if params.convention == "rise":
        return _rise()
    if params.convention == "igos":
        return _igos()
    return Preset(
        schedule=lambda rows, columns: counts(rows * columns, params.step),
        baselines=tuple(baseline_of(name, noise) for name in params.baselines),
        area=partial(area, rule=params.rule),
        step=f"{params.step:g} of the pixels",
        rule=params.rule,
    )


def _rise() -> Preset:
    def blurred(image: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        return torch.lerp(gaussian_blur(image[None], RISE_KERNEL, RISE_SIGMA)[0], image, visible)

    detail = f"blur, kernel {RISE_KERNEL}, sigma {RISE_SIGMA:g} pixels, for insertion, grey for deletion"
    return Preset(
        schedule=lambda rows, columns: counts_in_chunks(rows * columns, columns),
        baselines=(Baseline("as in RISE", blurred, _constant("grey"), detail),),  # grey: zeros after their normalising
        area=partial(area, rule="trapezoid"),
        step="a row of pixels",
        rule="trapezoid",
    )


def _igos() -> Preset:
    blur = _constant("blur")
    return Preset(
        schedule=lambda rows, columns: counts_in_chunks(rows * columns, max(1, rows * columns // IGOS_CHUNKS)),
        baselines=(Baseline("blur", blur, blur),),
        area=area_igos,
        step=f"1/{IGOS_CHUNKS} of the cells, rounded down",
        rule="sum as in the code of I-GOS",
    )


def baseline_of(name: BaselineName, noise: Callable[[torch.Tensor], torch.Tensor]) -> Baseline:
    """Baseline by its name in recipes."""
    if name == "noisy-linear":

        def imputed(image: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
            filled = noisy_linear(image.expand(len(visible), *image.shape), visible >= HALF, noise(image))
            return torch.lerp(filled, image.expand_as(filled), visible)

        return Baseline(name, imputed, imputed)
    fill = _constant(name)
    return Baseline(name, fill, fill)


def _constant(name: BaselineName) -> Fill:
    """Fill by a baseline that does not depend on the mask: b + visible (x - b)."""
    return lambda image, visible: torch.lerp(baseline(image[None], name)[0], image, visible)  # type: ignore[arg-type]


def blur_text(height: int, width: int) -> str:
    """Kernel and sigma of the blur baseline, for reports."""
    size, sigma = blur_of(height, width)
    return f"blur, kernel {size}, sigma {sigma:.3g} pixels"


def area_igos(x: np.ndarray, y: np.ndarray) -> float:
    """Area as in the code of I-GOS: each chunk counts with the score after it, the last one with 1.

    The 1 is a slip of theirs: with 49 cells it adds up to 1/49 to insertion and deletion alike.
    """
    heights = y[1:].copy()
    heights[-1] = 1
    return float((heights * np.diff(x)).sum())
