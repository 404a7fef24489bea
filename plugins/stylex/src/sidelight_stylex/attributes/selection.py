"""Which coordinates to take, given what changing each of them does (StylEx, algorithm 1; the authors' notebook)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Choice(NamedTuple):
    """A coordinate and one of the two directions, 0 for down and 1 for up."""

    coordinate: int
    direction: int


def by_paper(changes: np.ndarray, count: int, threshold: float) -> list[Choice]:
    """Algorithm 1, without its inner loops.

    At each turn the coordinate and direction with the largest mean change over the images that are left. A coordinate
    both of whose directions raise the class on average is inconsistent, and discarded (footnote 4). Images on which
    the chosen change exceeds the threshold are explained, and taken out. It ends with `count` coordinates, without
    images, or when no change raises the class any more.

    Args:
        changes: (N, S, 2) Delta[x, s, d].
        count: M.
        threshold: t, in logits.

    Returns:
        S_y and D_y in the order in which they were found.
    """
    left = np.ones(len(changes), dtype=bool)
    found: list[Choice] = []
    while len(found) < count and left.any():
        mean = changes[left].mean(axis=0, dtype=np.float64)
        mean[(mean > 0).all(axis=1)] = 0
        mean[[choice.coordinate for choice in found]] = 0
        best = Choice(*map(int, np.unravel_index(mean.argmax(), mean.shape)))
        if mean[best] <= 0:
            break
        found.append(best)
        left &= ~(changes[:, best.coordinate, best.direction] > threshold)
    return found


def as_released(changes: np.ndarray, count: int, limit: float) -> list[Choice]:
    """The selection of the authors' notebook.

    Changes that lower the class count as none; a coordinate may be taken once for each direction; and an image is
    explained when the changes that were chosen raise the class by `limit` together.

    Args:
        changes: (N, S, 2).
        count: how many to find.
        limit: in logits.
    """
    gains = changes.clip(0)
    so_far, open_ = np.zeros(len(gains)), np.ones(gains.shape[1:], dtype=bool)
    found: list[Choice] = []
    while len(found) < count and (so_far < limit).any():
        mean = np.where(open_, gains[so_far < limit].mean(axis=0, dtype=np.float64), 0)
        best = Choice(*map(int, np.unravel_index(mean.argmax(), mean.shape)))
        if mean[best] <= 0:
            break
        found.append(best)
        open_[best] = False
        so_far += gains[:, best.coordinate, best.direction]
    return found
