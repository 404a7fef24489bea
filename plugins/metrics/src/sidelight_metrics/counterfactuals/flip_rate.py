"""Rates at which counterfactuals reach the probe class or the decision boundary (Feghahati et al. 2020, section 4.1.2).

    flipped    argmax_k s_k(x') = probe
    boundary   |s_predicted(x') - s_probe(x')| <= tolerance, and no third s_k(x') above both
    converged  the search met its own conditions

x' is the counterfactual, s its logits. All three are shares of images, higher is better, and a failed search counts as
0, so that a method cannot gain by giving up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Counterfactual, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_tensor
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU

from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.predictions import class_logits, sides

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.params import FlipRateParams


class FlipRate(Metric):
    """Share of images flipped to the probe, brought to the boundary, and converged."""

    def __init__(self, params: FlipRateParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`flipped`, `boundary` and `converged`, by the classifier on the counterfactual images."""
        result, tolerance = expect_kind(explanation, Counterfactual), self._params.tolerance
        logits = class_logits(self._classifier, to_tensor(result.images, self._run), self._batch)
        after = sides(logits, targets)
        flipped = logits.argmax(axis=1) == targets.probe
        boundary = (np.abs(after.gap) <= tolerance) & ~after.third_above
        return Measurements(
            items=(
                _share("flipped", flipped & result.converged, "The probe is the most likely class of the answer."),
                _share(
                    "boundary",
                    boundary & result.converged,
                    "Predicted class and probe are equally likely, and no third class is above both.",
                    tolerance=f"{tolerance:g} nats",
                ),
                _share("converged", result.converged, "The search says that it met its own conditions."),
            )
        )


def _share(name: str, holds: np.ndarray, text: str, **settings: str) -> Measurement:
    values = holds.astype(np.float32)
    return Measurement(name=name, values=values, better="higher", unit="share of images", help=text, settings=settings)
