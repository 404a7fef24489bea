"""How much concepts fire together (Li Fuxin et al. 2021, section 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric

from sidelight_metrics.concepts import concepts, mean_squared_cosine

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.params import NoParams
    from sidelight_specs.results import Targets
    from torch import Tensor


class Orthogonality(Metric):
    """The mean squared cosine between concepts, and how many of them ever fire."""

    def __init__(self, params: NoParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`squared cosine` and `concepts that fire`, over the concepts' reference images where they have some."""
        del images, targets
        found = concepts(explanation)
        activations = found.activations if found.reference is None else found.reference
        settings = {"images": f"{len(activations)} {'explained' if found.reference is None else 'reference'} images"}
        silent = float(np.mean(~np.any(activations != 0, axis=0)))
        return Measurements(
            items=(
                Measurement(
                    name="squared cosine",
                    values=np.array([mean_squared_cosine(activations)], dtype=np.float32),
                    better="lower",
                    unit="squared cosine",
                    help="Mean squared cosine between two concepts' activations over the images; silent ones left out.",
                    settings=settings,
                ),
                Measurement(
                    name="silent concepts",
                    values=np.array([silent], dtype=np.float32),
                    better="lower",
                    unit="share of concepts",
                    help="Concepts that fire in none of the images.",
                    settings=settings,
                ),
            )
        )
