"""Rank correlation, and confidence intervals of shares and correlations."""

from __future__ import annotations

import math

import numpy as np

NORMAL_QUANTILE = 1.959964  # of a two-sided 95 % interval


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson 1927): the shares that a test at 5 % does not reject.

    Args:
        hits: images that count.
        count: all images, at least one.
    """
    share, spread = hits / count, NORMAL_QUANTILE**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = NORMAL_QUANTILE / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def fisher_interval(correlation: float, count: int) -> tuple[float, float] | None:
    """95 % interval of Pearson's correlation by Fisher's z; None where it is not defined.

    Args:
        correlation: r.
        count: pairs.
    """
    if not abs(correlation) < 1 or count <= 3:  # NaN or exact; z has 1 / sqrt(n - 3) for its error
        return None
    z, half = math.atanh(correlation), NORMAL_QUANTILE / math.sqrt(count - 3)
    return math.tanh(z - half), math.tanh(z + half)


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
