"""Pictures of what an attribute does, on the way there, and the other way (StylEx, figures 4 to 6)."""

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


def towards(
    models: Models,
    styles: Tensor,
    found: Sequence[Attribute],
    effects: np.ndarray,
    count: int,
    factor: float,
    frames: int,
) -> dict[str, np.ndarray]:
    """The images on which each attribute raises the target most.

    Args:
        models: classifier and generator.
        styles: (N, S).
        found: A attributes.
        effects: (A, N) changes of the logit; NaN on images that the attribute does not apply to.
        count: images for each attribute, at most.
        factor: how far the coordinate is moved: 1 to its value, 2 twice as far.
        frames: T pictures on the way.

    Returns:
        the fields `before`, `after`, `probabilities` and `paths` of `Attributes`.
    """
    amounts = np.linspace(0, factor, frames)
    chosen = min(count, int(np.isfinite(effects).sum(axis=1).min()))
    paths, probabilities = [], []
    for attribute, effect in zip(found, effects, strict=True):
        rows = np.argsort(-np.nan_to_num(effect, nan=-np.inf), kind="stable")[:chosen]
        start = styles[torch.from_numpy(rows)]
        way = torch.stack([attribute.apply(start, float(amount)) for amount in amounts], 1)  # (n, T, S)
        paths.append(_drawn(models, way))
        probabilities.append(_probabilities(models, way[:, [0, -1]], attribute.target))
    frames_of = np.stack(paths)
    return {
        "before": frames_of[:, :, 0].copy(),
        "after": frames_of[:, :, -1].copy(),
        "probabilities": np.stack(probabilities),
        "paths": frames_of,
    }


def back(
    models: Models, styles: Tensor, found: Sequence[Attribute], ranges: np.ndarray, count: int, factor: float
) -> dict[str, np.ndarray]:
    """Images that are the target already, with each attribute's coordinate moved to its other extreme.

    Those are shown whose probability of the target falls most.

    Args:
        models: classifier and generator.
        styles: (N, S) of images that are the target.
        found: A attributes.
        ranges: (S, 2) of the coordinates.
        count: images for each attribute, at most.
        factor: how far the coordinate is moved.

    Returns:
        the fields `opposite_before`, `opposite_after`, `opposite_probabilities`; nothing without images.
    """
    if not len(styles) or not count:
        return {}
    pictures, probabilities = [], []
    for attribute in found:
        opposite = float(ranges[attribute.coordinate, 0 if attribute.direction > 0 else 1])
        changed = attrs.evolve(attribute, value=opposite).apply(styles, factor)
        both = torch.stack([styles, changed], 1)
        shares = _probabilities(models, both, attribute.target)
        rows = np.argsort(shares[:, 1] - shares[:, 0], kind="stable")[:count]
        pictures.append(_drawn(models, both[torch.from_numpy(rows)]))
        probabilities.append(shares[rows])
    drawn = np.stack(pictures)
    return {
        "opposite_before": drawn[:, :, 0].copy(),
        "opposite_after": drawn[:, :, 1].copy(),
        "opposite_probabilities": np.stack(probabilities),
    }


def _drawn(models: Models, styles: Tensor) -> np.ndarray:
    """(N, T, S) styles to (N, T, C, H, W)."""
    images = to_array(models.draw(styles.flatten(0, 1)))
    return images.reshape(*styles.shape[:2], *images.shape[1:])


def _probabilities(models: Models, styles: Tensor, target: int) -> np.ndarray:
    """(N, T, S) styles to (N, T) probabilities of the class."""
    logits = models.logits(styles.flatten(0, 1))
    return to_array(logits.softmax(1)[:, target]).reshape(tuple(styles.shape[:2]))
