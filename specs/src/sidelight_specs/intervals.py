"""95 % confidence intervals that kinds, metrics and benchmarks share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

NORMAL_QUANTILE = 1.959964  # of a two-sided 95 % interval


def wilson_interval(hits: float, count: int, quantile: float = NORMAL_QUANTILE) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson 1927): the values that a test at 5 % does not reject.

    Args:
        hits: images that count; of images that count in part, the sum of their shares, whose interval is at most as
            wide.
        count: all images, at least one.
        quantile: z of the normal distribution, for another level than 95 %.
    """
    p, spread = hits / count, quantile**2 / count  # spread = z^2 / n
    middle = (p + spread / 2) / (1 + spread)
    half = quantile / (1 + spread) * math.sqrt(p * (1 - p) / count + spread / (4 * count))
    # 0 and 1 exactly where none or all are hits, which rounding would miss by 1e-17
    return middle - half if hits > 0 else 0.0, middle + half if hits < count else 1.0


def student_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t (Abramowitz and Stegun 1964, 26.7.5)."""
    z, n = NORMAL_QUANTILE, freedom
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )


def student_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of at least three independent values (Student 1908)."""
    count = len(values)
    mean = math.fsum(values) / count
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = student_quantile(count - 1) * deviation / math.sqrt(count)
    return mean - half, mean + half
