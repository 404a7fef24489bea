"""Integrated gradients (Sundararajan, Taly and Yan 2017, Axiomatic Attribution for Deep Networks).

Equation 1, with x the image, x' the baseline, y the score and alpha in [0, 1]:

    attribution = (x - x') * integral of dy(x' + alpha (x - x')) / dx over alpha
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import captum.attr
import numpy as np
import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.baselines import baseline
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.images import gaussian_blur
from sidelight_toolkit.options import IMAGES_ON_CPU
from sidelight_toolkit.score import GRADIENT_PASSES, class_pairs, score_function

from sidelight_captum.attribution import one_channel

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier

    from sidelight_captum.params import IntegratedGradientsParams

LABEL = "integrated gradients"


class IntegratedGradients(Explainer):
    """(x - x') times the mean gradient on the straight line from the baseline x' to the image x, equation 1.

    `batch` points of the lines at once, of several images where it exceeds the steps of one.
    """

    def __init__(self, params: IntegratedGradientsParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def explain(self, images: torch.Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits; each sums to the score of the image minus that of the baseline, up to the quadrature.

        With `smooth`, each pixel's value is spread over its neighbours, and the sum holds except at the borders.
        """
        params = self._params
        method = captum.attr.IntegratedGradients(score_function(self._classifier, params.target))
        pairs = class_pairs(targets, params.target, images.device)

        def of_rows(rows: slice) -> torch.Tensor:
            x = images[rows].detach()  # (n, C, H, W)
            attributions = method.attribute(
                x,
                baselines=baseline(x, params.baseline),  # x'
                additional_forward_args=(pairs[rows],),
                n_steps=params.steps,
                method=params.method,
                internal_batch_size=self._batch.rows(LABEL),
            )
            return one_channel(attributions.detach(), params.channels)  # (n, H, W)

        maps = self._batch.each(of_rows, len(images), LABEL, each_takes=params.steps)
        return Heatmap(
            values=to_array(_smooth(torch.cat(maps), params.smooth)),
            signed=params.channels == "sum",
            answers=params.target,
            passes=np.full(len(images), GRADIENT_PASSES * params.steps, dtype=np.float32),
        )


def _smooth(maps: torch.Tensor, sigma: float) -> torch.Tensor:
    """(N, H, W), blurred by a Gaussian that is cut off at three standard deviations."""
    return gaussian_blur(maps[:, None], 2 * math.ceil(3 * sigma) + 1, sigma)[:, 0] if sigma else maps
