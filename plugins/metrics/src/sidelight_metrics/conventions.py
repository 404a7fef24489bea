"""How published code takes insertion and deletion, and how we do: points, what is absent, and the area."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_toolkit.baselines import baseline
from sidelight_toolkit.curves import area, counts, counts_in_chunks
from sidelight_toolkit.images import gaussian_blur
from torch import Tensor

if TYPE_CHECKING:
    from sidelight_metrics._params import Baseline, InsertionDeletionParams

RISE_KERNEL, RISE_SIGMA = 11, 5.0
IGOS_CHUNKS = 50


@attrs.frozen
class Convention:
    """One way to take the curves.

    Args:
        taken: rows and columns of what is ranked to how many have come or gone at each point, (T,).
        start: (C, H, W) image to what insertion starts from.
        end: (C, H, W) image to what deletion ends in.
        area: shares (T,) and scores (T,) to the area.
        baseline, step, rule: how reports say it.
    """

    taken: Callable[[int, int], np.ndarray]
    start: Callable[[Tensor], Tensor]
    end: Callable[[Tensor], Tensor]
    area: Callable[[np.ndarray, np.ndarray], float]
    baseline: str
    step: str
    rule: str


def convention_of(params: InsertionDeletionParams) -> Convention:
    """The convention that the options ask for."""
    return {"exact": _exact, "rise": _rise, "igos": _igos}[params.convention](params)


def _exact(params: InsertionDeletionParams) -> Convention:
    absent = _absent(params.baseline)
    return Convention(
        taken=lambda rows, columns: counts(rows * columns, params.step),
        start=absent,
        end=absent,
        area=partial(area, rule=params.rule),
        baseline=params.baseline,
        step=f"{params.step:g} of the pixels",
        rule=params.rule,
    )


def _rise(_params: InsertionDeletionParams) -> Convention:
    """A row of pixels at a time; a light blur before, grey after (zeros after their normalising); the trapezoid."""
    return Convention(
        taken=lambda rows, columns: counts_in_chunks(rows * columns, columns),
        start=lambda image: gaussian_blur(image[None], RISE_KERNEL, RISE_SIGMA)[0],
        end=_absent("grey"),
        area=partial(area, rule="trapezoid"),
        baseline=f"blur, kernel {RISE_KERNEL}, sigma {RISE_SIGMA:g} pixels, for insertion, grey for deletion",
        step="a row of pixels",
        rule="trapezoid",
    )


def _igos(_params: InsertionDeletionParams) -> Convention:
    """Chunks of a fiftieth, rounded down; blur before and after; their sum, slip included."""
    absent = _absent("blur")
    return Convention(
        taken=lambda rows, columns: counts_in_chunks(rows * columns, max(1, rows * columns // IGOS_CHUNKS)),
        start=absent,
        end=absent,
        area=area_igos,
        baseline="blur",
        step=f"1/{IGOS_CHUNKS} of the cells, rounded down",
        rule="sum as in the code of I-GOS",
    )


def _absent(kind: Baseline) -> Callable[[Tensor], Tensor]:
    return lambda image: baseline(image[None], kind)[0]


def area_igos(x: np.ndarray, y: np.ndarray) -> float:
    """The area as the code of I-GOS takes it: each chunk counts with the score after it, the last one with 1.

    The 1 is a slip of theirs: with 49 cells it adds up to 1/49 to insertion and deletion alike.
    """
    heights = y[1:].copy()
    heights[-1] = 1
    return float((heights * np.diff(x)).sum())
