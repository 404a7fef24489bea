"""Coordinates worth measuring on all images: a race, and a screening by the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import slices

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_stylex.attfind.style_effects import Models

    Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]

FIRST = 8
"""Images in the first round of a race."""
MARGIN = 2.5
"""A coordinate stays in the race while its mean, and so many standard errors, reach what counts."""


def race(measure: Measure, order: np.ndarray, coordinates: np.ndarray, count: int, either_way: bool) -> None:
    """Measure coordinates on ever more images, and give up those that have no prospect (Maron and Moore 1994).

    All are measured on `FIRST` images. After that, and each time that the number of images has doubled, those stay
    whose mean change may still, within `MARGIN` standard errors, be among the `count` largest, and those that are
    among the `count` largest of any one image. Those that stay to the end are measured on all images.

    Args:
        measure: (n,) rows and (c,) coordinates -> (n, c, 2) changes, as the rule counts them.
        order: (N,) rows, in a random order.
        coordinates: (C,), ascending.
        count: attributes that are wanted in the end.
        either_way: whether a coordinate may be chosen that raises the class in both directions.
    """
    seen = FIRST
    while seen < len(order):
        delta = measure(order[:seen], coordinates)
        coordinates = coordinates[_in_prospect(delta, count, 1 - seen / len(order), either_way)]
        seen *= 2
    measure(order, coordinates)


def _in_prospect(delta: np.ndarray, count: int, unseen: float, either_way: bool) -> np.ndarray:
    """(C,) bool, of (n, C, 2) changes; the error of a mean shrinks with the share of images that are unseen."""
    if delta.shape[1] <= count:
        return np.ones(delta.shape[1], dtype=bool)
    error = MARGIN * delta.std(axis=0, ddof=1) * np.sqrt(unseen / len(delta))
    mean = delta.mean(axis=0)
    least = (mean - error).max(axis=1)
    if not either_way:
        least[(mean + error > 0).all(axis=1)] = -np.inf  # may fall to footnote 4, and is no rival then
    overall = (mean + error).max(axis=1) >= np.sort(least)[-count]
    best = delta.max(axis=2)
    single = best >= np.sort(best, axis=1)[:, -count, None]
    return np.asarray(overall | single.any(axis=0))


def screened(promised: np.ndarray, coordinates: np.ndarray, count: int) -> np.ndarray:
    """The coordinates whose changes promise most.

    Half of them are those with the largest mean, half those that are largest on single images.

    Args:
        promised: (n, S, 2) changes by the gradient (`promised_changes`).
        coordinates: (C,), ascending, to choose from.
        count: how many to choose, at most.

    Returns:
        those chosen, ascending.
    """
    promised = promised[:, coordinates]
    mean = promised.mean(axis=0).max(axis=1)
    place = np.argsort(np.argsort(-promised.max(axis=2), axis=1, kind="stable"), axis=1).min(axis=0)
    place[np.argsort(-mean, kind="stable")[: count - count // 2]] = -1
    return np.sort(coordinates[np.argsort(place, kind="stable")[:count]])


def promised_changes(models: Models, styles: torch.Tensor, values: np.ndarray, target: int) -> np.ndarray:
    """(N, S, 2) changes of the target's logit to first order: (value - style) times the derivative.

    Args:
        models: classifier and generator, both differentiable.
        styles: (N, S) of the images.
        values: (S, 2), what each coordinate is set to.
        target: index of the class.

    Raises:
        UserError: no gradient reaches the styles.
    """
    parts = models.run.progress(list(slices(len(styles), models.batch)), "screening")
    return np.concatenate([_promised(models, styles[part], values, target) for part in parts])


def _promised(models: Models, styles: torch.Tensor, values: np.ndarray, target: int) -> np.ndarray:
    """(n, S, 2) changes by the gradient."""
    start = styles.detach().requires_grad_()
    with torch.enable_grad():
        logits = models.classifier.class_logits(models.generator.synthesize_styles(start))[:, target]
        if not logits.requires_grad:
            raise UserError(
                "mode: screened needs gradients, and classifier or generator gives none",
                "use mode: raced, or components that provide `differentiable`",
            )
        (gradient,) = torch.autograd.grad(logits.sum(), start)
    moves = to_tensor(values.astype(np.float32), models.run)[None] - styles[:, :, None]
    return to_array(gradient[:, :, None] * moves)
