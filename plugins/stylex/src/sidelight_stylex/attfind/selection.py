"""Selection of attributes, given the effect of each change (StylEx, algorithm 1; the authors' notebook).

Symbols as in the paper: X images, s coordinate, d direction, Delta[x, s, d] change of the class's logit, M attributes,
t threshold, S_y and D_y the coordinates and directions found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import attrs
import numpy as np

Measure = Callable[[np.ndarray], np.ndarray]
"""(n,) rows of X -> (n, S, 2) Delta; NaN for a coordinate that has no prospect of being chosen on these."""


class Choice(NamedTuple):
    """A coordinate and one of the two directions, 0 for down and 1 for up."""

    coordinate: int
    direction: int


@attrs.frozen(eq=False)
class Selection:
    """S_y and D_y in their order of discovery, with the images that each explains.

    Args:
        choices: A pairs (s_max, d_max).
        explained: (A, N) bool, X_explained of each turn.
    """

    choices: list[Choice]
    explained: np.ndarray


def by_paper(measure: Measure, images: int, count: int, threshold: float) -> Selection:
    """Algorithm 1; the inner loops are `measure`.

    Ends with `count` coordinates, without images, or when no change raises the class on the images left.

    Args:
        measure: Delta on some images.
        images: N, the size of X at the beginning.
        count: M.
        threshold: t, in logits; inf takes no image out.
    """
    left = np.ones(images, dtype=bool)  # X
    found, explained = list[Choice](), list[np.ndarray]()
    while len(found) < count and left.any():
        rows = np.flatnonzero(left)
        delta = measure(rows)
        mean = _mean(delta)  # Delta-bar[s, d], (S, 2)
        mean[(mean > 0).all(axis=1)] = 0  # footnote 4: both directions raise the class
        mean[[choice.coordinate for choice in found]] = 0  # s not in S_y
        best = _largest(mean)
        if mean[best] <= 0:
            break
        found.append(best)
        taken = np.zeros(images, dtype=bool)
        taken[rows] = delta[:, best.coordinate, best.direction] > threshold  # X_explained
        explained.append(taken)
        left &= ~taken
    return Selection(found, np.array(explained, dtype=bool).reshape(len(found), images))


def as_released(measure: Measure, images: int, count: int, limit: float) -> Selection:
    """The selection of the authors' notebook.

    Changes that lower the class count as none; a coordinate may be taken once for each direction; and an image is
    explained when the changes that were chosen raise the class by `limit` together.

    Args:
        measure: Delta on some images.
        images: N.
        count: how many to find.
        limit: in logits; inf takes no image out.
    """
    total = np.zeros(images)  # accumulated gain of each image
    found, explained = list[Choice](), list[np.ndarray]()
    while len(found) < count and (total < limit).any():
        rows = np.flatnonzero(total < limit)
        gains = measure(rows).clip(0)
        mean = _mean(gains)
        mean[tuple(np.array(found, dtype=np.int64).reshape(-1, 2).T)] = 0
        best = _largest(mean)
        if mean[best] <= 0:
            break
        found.append(best)
        total[rows] += gains[:, best.coordinate, best.direction]
        taken = np.zeros(images, dtype=bool)
        taken[rows] = total[rows] >= limit
        explained.append(taken)
    return Selection(found, np.array(explained, dtype=bool).reshape(len(found), images))


def _mean(delta: np.ndarray) -> np.ndarray:
    """(n, S, 2) to the means over the images, (S, 2); 0, which is never chosen, where one was not measured."""
    mean: np.ndarray = np.nan_to_num(delta.mean(axis=0, dtype=np.float64), nan=0.0)
    return mean


def _largest(mean: np.ndarray) -> Choice:
    return Choice(*map(int, np.unravel_index(mean.argmax(), mean.shape)))
