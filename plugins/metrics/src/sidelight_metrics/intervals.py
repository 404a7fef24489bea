"""Confidence intervals of shares."""

from __future__ import annotations

import math

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
