"""Guided backpropagation (Springenberg et al. 2014)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices

from sidelight_captum.attribution import class_pairs, score_function
from sidelight_captum.channels import one_channel
from sidelight_captum.gradients import gradient
from sidelight_captum.guided_rule import GuidedRule

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_captum.attribution import Score
    from sidelight_captum.params import GuidedBackpropParams


class GuidedBackprop(Explainer):
    """The gradient of the score with every ReLU under the guided rule.

    Raises:
        UserError: from `explain`, when the classifier has no ReLU, or an activation that the rule is not defined for.
    """

    def __init__(self, params: GuidedBackpropParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits per unit of brightness."""
        params = self._params
        _ = self._classifier.module  # a file is read, and tried, before the rule is in force
        score = score_function(self._classifier, params.target)
        pairs = class_pairs(targets, params.target, images.device)
        parts = list(slices(len(images), params.batch))
        found = [
            guided_gradient(score, images[part], pairs[part]) for part in self._run.progress(parts, "guided backprop")
        ]
        return Heatmap(
            values=to_array(one_channel(torch.cat(found), params.channels)),
            signed=params.channels == "sum",
            answers=params.target,
            passes=np.full(len(images), 3, dtype=np.float32),
        )


def guided_gradient(score: Score, images: Tensor, pairs: Tensor) -> Tensor:
    """(N, C, H, W), the gradient of each image's score under the guided rule."""
    with GuidedRule() as rule:
        found = gradient(score, images, pairs)
    rule.check()
    return found
