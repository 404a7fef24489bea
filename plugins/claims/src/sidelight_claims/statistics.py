"""Intervals of means and the probabilities that several claims are corrected by."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from sidelight_specs.intervals import student_interval, wilson_interval

FEWEST = 3  # values for an interval, as for `Measurement.interval`


class Mean(NamedTuple):
    """Mean of N values with its 95 % interval: Wilson's of values that are all 0 or 1, Student's otherwise."""

    value: float
    low: float
    high: float
    values: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Mean:
        """Of at least `FEWEST` finite values, (N,)."""
        exact = np.asarray(values, np.float64)
        value = float(exact.mean())
        if np.isin(exact, (0, 1)).all():
            low, high = wilson_interval(float(exact.sum()), len(exact))
        else:
            low, high = student_interval(exact)
        return cls(value, min(low, value), max(high, value), exact)

    def p_against(self, threshold: float) -> float:
        """Two-sided probability of a mean so far from the threshold if that were the true mean.

        The score test of a proportion (whose inversion is Wilson's interval), the t test of other values.
        """
        count, gap = len(self.values), self.value - threshold
        if np.isin(self.values, (0, 1)).all():
            variance = threshold * (1 - threshold) / count
            return _two_sided(gap / math.sqrt(variance)) if variance > 0 else float(gap == 0)
        error = float(self.values.std(ddof=1)) / math.sqrt(count)
        if error == 0:
            return float(gap == 0)
        return student_p(gap / error, count - 1)


def student_p(t: float, freedom: int) -> float:
    """Two-sided p of Student's t by a normal deviate (Abramowitz and Stegun 1964, 26.7.8)."""
    return _two_sided(t * (1 - 1 / (4 * freedom)) / math.sqrt(1 + t * t / (2 * freedom)))


def rank_p(value: float, controls: np.ndarray) -> float:
    """Share of (C,) random controls, the value among them, that reach it (a permutation test's p)."""
    return (1 + int((controls >= value).sum())) / (1 + len(controls))


def _two_sided(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))
