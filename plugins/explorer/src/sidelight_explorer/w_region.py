"""Region of W that a generator's samples cover: mean, whitening and the edge of their Mahalanobis distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs.results import State
from sidelight_toolkit.arrays import to_array

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Generator

FLOOR = 1e-3  # share of the mean variance added to every variance: directions without any stay finite
QUANTILE = 0.99  # of held-out samples within the edge: 1 % of fresh draws are flagged, whatever the dimension
FITTED = 0.5  # share of the samples that mean and covariance come from; the edge comes from the others


@attrs.frozen(eq=False)
class WRegion:
    """Region of a generator's samples.

    Args:
        mean: (layers, d) float32, mean of the samples.
        whitening: (d, d) float32, scales w to unit variance in every direction.
        edge: distance that 99 % of the held-out samples lie within.
    """

    mean: np.ndarray
    whitening: np.ndarray
    edge: float

    def distance(self, latents: np.ndarray) -> float:
        """Mahalanobis distance of the farthest layer of (layers, d), in units of the edge: above 1 is outside."""
        whitened = (latents - self.mean).astype(np.float64) @ self.whitening  # (layers, d), unit variance
        return float(np.nan_to_num(np.sqrt((whitened**2).sum(1)).max() / self.edge))


def w_region(generator: Generator, count: int, run: Run) -> WRegion:
    """The region of `count` samples, cached."""

    def fit() -> State:
        samples = to_array(generator.sample(count, run.rng("region")))
        return State(arrays=_fit(samples))

    arrays = run.cached(("region", count), fit).arrays
    return WRegion(arrays["mean"], arrays["whitening"], float(arrays["edge"][0]))


def _fit(samples: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and whitening of one half of the samples (N, layers, d), the edge of the other half.

    In hundreds of dimensions samples lie much nearer to a covariance that was fitted on them than fresh ones do.
    """
    fitted, held_out = np.split(samples, [max(1, round(FITTED * len(samples)))])
    mean = fitted.mean(0)
    centred = (fitted - mean).reshape(-1, samples.shape[-1])  # (N * layers, d)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    whitening = axes / np.sqrt(np.maximum(variances, 0) + FLOOR * max(float(variances.mean()), 1e-12))
    distances = np.sqrt((((held_out - mean) @ whitening) ** 2).sum(2)).max(1)  # of the farthest layer, (N,)
    edge = max(float(np.quantile(distances, QUANTILE)), 1e-6)
    return {
        "mean": mean.astype(np.float32),
        "whitening": whitening.astype(np.float32),
        "edge": np.array([edge], np.float32),
    }
