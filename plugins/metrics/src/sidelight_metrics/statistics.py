"""Rank correlation, and confidence intervals of proportions and correlations."""

from __future__ import annotations

import math

import numpy as np
from sidelight_specs.intervals import NORMAL_QUANTILE

FEWEST_FOR_INTERVAL = 3  # images, as for `Measurement.interval`


def ranks(values: np.ndarray) -> np.ndarray:
    """(N,) ranks from 0; equal values share the mean of their ranks."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    means = np.cumsum(counts) - (counts + 1) / 2  # mean rank of each distinct value
    result: np.ndarray = means[index]
    return result


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rho over the pairs in which both are finite; NaN where either is constant there."""
    finite = np.isfinite(first) & np.isfinite(second)
    one, other = ranks(first[finite]), ranks(second[finite])
    if not finite.any() or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])  # Pearson's r of the ranks


def bootstrap_interval(values: np.ndarray, resamples: int = 2000) -> tuple[float, float] | None:
    """95 % percentile interval of a mean (Efron 1979), by resampling (N,) values; None for fewer than three.

    The same values give the same interval.
    """
    if len(values) < FEWEST_FOR_INTERVAL:
        return None
    chosen = np.random.default_rng(0).integers(len(values), size=(resamples, len(values)))
    low, high = np.quantile(values[chosen].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def fisher_interval(correlation: float, count: int) -> tuple[float, float] | None:
    """95 % interval of Pearson's correlation by Fisher's z; None where it is not defined.

    Args:
        correlation: r.
        count: pairs.
    """
    if not abs(correlation) < 1 or count <= 3:  # r is NaN or exact, or n - 3 below is no positive number
        return None
    z, half = math.atanh(correlation), NORMAL_QUANTILE / math.sqrt(count - 3)  # z has a standard error of 1/sqrt(n-3)
    return math.tanh(z - half), math.tanh(z + half)
