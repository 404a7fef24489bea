"""What the metrics of concepts share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.results import Concepts

if TYPE_CHECKING:
    from sidelight_specs.artifacts import Artifact


def concepts(explanation: Artifact) -> Concepts:
    """The explanation, if it is concepts; raises a SidelightError otherwise."""
    if not isinstance(explanation, Concepts):
        raise SidelightError(f"this metric measures concepts, not a {explanation.kind!r}")
    return explanation


def mean_squared_cosine(activations: np.ndarray) -> float:
    """The mean over all pairs of the n concepts whose vectors over the images (R, n) are not zero; NaN without a pair.

    The orthogonality term of equation 1 of Li Fuxin et al. 2021, with silent concepts left out: they would
    lower it without telling anything apart.
    """
    values = activations.astype(np.float64)
    values = values[:, np.any(values != 0, axis=0)]
    count = values.shape[1]
    if count < 2:
        return float("nan")
    directions = values / np.linalg.norm(values, axis=0)
    squared = (directions.T @ directions) ** 2
    return float((squared.sum() - np.trace(squared)) / (count * (count - 1)))
