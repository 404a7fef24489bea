"""By-products of a mask: f_c in every term of the objective, and insertion and deletion by the mask's own cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.curves import area, counts, curve, ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_structured.class_probability import ClassProbability


CURVES: tuple[tuple[str, Literal["higher", "lower"], str], ...] = (
    ("insertion", "higher", "come into the baseline"),
    ("deletion", "lower", "are replaced by the baseline"),
)
"""Name, better direction and wording of the curves, in the order of `mask_curves`."""


def mask_curves(
    score: ClassProbability, images: torch.Tensor, baselines: torch.Tensor, masks: torch.Tensor, step: float
) -> np.ndarray:
    """Insertion and deletion (Petsiuk et al. 2018) by the cells of the masks, whose borders are soft.

    Args:
        score: f_c.
        images: I, (N, C, H, W).
        baselines: the same with nothing of the class, (N, C, H, W).
        masks: (N, h, w), low where a cell matters.
        step: ratio of the cells that come, or go, from one point of the curves to the next.

    Returns:
        (N, 2, P): f_c while the cells come into the baseline, and while the baseline replaces them.
    """
    cells = torch.from_numpy(counts(masks[0].numel(), step)).to(masks.device)

    def both(row: int, mask: torch.Tensor) -> np.ndarray:
        image, baseline = images[row], baselines[row]
        order = torch.from_numpy(ranks(-to_array(mask))).to(mask.device)  # rank 0: the lowest cell of M

        def probability(mixed: torch.Tensor) -> np.ndarray:
            return to_array(score.of_many(mixed, torch.full((len(mixed),), row, device=mixed.device)))

        starts_and_ends = ((baseline, image), (image, baseline))
        return np.stack([curve(probability, *pair, order, cells, score.at_once) for pair in starts_and_ends])

    return np.stack([both(row, mask) for row, mask in enumerate(masks)])


def curves_report(curves: np.ndarray, size: tuple[int, int], step: float) -> Measurements:
    """`insertion` and `deletion` with their areas (exact trapezoid), of `mask_curves` (N, 2, P)."""
    cells = size[0] * size[1]
    x = counts(cells, step) / cells
    settings = {
        "baseline": "the method's own blur",
        "cells": f"{size[0]} x {size[1]}",
        "step": f"{step:g} of the cells",
    }
    return Measurements(
        items=tuple(
            Measurement(
                name=name,
                values=np.array([area(x, y, "trapezoid") for y in curves[:, column]], dtype=np.float32),
                better=better,
                unit="probability",
                help=f"Mean class probability while the mask's cells {wording}, most important first.",
                settings=settings,
                curve_x=x.astype(np.float32),
                curve_y=curves[:, column].astype(np.float32),
                curve_of="share of the mask's cells",
            )
            for column, (name, better, wording) in enumerate(CURVES)
        )
    )


def terms_report(terms: Sequence[tuple[str, bool, float]], finals: np.ndarray, curves: np.ndarray) -> Measurements:
    """f_c in each of the T terms.

    Args:
        terms: name of each term of the objective, whether it inserts, and its weight.
        finals: (N, T) with the final mask, at w = 1.
        curves: (N, steps, T), the mean over w at every step.
    """
    steps = np.arange(curves.shape[1], dtype=np.float32)
    return Measurements(
        items=tuple(
            Measurement(
                name=name,
                values=finals[:, index],
                better="higher" if inserts else "lower",
                unit="probability",
                help=f"Class probability in this term of the objective (weight {weight:g}) with the final mask; "
                "the curve is its mean over w at every step.",
                curve_x=steps,
                curve_y=curves[:, :, index],
                curve_of="step of the optimisation",
            )
            for index, (name, inserts, weight) in enumerate(terms)
        )
    )
