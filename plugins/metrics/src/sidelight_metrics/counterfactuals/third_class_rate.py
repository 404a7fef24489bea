"""Rate of counterfactuals that end in a third class (Feghahati et al. 2020, CDeepEx, section 4.1.2).

    third class = share of images with s_k(x') > max(s_predicted(x'), s_probe(x')) for another class k

Lower is better. Failed searches are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.results import Counterfactual, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_tensor
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU

from sidelight_metrics.counterfactuals import converged_only
from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.predictions import class_logits, sides

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.params import BatchParams


class ThirdClassRate(Metric):
    """Another class is more likely than both the predicted class and the probe; 0 where there are two classes."""

    def __init__(self, params: BatchParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`third class`, by the classifier on the counterfactual images; NaN where the search failed."""
        result = expect_kind(explanation, Counterfactual)
        logits = class_logits(self._classifier, to_tensor(result.images, self._run), self._batch)
        above = converged_only(sides(logits, targets).third_above, result)
        text = "A third class is more likely than both the predicted class and the probe; failed searches left out."
        item = Measurement(name="third class", values=above, better="lower", unit="share of images", help=text)
        return Measurements(items=(item,))
