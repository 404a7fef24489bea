"""Grad-CAM (Selvaraju et al. 2017, Grad-CAM: Visual Explanations from Deep Networks).

Symbols: A^k (N, C, h, w) the feature maps of a layer, k their channel; y^c the score; alpha_k^c the weights:

    alpha_k^c = mean over places of dy^c / dA^k     (eq. 1)
    L^c = ReLU(sum over k of alpha_k^c A^k)         (eq. 2)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.feature_layer import LayerFinder
from sidelight_toolkit.options import IMAGES_ON_CPU
from sidelight_toolkit.score import GRADIENT_PASSES, class_pairs, score_function
from torch.nn import functional

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from sidelight_toolkit.feature_layer import FeatureLayer
    from sidelight_toolkit.score import Score
    from torch import Tensor

    from sidelight_captum.params import GradCamParams


class GradCam(Explainer):
    """Feature maps weighted by the mean gradient of the score with respect to each, equations 1 and 2.

    A vision transformer's tokens are feature maps as well, class and register tokens left out. The coarse map is
    upsampled bilinearly, which is right for a classifier that resizes its images; for one that crops them, crop
    the images first.
    """

    def __init__(self, params: GradCamParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)
        self._find_layer = LayerFinder(classifier, params)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits per unit of activation, with the resolution of the feature maps."""
        params = self._params
        score = score_function(self._classifier, params.target)
        pairs = class_pairs(targets, params.target, images.device)
        layer = self._find_layer(images)
        results = self._batch.each(
            lambda rows: class_activation(score, layer, images[rows], pairs[rows]), len(images), "grad-cam"
        )
        maps, reached = (torch.cat(tensors) for tensors in zip(*results, strict=True))
        warn_of_zeros(maps, reached, layer, self._run, relu=params.relu)
        if params.relu:
            maps = maps.clamp(min=0)  # eq. 2: L^c, (N, h, w)
        return Heatmap(
            values=to_array(upsample(maps, images)),
            signed=not params.relu,
            resolution=layer.layout.grid,
            answers=params.target,
            passes=np.full(len(images), GRADIENT_PASSES, dtype=np.float32),
        )


def class_activation(score: Score, layer: FeatureLayer, images: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted sums of the layer's feature maps, (N, h, w), signed, and (N,) bool: the score depends on the layer."""
    latest: list[Tensor] = []

    def cut(_module: Any, _inputs: Any, output: Tensor) -> Tensor:
        latest[:] = [output.detach().requires_grad_()]  # a leaf: the layers before it need no gradient
        return latest[0].clone()  # the next layer may work in place, which a leaf forbids

    handle = layer.module.register_forward_hook(cut)
    try:
        with torch.enable_grad():
            total = score(images.detach(), pairs).sum()
    finally:
        handle.remove()
    (gradient,) = torch.autograd.grad(total, latest, allow_unused=True, materialize_grads=True)
    gradient = layer.layout.to_nchw(gradient)  # dy^c / dA^k, (N, C, h, w)
    weights = gradient.mean((2, 3), keepdim=True)  # eq. 1: alpha_k^c, (N, C, 1, 1)
    maps = (weights * layer.layout.to_nchw(latest[0].detach())).sum(1)  # eq. 2 before its ReLU, (N, h, w)
    return maps, gradient.flatten(1).any(1)


def warn_of_zeros(maps: Tensor, reached: Tensor, layer: FeatureLayer, run: Run, *, relu: bool) -> None:
    """Warn of heatmaps that are zero, with the cause."""
    unreached = int((~reached).sum())
    emptied = int((reached & (maps.flatten(1) <= 0).all(1)).sum()) if relu else 0
    for count, cause in (
        (unreached, f'the score does not depend on the feature maps of "{layer.name}"; name an earlier layer'),
        (emptied, f'no place of "{layer.name}" speaks for the class; set relu to false to see the evidence against it'),
    ):
        if count:
            run.warn(f"Grad-CAM: {count} of {len(maps)} heatmaps are zero, because {cause}")


def upsample(coarse: Tensor, images: Tensor) -> Tensor:
    """(N, h, w) to the images' (N, H, W), bilinearly; the outer edges of cells and pixels coincide."""
    return functional.interpolate(coarse[:, None], size=images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
