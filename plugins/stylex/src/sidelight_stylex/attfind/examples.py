"""Example images of attributes: on the way from before to after, and in the opposite direction (StylEx, figs. 4-6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_toolkit.arrays import to_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results import Attribute
    from torch import Tensor

    from sidelight_stylex.attfind.style_effects import Models

SHOWN = 256
"""Pixels a side of examples, at most, as pages show them: ten attributes of 1024 pixels would take 2.5 GB a class."""


def examples(
    models: Models,
    styles: Tensor,
    attributes: Sequence[Attribute],
    effects: np.ndarray,
    count: int,
    factor: float,
    frames: int,
) -> dict[str, np.ndarray]:
    """The images that each attribute moves most.

    Args:
        models: classifier and generator.
        styles: (N, S).
        attributes: A of them.
        effects: (A, N) changes of the logit or value, positive in the attribute's own direction; NaN on images that it
            does not apply to.
        count: images for each attribute, at most.
        factor: distance in which the coordinate is moved: 1 to its value, 2 twice as far.
        frames: T images from before to after.

    Returns:
        the fields `before`, `after`, `probabilities` and `paths` (as bytes) of `Attributes`; images at most `SHOWN`
        pixels a side.
    """
    factors = np.linspace(0, factor, frames)
    # as many for each attribute, so that the arrays are rectangular
    count = min(count, int(np.isfinite(effects).sum(axis=1).min()))
    before, after, paths, probabilities = [], [], [], []
    for attribute, effect in zip(attributes, effects, strict=True):
        rows = np.argsort(-np.nan_to_num(effect, nan=-np.inf), kind="stable")[:count]
        start = styles[torch.from_numpy(rows)]
        path = torch.stack([attribute.apply(start, float(step)) for step in factors], 1)  # (n, T, S)
        images = _drawn(models, path)  # (n, T, C, H, W)
        before.append(images[:, 0].copy())
        after.append(images[:, -1].copy())
        paths.append(np.rint(images * 255).astype(np.uint8))  # looked at only, and the largest of all results
        probabilities.append(_probabilities(models, path[:, [0, -1]], attribute.target))
    return {
        "before": np.stack(before),
        "after": np.stack(after),
        "probabilities": np.stack(probabilities),
        "paths": np.stack(paths),
    }


def opposite_examples(
    models: Models, styles: Tensor, attributes: Sequence[Attribute], ranges: np.ndarray, count: int, factor: float
) -> dict[str, np.ndarray]:
    """Images of the target with each attribute's coordinate moved to its other extreme.

    Those are shown whose probability of the target falls most.

    Args:
        models: classifier and generator.
        styles: (N, S) of images that are the target.
        attributes: A of them.
        ranges: (S, 2) of the coordinates.
        count: images for each attribute, at most.
        factor: distance in which the coordinate is moved.

    Returns:
        the fields `opposite_before`, `opposite_after`, `opposite_probabilities`; nothing without images.
    """
    if not len(styles) or not count:
        return {}
    images, probabilities = [], []
    before = _probabilities(models, styles[:, None], attributes[0].target)  # all have one target, (N, 1)
    for attribute in attributes:
        extreme = float(ranges[attribute.coordinate, 0 if attribute.direction > 0 else 1])
        opposite = attrs.evolve(attribute, value=extreme)
        pairs = torch.stack([styles, opposite.apply(styles, factor)], 1)  # before and after, (N, 2, S)
        ratios = np.concatenate([before, _probabilities(models, pairs[:, 1:], attribute.target)], axis=1)
        rows = np.argsort(ratios[:, 1] - ratios[:, 0], kind="stable")[:count]
        images.append(_drawn(models, pairs[torch.from_numpy(rows)]))
        probabilities.append(ratios[rows])
    drawn = np.stack(images)
    return {
        "opposite_before": drawn[:, :, 0].copy(),
        "opposite_after": drawn[:, :, 1].copy(),
        "opposite_probabilities": np.stack(probabilities),
    }


def _drawn(models: Models, styles: Tensor) -> np.ndarray:
    """(N, T, S) styles to (N, T, C, H, W), at most `SHOWN` pixels a side."""
    images = to_array(models.draw(styles.flatten(0, 1), SHOWN))
    return images.reshape(*styles.shape[:2], *images.shape[1:])


def _probabilities(models: Models, styles: Tensor, target: int) -> np.ndarray:
    """(N, T, S) styles to (N, T) probabilities of the class, or to a regression's values."""
    logits = models.logits(styles.flatten(0, 1))
    shown = logits if models.is_regression else logits.softmax(1)
    return to_array(shown[:, target]).reshape(tuple(styles.shape[:2]))
