"""Intervals of means and the probabilities that several claims are corrected by."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from sidelight_specs.intervals import student_interval, wilson_interval

POINTS = 4000  # of an integral, to six digits
FEWEST = 3  # values for an interval, as for `Measurement.interval`


class Mean(NamedTuple):
    """Mean of N values with its 95 % interval: Wilson's of a share, Student's of other values."""

    value: float
    low: float
    high: float
    values: np.ndarray
    is_share: bool = False

    @classmethod
    def of(cls, values: np.ndarray) -> Mean:
        """Of at least `FEWEST` finite values, (N,)."""
        exact = np.asarray(values, np.float64)
        value, (low, high) = float(exact.mean()), student_interval(exact)
        return cls(value, min(low, value), max(high, value), exact)

    @classmethod
    def of_metric(cls, values: np.ndarray) -> Mean:
        """Likewise, but values that are all 0 or 1 are hits of a share, as for `Measurement.interval`."""
        exact = np.asarray(values, np.float64)
        if not np.isin(exact, (0, 1)).all():
            return cls.of(exact)
        return cls(float(exact.mean()), *wilson_interval(float(exact.sum()), len(exact)), exact, is_share=True)

    def p_against(self, threshold: float) -> float:
        """Two-sided probability of a mean so far from the threshold if that were the true mean.

        The score test of a proportion (whose inversion is Wilson's interval), the t test of other values.
        """
        count, gap = len(self.values), self.value - threshold
        if self.is_share:
            variance = threshold * (1 - threshold) / count
            return _two_sided(gap / math.sqrt(variance)) if variance > 0 else float(gap == 0)
        error = float(self.values.std(ddof=1)) / math.sqrt(count)
        if error == 0:
            return float(gap == 0)
        return student_p(gap / error, count - 1)


def student_p(t: float, freedom: int) -> float:
    """Two-sided p of Student's t: with x = sqrt(n) tan(a), its density is proportional to cos(a)^(n - 1)."""
    angle = math.atan(abs(t) / math.sqrt(freedom))

    def area(start: float) -> float:  # from there to a right angle, by midpoints
        width = (math.pi / 2 - start) / POINTS
        middles = start + width * (np.arange(POINTS) + 0.5)
        return float((np.cos(middles) ** (freedom - 1)).sum() * width)

    return area(angle) / area(0.0)


def rank_p(value: float, controls: np.ndarray) -> float:
    """Share of (C,) random controls, the value among them, that reach it (a permutation test's p)."""
    return (1 + int((controls >= value).sum())) / (1 + len(controls))


def _two_sided(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))
