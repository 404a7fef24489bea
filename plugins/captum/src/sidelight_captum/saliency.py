"""Saliency maps (Simonyan et al. 2013), SmoothGrad (Smilkov et al. 2017) and VarGrad (Adebayo et al. 2018).

With g_s the gradient dy/dx at x + noise_s and S samples: SmoothGrad is the mean of g_s, SmoothGrad-squared the mean
of g_s^2, VarGrad the variance of g_s.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU
from sidelight_toolkit.score import GRADIENT_PASSES, class_pairs, score_function
from sidelight_toolkit.seeding import generator

from sidelight_captum.attribution import gradient, one_channel

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from sidelight_toolkit.score import Score
    from torch import Tensor

    from sidelight_captum.params import SaliencyParams


class Saliency(Explainer):
    """The gradient of the score, or a noise tunnel over the gradients of noisy copies.

    captum's own NoiseTunnel draws fresh noise for every batch from torch's global generator. Here sample s adds the
    same noise to every image, so that an image's heatmap depends neither on its neighbours nor on the batch size.
    """

    def __init__(self, params: SaliencyParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits per unit of brightness (squared for `smoothgrad_sq` and `vargrad`)."""
        params = self._params
        samples = params.samples if params.noise != "none" else 1
        gradients = self._noise_tunnel(images, targets, samples)
        return Heatmap(
            values=to_array(one_channel(gradients, params.channels)),
            signed=params.channels == "sum" and params.noise in ("none", "smoothgrad"),
            answers=params.target,
            passes=np.full(len(images), GRADIENT_PASSES * samples, dtype=np.float32),
        )

    def _noise_tunnel(self, images: Tensor, targets: Targets, samples: int) -> Tensor:
        """Mean, mean square or variance of the gradients over the samples, (N, C, H, W)."""
        score = score_function(self._classifier, self._params.target)
        pairs = class_pairs(targets, self._params.target, images.device)
        mean, squares = torch.zeros_like(images), torch.zeros_like(images)
        numbers = self._run.progress(range(samples), "saliency") if samples > 1 else range(samples)
        for sample in numbers:
            of_rows = partial(_of_rows, score, images, pairs, self._noise(images, sample))
            g = torch.cat(self._batch.each(of_rows, len(images), "saliency", shown=samples == 1))  # (N, C, H, W)
            # Welford's update: the variance in one sweep, without the cancellation of E[g^2] - E[g]^2
            difference = g - mean
            mean += difference / (sample + 1)
            squares += difference * (g - mean)
        variance = squares / samples
        # E[g^2] = Var[g] + E[g]^2
        return {"smoothgrad_sq": variance + mean**2, "vargrad": variance}.get(self._params.noise, mean)

    def _noise(self, images: Tensor, sample: int) -> Tensor:
        """(C, H, W), the noise of one sample; shared by all images."""
        if self._params.noise == "none":
            return torch.zeros_like(images[0])
        random = generator(self._run, f"noise {sample}", self._run.device)
        drawn = torch.randn(images.shape[1:], generator=random, device=random.device)
        return self._params.stdev * drawn.to(images)


def _of_rows(score: Score, images: Tensor, pairs: Tensor, noise: Tensor, rows: slice) -> Tensor:
    return gradient(score, images[rows] + noise, pairs[rows])
