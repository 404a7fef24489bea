"""What goes with a mask: what each term of its objective reached, and what its own order of the cells does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.curves import area, counts, curve, ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_structured.igos.objective import Objective, Term


_WAYS: tuple[tuple[str, Literal["higher", "lower"], str], ...] = (
    ("insertion", "higher", "come into the baseline"),
    ("deletion", "lower", "are replaced by the baseline"),
)


def mask_curves(objective: Objective, masks: torch.Tensor, step: float) -> np.ndarray:
    """Insertion and deletion (Petsiuk et al. 2018) by the cells of the masks, whose borders are soft.

    Args:
        objective: the images, their baselines and f_c.
        masks: (N, h, w), low where a cell matters.
        step: share of the cells that come, or go, from one point of the curves to the next.

    Returns:
        (N, 2, T): f_c while the cells come into the baseline, and while the baseline takes their places.
    """
    taken = torch.from_numpy(counts(masks[0].numel(), step)).to(masks.device)
    return np.stack([_both(objective, row, mask, taken) for row, mask in enumerate(masks)])


def _both(objective: Objective, row: int, mask: torch.Tensor, taken: torch.Tensor) -> np.ndarray:
    image, absent, score = objective.images[row], objective.baselines[row], objective.score
    order = torch.from_numpy(ranks(-to_array(mask))).to(mask.device)

    def probability(images: torch.Tensor) -> np.ndarray:
        return to_array(score.of_many(images, torch.full((len(images),), row, device=images.device)))

    ways = ((absent, image), (image, absent))
    return np.stack([curve(probability, *way, order, taken, score.batch) for way in ways])


def curves_report(curves: np.ndarray, size: tuple[int, int], step: float) -> Measurements:
    """`insertion` and `deletion` with their areas (exact trapezoid), of `mask_curves` (N, 2, T)."""
    cells = size[0] * size[1]
    share = counts(cells, step) / cells
    settings = {
        "baseline": "the method's own blur",
        "cells": f"{size[0]} x {size[1]}",
        "step": f"{step:g} of the cells",
    }
    return Measurements(
        items=tuple(
            Measurement(
                name=name,
                values=np.array([area(share, line, "trapezoid") for line in curves[:, column]], dtype=np.float32),
                better=better,
                unit="probability",
                help=f"Mean probability of the class while the mask's cells {way}, most important first.",
                settings=settings,
                curve_x=share.astype(np.float32),
                curve_y=curves[:, column].astype(np.float32),
                curve_of="share of the mask's cells",
            )
            for column, (name, better, way) in enumerate(_WAYS)
        )
    )


def terms_report(terms: Sequence[Term], finals: np.ndarray, curves: np.ndarray) -> Measurements:
    """The class's probability in each of the T terms.

    Args:
        terms: those of the objective.
        finals: (N, T) with the final mask and without w.
        curves: (N, steps, T), the mean over w at every step.
    """
    steps = np.arange(curves.shape[1], dtype=np.float32)
    return Measurements(
        items=tuple(
            Measurement(
                name=term.name,
                values=finals[:, number],
                better="higher" if term.inserts else "lower",
                unit="probability",
                help=f"The class's probability in this term of the objective, whose weight is {term.weight:g}, "
                "with the final mask; the curve is its mean over w at every step.",
                curve_x=steps,
                curve_y=curves[:, :, number],
                curve_of="step of the optimisation",
            )
            for number, term in enumerate(terms)
        )
    )
