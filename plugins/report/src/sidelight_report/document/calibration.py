"""Calibration: whether of the images classified with confidence c a share of c is classified correctly.

Symbols of Guo et al. 2017, "On calibration of modern neural networks", section 2:

    B_m     images of bin m; here bins of equal mass, since bins of equal width leave most of them empty
    acc     share of a bin that is classified correctly
    conf    mean confidence of a bin
    ECE     expected calibration error, sum over m of |B_m| / n |acc(B_m) - conf(B_m)|

ECE is above 0 for a perfectly calibrated model too, the more so the fewer images there are (Kumar et al. 2019,
"Verified uncertainty calibration", section 4), so it is held against what such a model would show on as many images.
"""

from __future__ import annotations

import attrs
import numpy as np
from sidelight_specs.intervals import student_quantile, wilson_interval

MOST_BINS = 10
IN_A_BIN = 25  # images at least, so that a bin's accuracy is known to about 0.2 at worst
DRAWS = 1000  # of the bootstrap, and of a calibrated model
_AT_ONCE = 1 << 22  # numbers of the draws that are in memory at a time


@attrs.frozen
class Bin:
    """Images of similar confidence.

    Args:
        count: of images.
        confidence: mean.
        low, high: least and greatest confidence.
        accuracy: share classified correctly.
        interval: of the accuracy, 95 % (Wilson).
    """

    count: int
    confidence: float
    low: float
    high: float
    accuracy: float
    interval: tuple[float, float]


@attrs.frozen
class Calibration:
    """Calibration of N predictions.

    Args:
        bins: by ascending confidence.
        error: ECE.
        interval: of the population's ECE, 95 %: basic bootstrap, 2 ECE minus quantiles of the resampled ECE, at least
            0. Resampling adds the bias of finite images once more, and this form takes it off. It begins at 0 where p
            is above 0.05: the bootstrap alone covers a true 0 in half of the cases.
        expected: mean ECE of a perfectly calibrated model with these confidences, on as many images (simulated).
        expected_high: its 95 % quantile.
        p: share of such models whose ECE is at least as large, (1 + hits) / (1 + draws).
        gap: mean confidence minus accuracy; above 0 is overconfident.
        gap_interval: of it, 95 % (Student's t over images).
    """

    bins: tuple[Bin, ...]
    error: float
    interval: tuple[float, float]
    expected: float
    expected_high: float
    p: float
    gap: float
    gap_interval: tuple[float, float]


def calibration(confidence: np.ndarray, correct: np.ndarray, draws: int = DRAWS) -> Calibration | None:
    """Calibration of a classifier on some images; None for fewer than two bins of `IN_A_BIN`.

    Args:
        confidence: (N,) in [0, 1], probability of the predicted class.
        correct: (N,) bool.
        draws: of the bootstrap, and of a calibrated model.
    """
    count = len(confidence)
    if count < 2 * IN_A_BIN:
        return None
    order = np.argsort(confidence, kind="stable")
    sorted_confidence, sorted_correct = confidence[order].astype(np.float64), correct[order].astype(np.float64)
    starts = bin_starts(count)
    sizes = np.diff([*starts, count])
    bins = tuple(
        Bin(
            count=int(size),
            confidence=float(c.mean()),
            low=float(c[0]),
            high=float(c[-1]),
            accuracy=float(y.mean()),
            interval=wilson_interval(float(y.sum()), int(size)),
        )
        for size, c, y in zip(
            sizes, np.split(sorted_confidence, starts[1:]), np.split(sorted_correct, starts[1:]), strict=True
        )
    )
    error = float(_errors(sorted_confidence, sorted_correct[None], starts)[0])
    resampled, perfect = _draws(sorted_confidence, sorted_correct, starts, draws)
    low, high = 2 * error - np.quantile(resampled, (0.975, 0.025))
    p = float((1 + (perfect >= error).sum()) / (1 + len(perfect)))
    excess = sorted_confidence - sorted_correct  # (N,) confidence minus outcome
    half = student_quantile(count - 1) * float(excess.std(ddof=1)) / np.sqrt(count)
    gap = float(excess.mean())
    return Calibration(
        bins=bins,
        error=error,
        interval=(max(0.0, float(low)) if p <= 0.05 else 0.0, max(0.0, float(high))),
        expected=float(perfect.mean()),
        expected_high=float(np.quantile(perfect, 0.95)),
        p=p,
        gap=gap,
        gap_interval=(gap - float(half), gap + float(half)),
    )


def bin_starts(count: int) -> np.ndarray:
    """First places of bins of equal mass among sorted confidences."""
    bins = max(1, min(MOST_BINS, count // IN_A_BIN))
    return (np.arange(bins) * count) // bins


def _errors(confidence: np.ndarray, correct: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(D,) ECE of D outcomes (D, N), or of D samples (D, N) of confidences with their outcomes, sorted."""
    gaps = np.add.reduceat(correct - confidence, starts, axis=1)  # (D, M), |B_m| (acc - conf)
    return np.asarray(np.abs(gaps).sum(axis=1) / correct.shape[1])


def _draws(
    confidence: np.ndarray, correct: np.ndarray, starts: np.ndarray, draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """(D,) ECE of resampled images, with bins of their own, and of outcomes drawn by the confidences."""
    rng, count = np.random.default_rng(0), len(confidence)
    draws = max(100, min(draws, 50 * _AT_ONCE // count))
    size = max(1, _AT_ONCE // count)
    resampled, perfect = list[np.ndarray](), list[np.ndarray]()
    for start in range(0, draws, size):
        some = min(size, draws - start)
        rows = np.sort(rng.integers(0, count, (some, count)), axis=1)  # of sorted images: sorted by confidence
        resampled.append(_errors(confidence[rows], correct[rows], starts))
        perfect.append(_errors(confidence, (rng.random((some, count)) < confidence).astype(np.float64), starts))
    return np.concatenate(resampled), np.concatenate(perfect)
