"""Orthogonality of concepts (Li Fuxin et al. 2021, section 2.2).

    squared cosine = mean over pairs i < j of (a_i . a_j / |a_i| |a_j|)^2       lower is better

a_i (R,) are the activations of concept i over R images: the reference images of the concepts, or else the explained
ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Concepts, Measurement, Measurements
from sidelight_specs.roles import Metric

from sidelight_metrics.kinds import expect_kind

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.params import NoParams
    from sidelight_specs.results import Targets
    from torch import Tensor


class Orthogonality(Metric):
    """Mean squared cosine between concepts, and the share of concepts that never fire."""

    def __init__(self, params: NoParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`squared cosine` and `silent concepts`, over the concepts' reference images where they have some."""
        del images, targets
        concepts = expect_kind(explanation, Concepts)
        activations = concepts.activations if concepts.reference is None else concepts.reference  # (R, n)
        kind = "explained" if concepts.reference is None else "reference"
        settings = {"images": f"{len(activations)} {kind} images"}
        silent = float(np.mean(~np.any(activations != 0, axis=0)))
        return Measurements(
            items=(
                Measurement(
                    name="squared cosine",
                    values=np.array([mean_squared_cosine(activations)], dtype=np.float32),
                    whole=True,
                    better="lower",
                    unit="squared cosine",
                    help="Mean squared cosine between two concepts' activations over the images; silent ones left out.",
                    settings=settings,
                ),
                Measurement(
                    name="silent concepts",
                    values=np.array([silent], dtype=np.float32),
                    whole=True,
                    better="lower",
                    unit="share of concepts",
                    help="Concepts that fire in none of the images.",
                    settings=settings,
                ),
            )
        )


def mean_squared_cosine(activations: np.ndarray) -> float:
    """Mean squared cosine over all pairs of the n concepts of (R, n) activations; NaN without a pair.

    The orthogonality term of the paper's equation 1, with silent concepts left out: they would lower it without
    telling anything apart.
    """
    values = activations.astype(np.float64)
    values = values[:, np.any(values != 0, axis=0)]
    count = values.shape[1]
    if count < 2:
        return float("nan")
    directions = values / np.linalg.norm(values, axis=0)
    squared = (directions.T @ directions) ** 2  # (n, n) squared cosines, 1 on the diagonal
    return float((squared.sum() - np.trace(squared)) / (count * (count - 1)))
