"""SmoothGrad (Smilkov et al. 2017): the gradient at the image, averaged over noisy copies of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Heatmap, Targets
from sidelight_specs.roles import Explainer

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier

    from fossil_explainer import ExplainerParams


class Explainer(Explainer):
    """The noise is drawn once and shared by all images, so that an image's neighbours do not matter."""

    def __init__(self, params: ExplainerParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def explain(self, images: torch.Tensor, targets: Targets) -> Heatmap:
        """Unsigned heatmaps: the root of the mean squared gradient, over channels and samples."""
        predicted = torch.from_numpy(targets.predicted).to(images.device)
        total = torch.zeros_like(images)
        rng = self._run.rng("noise")
        for _ in self._run.progress(range(self._params.samples), "samples"):
            noise = rng.normal(0, self._params.noise, images.shape[1:]).astype(np.float32)
            total += self._gradient(images + torch.from_numpy(noise).to(images.device), predicted).square()
        values = (total / self._params.samples).mean(1).sqrt()
        return Heatmap(values=values.cpu().numpy(), signed=False)

    def _gradient(self, images: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
        images = images.detach().requires_grad_()
        logits = self._classifier.class_logits(images).gather(1, predicted[:, None])
        return torch.autograd.grad(logits.sum(), images)[0]
