"""Insertion and deletion curves: the score of an image that turns into another, cell by cell in a given order.

    curve(t) = s(start + m_t (end - start)),  m_t = the first taken[t] cells in the order, upsampled to the image

On a grid of pixels m is 0 or 1; on a coarser one the borders of its cells are soft.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from sidelight_toolkit.batching import slices
from sidelight_toolkit.images import upsample_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def ranks(values: np.ndarray) -> np.ndarray:
    """(h, w) int64 position of each value in descending order; equal values go in reading order."""
    order = np.argsort(-values.ravel(), kind="stable")  # the inverse permutation of the positions
    positions = np.empty(order.size, dtype=np.int64)
    positions[order] = np.arange(order.size)
    return positions.reshape(values.shape)


def counts(cells: int, step: float) -> np.ndarray:
    """(T,) numbers of cells taken at each point of the curve: 0, about `step * cells` more each, all."""
    points = np.arange(math.ceil(1 / step - 1e-9) + 1) * step * cells  # 1e-9: 1 / 0.1 is to give ten steps
    return np.unique(np.minimum(np.round(points).astype(np.int64), cells))


def counts_in_chunks(cells: int, chunk: int) -> np.ndarray:
    """(T,) the same in whole chunks, and the rest at last: 0, chunk, 2 chunk ... all."""
    return np.append(np.arange(0, cells, chunk), cells)


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
        start: (C, H, W), the image with no cell taken.
        end: (C, H, W), the image with all cells taken.
        order: (h, w) of `ranks`, of the pixels or of the cells of a grid, whose borders are then soft.
        taken: (T,) of `counts`, cells taken at each point.
        batch: images in one call of `score`.

    Returns:
        (T,) float64.
    """
    return composed_curve(score, partial(torch.lerp, start, end), order, taken, start, batch)


def composed_curve(
    score: Callable[[torch.Tensor], np.ndarray],
    compose: Callable[[torch.Tensor], torch.Tensor],
    order: torch.Tensor,
    taken: torch.Tensor,
    like: torch.Tensor,
    batch: int,
) -> np.ndarray:
    """The score of images that are composed from the mask at each point.

    Args:
        score: (n, C, H, W) images to (n,) scores.
        compose: (n, 1, H, W) masks m in [0, 1] to (n, C, H, W) images.
        order: (h, w) of `ranks`, as for `curve`.
        taken: (T,) of `counts`, cells taken at each point.
        like: (C, H, W) gives size, dtype and device of the masks.
        batch: images in one call of `score`.

    Returns:
        (T,) float64.
    """
    points = []
    for rows in slices(len(taken), batch):
        masks = (order < taken[rows, None, None])[:, None].to(like)  # m_t on the grid, (n, 1, h, w)
        points.append(score(compose(upsample_cells(masks, (like.shape[-2], like.shape[-1])))))
    return np.concatenate(points)


def composed_curves(
    score: Callable[[torch.Tensor], np.ndarray],
    composes: Sequence[Callable[[torch.Tensor], torch.Tensor]],
    orders: torch.Tensor,
    taken: torch.Tensor,
    like: torch.Tensor,
    batch: int,
) -> np.ndarray:
    """Curves of several images in one pass, or of one image in as many as it takes.

    Args:
        score: (n T, C, H, W) images, the points of the first image first, to (n T,) scores; for one image any of them.
        composes: of each of n images, as for `composed_curve`.
        orders: (n, h, w), as for `curve`.
        taken: (T,) of `counts`, cells taken at each point.
        like: (C, H, W) gives size, dtype and device of the masks.
        batch: images in one call of `score`; at least n T unless n is 1.

    Returns:
        (n, T) float64.
    """
    if len(composes) == 1:
        return composed_curve(score, composes[0], orders[0], taken, like, batch)[None]
    size = (like.shape[-2], like.shape[-1])
    masks = (upsample_cells((order < taken[:, None, None])[:, None].to(like), size) for order in orders)
    images = torch.cat([compose(mask) for compose, mask in zip(composes, masks, strict=True)])
    return score(images).reshape(len(composes), len(taken))


def area(x: np.ndarray, y: np.ndarray, rule: str) -> float:
    """Area under a curve over [0, 1]: the exact trapezoid, or the left Riemann sum (`rule` is `"sum"`)."""
    heights = y[:-1] if rule == "sum" else (y[:-1] + y[1:]) / 2
    return float((heights * np.diff(x)).sum())
