"""Grad-CAM (Selvaraju et al. 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import captum.attr
import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices
from torch.nn import functional

from sidelight_captum.layers import find_layer
from sidelight_captum.question import class_pairs, score_function

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor, nn

    from sidelight_captum._params import GradCamParams
    from sidelight_captum.question import Score


class GradCam(Explainer):
    """Feature maps weighted by the mean gradient of the score with respect to each, equations 1 and 2.

    The coarse map is brought to the image's size bilinearly. It lies over the image rightly where the classifier
    resizes what it is given; one that crops inside would need its images cropped first.
    """

    def __init__(self, params: GradCamParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits per unit of activation, with the resolution of the feature maps."""
        params = self._params
        score = score_function(self._classifier, params.target)
        pairs = class_pairs(targets, params.target, images.device)
        layer = find_layer(self._classifier, params.layer, images[:1])
        parts = list(slices(len(images), params.batch))
        coarse = torch.cat(
            [
                class_activation(score, layer, images[part], pairs[part], relu=params.relu)
                for part in self._run.progress(parts, "grad-cam")
            ]
        )
        return Heatmap(
            values=to_array(upsampled(coarse, images)),
            signed=not params.relu,
            resolution=(coarse.shape[-2], coarse.shape[-1]),
            answers=params.target,
            passes=np.full(len(images), 3, dtype=np.float32),
        )


def class_activation(score: Score, layer: nn.Module, images: Tensor, pairs: Tensor, *, relu: bool) -> Tensor:
    """(N, h, w), the weighted sum of the layer's feature maps, rectified where asked.

    Raises:
        UserError: the layer's output is not (N, C, h, w).
    """
    found = captum.attr.LayerGradCam(score, layer).attribute(
        images.detach().clone().requires_grad_(), additional_forward_args=(pairs,), relu_attributions=relu
    )
    if not isinstance(found, torch.Tensor) or found.dim() != 4:
        raise UserError(
            f"layer: Grad-CAM needs feature maps of shape (N, C, h, w), which a {type(layer).__name__} does not give",
            "name a convolution, or leave layer out",
        )
    return found.detach()[:, 0]


def upsampled(coarse: Tensor, images: Tensor) -> Tensor:
    """(N, h, w) to (N, H, W) bilinearly, the corners of the two lying on each other."""
    return functional.interpolate(coarse[:, None], size=images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
