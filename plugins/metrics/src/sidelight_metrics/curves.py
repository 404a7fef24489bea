"""Insertion and deletion curves: an image turning into another, pixel by pixel in a given order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_toolkit.batching import slices

if TYPE_CHECKING:
    from collections.abc import Callable


def ranks(values: np.ndarray) -> np.ndarray:
    """(H, W) int64 position of each pixel in the order of falling value; equal values go in reading order."""
    order = np.argsort(-values.ravel(), kind="stable")
    positions = np.empty(order.size, dtype=np.int64)
    positions[order] = np.arange(order.size)
    return positions.reshape(values.shape)


def counts(pixels: int, step: float) -> np.ndarray:
    """(T,) how many pixels have come or gone at each point of the curve: 0, about `step * pixels` more each, all."""
    points = np.arange(math.ceil(1 / step - 1e-9) + 1) * step * pixels
    return np.unique(np.minimum(np.round(points).astype(np.int64), pixels))


def curve(
    score: Callable[[torch.Tensor], np.ndarray],
    start: torch.Tensor,
    end: torch.Tensor,
    order: torch.Tensor,
    taken: torch.Tensor,
    batch: int,
) -> np.ndarray:
    """The score while `start` turns into `end`.

    Args:
        score: (n, C, H, W) images to (n,) scores.
        start: (C, H, W), what it is at first.
        end: (C, H, W), what it becomes.
        order: (H, W) of `ranks`.
        taken: (T,) of `counts`: so many pixels are the end's at each point.
        batch: images in one call of `score`.

    Returns:
        (T,) float64.
    """
    points = []
    for part in slices(len(taken), batch):
        turned = order < taken[part, None, None]
        points.append(score(torch.where(turned[:, None], end, start)))
    return np.concatenate(points)


def area(x: np.ndarray, y: np.ndarray, rule: str) -> float:
    """Area under a curve over [0, 1]: the exact trapezoid, or the left Riemann sum (`rule` is `"sum"`)."""
    heights = y[:-1] if rule == "sum" else (y[:-1] + y[1:]) / 2
    return float((heights * np.diff(x)).sum())
