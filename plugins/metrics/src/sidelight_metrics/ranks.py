"""Rank correlation."""

from __future__ import annotations

import numpy as np


def ranks(values: np.ndarray) -> np.ndarray:
    """(N,) ranks from 0; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    shared: np.ndarray = middle[place]
    return shared


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation over the places where both are finite; NaN where either is constant there."""
    both = np.isfinite(first) & np.isfinite(second)
    one, other = ranks(first[both]), ranks(second[both])
    if not both.any() or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
