"""Coordinates worth measuring on all images: screening by the gradient, and successive elimination.

Both lower the cost of AttFind's inner loops (modes `screened` and `raced`) and are exact only where nothing is
eliminated wrongly. Symbols are those of `style_effects`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import State
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import slices

from sidelight_stylex.attfind.style_effects import GRADIENT_PIXELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_stylex.attfind.style_effects import Models

    Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]

FIRST = 8
"""Images of the first round: the fewest whose standard deviation means something."""
MARGIN = 2.5
"""Half-width of the confidence interval of a mean, in standard errors."""


def successive_elimination(
    measure: Measure, order: np.ndarray, coordinates: np.ndarray, count: int, either_direction: bool
) -> None:
    """Measure coordinates on ever more images, eliminating those without prospect (Maron and Moore 1994).

    All are measured on `FIRST` images. After that, and each time that the number of images has doubled, those stay
    whose mean effect may still, within `MARGIN` standard errors, be among the `count` largest, and those that are
    among the `count` largest of any one image. Those that stay to the end are measured on all images.

    Args:
        measure: (n,) rows and (c,) coordinates -> (n, c, 2) effects, as the selection rule counts them.
        order: (N,) rows, in a random order.
        coordinates: (C,), ascending.
        count: attributes wanted in the end.
        either_direction: a coordinate that raises the class in both directions may be chosen.
    """
    seen = FIRST
    while seen < len(order):
        delta = measure(order[:seen], coordinates)
        coordinates = coordinates[_in_prospect(delta, count, 1 - seen / len(order), either_direction)]
        seen *= 2
    measure(order, coordinates)


def _in_prospect(delta: np.ndarray, count: int, unseen: float, either_direction: bool) -> np.ndarray:
    """(C,) bool, given effects (n, C, 2) and the ratio of images not yet seen."""
    if delta.shape[1] <= count:
        return np.ones(delta.shape[1], dtype=bool)
    # standard error of a mean over a finite population: it vanishes when all images are seen
    error = MARGIN * delta.std(axis=0, ddof=1) * np.sqrt(unseen / len(delta))  # (C, 2)
    mean = delta.mean(axis=0)
    lowest = (mean - error).max(axis=1)
    if not either_direction:
        lowest[(mean + error > 0).all(axis=1)] = -np.inf  # may fall to footnote 4, and is no rival then
    on_average = (mean + error).max(axis=1) >= np.sort(lowest)[-count]
    largest = delta.max(axis=2)  # (n, C)
    on_an_image = largest >= np.sort(largest, axis=1)[:, -count, None]
    return np.asarray(on_average | on_an_image.any(axis=0))


def screen(estimates: np.ndarray, coordinates: np.ndarray, count: int) -> np.ndarray:
    """The coordinates with the largest estimated effects: half by the mean, half by single images.

    Args:
        estimates: (n, S, 2) of `gradient_estimates`.
        coordinates: (C,), ascending, to choose from.
        count: how many to choose, at most.

    Returns:
        those chosen, ascending.
    """
    estimates = estimates[:, coordinates]
    mean = estimates.mean(axis=0).max(axis=1)  # (C,)
    # best rank of each coordinate on any image; those with the largest mean go before all
    rank = np.argsort(np.argsort(-estimates.max(axis=2), axis=1, kind="stable"), axis=1).min(axis=0)
    rank[np.argsort(-mean, kind="stable")[: count - count // 2]] = -1
    return np.sort(coordinates[np.argsort(rank, kind="stable")[:count]])


def gradient_estimates(models: Models, styles: torch.Tensor, extremes: np.ndarray, target: int) -> np.ndarray:
    """Delta to first order: (extreme - style) * dC_y/ds, (N, S, 2).

    Args:
        models: classifier and generator, both differentiable.
        styles: (N, S).
        extremes: (S, 2).
        target: y.

    Raises:
        UserError: no gradient reaches the styles.
    """
    run, parts = models.run, []
    for batch in run.progress(list(slices(len(styles), models.at_once(GRADIENT_PIXELS))), "screening"):
        # kept as they are made: of large images a gradient takes seconds
        key = ("estimates", target, extremes, to_array(styles[batch]))
        parts.append(run.cached(key, partial(_estimated, models, styles[batch], extremes, target)).arrays["delta"])
    return np.concatenate(parts)


def _estimated(models: Models, styles: torch.Tensor, extremes: np.ndarray, target: int) -> State:
    start = styles.detach().requires_grad_()
    with torch.enable_grad():
        logits = models.classifier.class_logits(models.generator.synthesize_styles(start))[:, target]
        if not logits.requires_grad:
            raise UserError(
                "mode: screened needs gradients, and classifier or generator gives none",
                "set mode to raced, or use components that provide `differentiable`",
            )
        (gradient,) = torch.autograd.grad(logits.sum(), start)  # dC_y/ds, (n, S)
    moves = to_tensor(extremes.astype(np.float32), models.run)[None] - styles[:, :, None]  # (n, S, 2)
    return State(arrays={"delta": to_array(gradient[:, :, None] * moves)})
