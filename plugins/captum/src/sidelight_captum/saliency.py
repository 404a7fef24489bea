"""Gradients (Simonyan et al. 2013), smoothed by noise where asked (SmoothGrad, VarGrad)."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices
from sidelight_toolkit.seeding import generator

from sidelight_captum.attribution import class_pairs, score_function
from sidelight_captum.channels import one_channel
from sidelight_captum.gradients import gradient

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_captum.params import SaliencyParams


class Saliency(Explainer):
    """The gradient of the score, or what a noise tunnel makes of the gradients of noisy copies.

    captum's own NoiseTunnel draws fresh noise for every batch from torch's global generator. Here sample i adds the
    same noise to every image, so that an image's heatmap depends neither on its neighbours nor on the batch size.
    """

    def __init__(self, params: SaliencyParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits per unit of brightness (squared for `smoothgrad_sq` and `vargrad`)."""
        params = self._params
        noisy = params.noise != "none"
        gradients = self._tunnel(images, targets, params.samples if noisy else 1)
        return Heatmap(
            values=to_array(one_channel(gradients, params.channels)),
            signed=params.channels == "sum" and params.noise in ("none", "smoothgrad"),
            answers=params.target,
            passes=np.full(len(images), 3 * (params.samples if noisy else 1), dtype=np.float32),
        )

    def _tunnel(self, images: Tensor, targets: Targets, samples: int) -> Tensor:
        """Mean, mean square or variance of the gradients over the samples, by Welford's running update."""
        score = score_function(self._classifier, self._params.target)
        pairs = class_pairs(targets, self._params.target, images.device)
        mean, squares = torch.zeros_like(images), torch.zeros_like(images)
        steps = list(product(slices(len(images), self._params.batch), range(samples)))
        for part, sample in self._run.progress(steps, "saliency"):
            found = gradient(score, images[part] + self._noise(images, sample), pairs[part])
            difference = found - mean[part]
            mean[part] += difference / (sample + 1)
            squares[part] += difference * (found - mean[part])
        variance = squares / samples
        return {"smoothgrad_sq": variance + mean**2, "vargrad": variance}.get(self._params.noise, mean)

    def _noise(self, images: Tensor, sample: int) -> Tensor:
        """(C, H, W), the noise of one sample; shared by all images."""
        if self._params.noise == "none":
            return torch.zeros_like(images[0])
        drawn = torch.randn(images.shape[1:], generator=generator(self._run, f"noise {sample}"))
        return self._params.stdev * drawn.to(images)
