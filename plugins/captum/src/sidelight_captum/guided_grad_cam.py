"""Guided Grad-CAM (Selvaraju et al. 2017, section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices

from sidelight_captum.channels import one_channel
from sidelight_captum.grad_cam import class_activation, upsampled
from sidelight_captum.guided_backprop import guided_gradient
from sidelight_captum.layers import find_layer
from sidelight_captum.question import class_pairs, score_function

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_captum._params import GuidedGradCamParams


class GuidedGradCam(Explainer):
    """Guided backpropagation, pixel by pixel times the rectified and upsampled Grad-CAM.

    Raises:
        UserError: from `explain`, as `GuidedBackprop` and `GradCam` do.
    """

    def __init__(self, params: GuidedGradCamParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in the product of the two methods' units: only places and relations have a meaning."""
        params = self._params
        score = score_function(self._classifier, params.target)
        pairs = class_pairs(targets, params.target, images.device)
        layer = find_layer(self._classifier, params.layer, images[:1])
        found = []
        for part in self._run.progress(list(slices(len(images), params.batch)), "guided grad-cam"):
            coarse = class_activation(score, layer, images[part], pairs[part], relu=True)
            guided = guided_gradient(score, images[part], pairs[part])
            found.append(one_channel(guided * upsampled(coarse, images)[:, None], params.channels))
        return Heatmap(
            values=to_array(torch.cat(found)),
            signed=params.channels == "sum",
            answers=params.target,
            passes=np.full(len(images), 6, dtype=np.float32),
        )
