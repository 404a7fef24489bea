"""The region of W that a generator knows: its samples' average, their spread, and how far from it an image lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs.results import State
from sidelight_toolkit.arrays import to_array

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Generator

FLOOR = 1e-3
"""Share of the mean variance that is added to every variance, so that a direction without any can be left."""
QUANTILE = 0.99  # of held-out samples within the edge: 1 % of fresh draws are flagged, whatever the dimension
FITTED = 0.5  # share of the samples that mean and covariance come from; the edge comes from the others


@attrs.frozen(eq=False)
class Region:
    """Where a generator's samples lie.

    Args:
        mean: (layers, d) float32, the average of the samples.
        whitening: (d, d) float32, brings w to unit variance in every direction.
        edge: the distance within which 99 % of the samples lie that mean and whitening do not come from.
    """

    mean: np.ndarray
    whitening: np.ndarray
    edge: float

    def distance(self, latents: np.ndarray) -> float:
        """The Mahalanobis distance of the layer that lies farthest, in units of the edge: above 1 is outside."""
        away = (latents - self.mean).astype(np.float64) @ self.whitening
        return float(np.nan_to_num(np.sqrt((away**2).sum(1)).max() / self.edge))


def region(generator: Generator, count: int, run: Run) -> Region:
    """The region of so many samples, kept with the run."""

    def measured() -> State:
        samples = to_array(generator.sample(count, run.rng("region")))
        return State(arrays=_measured(samples))

    arrays = run.cached(("region", count), measured).arrays
    return Region(arrays["mean"], arrays["whitening"], float(arrays["edge"][0]))


def _measured(samples: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and whitening of one half of the samples (N, layers, d), the edge of the other half.

    In hundreds of dimensions samples lie much nearer to a covariance that was fitted on them than fresh ones do.
    """
    fitted, held_out = np.split(samples, [max(1, round(FITTED * len(samples)))])
    mean = fitted.mean(0)
    away = (fitted - mean).reshape(-1, samples.shape[-1])
    variances, axes = np.linalg.eigh(away.T @ away / len(away))
    scaled = axes / np.sqrt(np.maximum(variances, 0) + FLOOR * max(float(variances.mean()), 1e-12))
    distances = np.sqrt((((held_out - mean) @ scaled) ** 2).sum(2)).max(1)
    edge = max(float(np.quantile(distances, QUANTILE)), 1e-6)
    return {
        "mean": mean.astype(np.float32),
        "whitening": scaled.astype(np.float32),
        "edge": np.array([edge], np.float32),
    }
