"""Which coordinates are worth measuring on all images: a race, and a look at the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import slices

if TYPE_CHECKING:
    from sidelight_stylex.attributes.changes import Changes, Models

FIRST = 8
"""Images in the first round of a race."""
MARGIN = 2.5
"""A coordinate stays in the race while its mean, and so many standard errors, reach what counts."""


def race(changes: Changes, coordinates: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Measure coordinates on ever more images, and give up those that have no prospect (Maron and Moore 1994).

    All are measured on `FIRST` images, drawn at random. After that, and each time that the number of images has
    doubled, those stay whose mean change may still, within `MARGIN` standard errors, be among the `count` largest, and
    those that are among the `count` largest of any one image.

    Args:
        changes: what measures.
        coordinates: (C,), ascending.
        count: how many are wanted in the end.
        rng: decides which images come first.

    Returns:
        the coordinates that were measured on all images.
    """
    order = rng.permutation(len(changes.measured))
    seen = FIRST
    while seen < len(order):
        found = changes.measure(order[:seen].tolist(), coordinates)
        coordinates = coordinates[_in_prospect(found, count, 1 - seen / len(order))]
        seen *= 2
    changes.measure(order.tolist(), coordinates)
    return coordinates


def _in_prospect(found: np.ndarray, count: int, unseen: float) -> np.ndarray:
    """(C,) bool, of (n, C, 2) changes; the error of a mean shrinks with the share of images that are unseen."""
    if found.shape[1] <= count:
        return np.ones(found.shape[1], dtype=bool)
    error = found.std(axis=0, ddof=1) * np.sqrt(unseen / len(found))
    mean = found.mean(axis=0)
    surely = np.sort((mean - MARGIN * error).max(axis=1))[-count]
    overall = (mean + MARGIN * error).max(axis=1) >= surely
    best = found.max(axis=2)
    single = best >= np.sort(best, axis=1)[:, -count, None]
    return np.asarray(overall | single.any(axis=0))


def screened(
    models: Models, styles: torch.Tensor, values: np.ndarray, target: int, coordinates: np.ndarray, count: int
) -> np.ndarray:
    """The coordinates whose changes promise most by the gradient of the target's logit.

    A change of a coordinate by h is taken to change the logit by h times the derivative. Half of the coordinates are
    those with the largest mean, half those that are largest on single images.

    Args:
        models: classifier and generator, both differentiable.
        styles: (N, S) of the images.
        values: (S, 2), what each coordinate is set to.
        target: index of the class.
        coordinates: (C,), ascending, to choose from.
        count: how many to choose, at most.

    Returns:
        those chosen, ascending.

    Raises:
        UserError: no gradient reaches the styles.
    """
    parts = models.run.progress(list(slices(len(styles), models.batch)), "screening")
    promised = np.concatenate([_promised(models, styles[part], values, target) for part in parts])[:, coordinates]
    mean = promised.mean(axis=0).max(axis=1)
    place = np.argsort(np.argsort(-promised.max(axis=2), axis=1, kind="stable"), axis=1).min(axis=0)
    place[np.argsort(-mean, kind="stable")[: count - count // 2]] = -1
    return np.sort(coordinates[np.argsort(place, kind="stable")[:count]])


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
