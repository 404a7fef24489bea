"""Guided Grad-CAM (Selvaraju et al. 2017, Grad-CAM, section 3.2): guided backpropagation times Grad-CAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.feature_layer import LayerFinder
from sidelight_toolkit.options import IMAGES_ON_CPU
from sidelight_toolkit.score import GRADIENT_PASSES, class_pairs, score_function

from sidelight_captum.attribution import one_channel
from sidelight_captum.grad_cam import class_activation, upsample, warn_of_zeros
from sidelight_captum.guided_backprop import guided_gradient

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_captum.params import GuidedGradCamParams


class GuidedGradCam(Explainer):
    """Guided backpropagation, pixel by pixel times the rectified and upsampled Grad-CAM.

    Raises:
        UserError: from `explain`, as `GuidedBackprop` and `GradCam` do.
    """

    def __init__(self, params: GuidedGradCamParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)
        self._find_layer = LayerFinder(classifier, params)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in the product of the two methods' units: only positions and ratios have a meaning."""
        params = self._params
        score = score_function(self._classifier, params.target)
        pairs = class_pairs(targets, params.target, images.device)
        layer = self._find_layer(images)

        def of_rows(rows: slice) -> tuple[Tensor, ...]:
            maps, reached = class_activation(score, layer, images[rows], pairs[rows])  # (B, h, w)
            guided = guided_gradient(score, images[rows], pairs[rows])  # (B, C, H, W)
            product = guided * upsample(maps.clamp(min=0), images)[:, None]
            return one_channel(product, params.channels), maps, reached

        results = self._batch.each(of_rows, len(images), "guided grad-cam")
        heatmaps, maps, reached = (torch.cat(tensors) for tensors in zip(*results, strict=True))
        warn_of_zeros(maps, reached, layer, self._run, relu=True)
        return Heatmap(
            values=to_array(heatmaps),
            signed=params.channels == "sum",
            answers=params.target,
            passes=np.full(len(images), 2 * GRADIENT_PASSES, dtype=np.float32),  # a gradient for each method
        )
