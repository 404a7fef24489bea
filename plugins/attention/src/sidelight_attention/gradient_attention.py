"""Gradient-weighted attention (Chefer, Gur and Wolf 2021, Generic Attention-model Explainability, section 3).

Symbols: y the score, A_l (heads, T, T) the attention of layer l, E_h the mean over the heads, (.)+ the positive part:

    A-_l = E_h((dy/dA_l * A_l)+)        (eq. 5)
    R <- R + A-_l R, from R = I on      (eq. 6)

The heatmap is the row of R - I of the tokens that the score reads: the class token, the mean of class and distillation
token, or the mean of all patches. As R = (I + A-_L) ... (I + A-_1), a row is multiplied with one layer after the
other, from the last to the first. Self-attention only; the case of two modalities is left out. The authors' earlier
method (CVPR 2021) has relevance by LRP in the place of A and is another formula.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU
from sidelight_toolkit.score import GRADIENT_PASSES, class_pairs, score_function

from sidelight_attention.heatmaps import cells_of, upsample
from sidelight_attention.network import NetworkFinder

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from sidelight_toolkit.score import Score
    from torch import Tensor

    from sidelight_attention.network import AttentionNetwork
    from sidelight_attention.params import GradientAttentionParams


class GradientAttention(Explainer):
    """Relevance of each patch for the explained score, along attention that raises it."""

    def __init__(self, params: GradientAttentionParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)
        self._find_network = NetworkFinder(classifier)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps of what speaks for the score; gradients times attention, in logits where one layer alone counts.

        Raises:
            UserError: the classifier has no attention that can be followed.
        """
        params = self._params
        score = score_function(self._classifier, params.target)
        pairs = class_pairs(targets, params.target, images.device)
        network = self._find_network(images)
        network.refuse_mixers("gradient-weighted attention")

        def of_rows(rows: slice) -> Tensor:
            return relevance(network, score, images[rows], pairs[rows])

        maps = torch.cat(self._batch.each(of_rows, len(images), "gradient attention"))
        return Heatmap(
            values=to_array(upsample(maps, images)),
            signed=False,
            resolution=network.grid,
            answers=params.target,
            passes=np.full(len(images), GRADIENT_PASSES, dtype=np.float32),
        )


def relevance(network: AttentionNetwork, score: Score, images: Tensor, pairs: Tensor) -> Tensor:
    """(N, h, w) row of R - I, on the first layer's cells."""
    with torch.enable_grad():
        weights, scores = network.record(images.detach(), lambda batch: score(batch, pairs))
        slopes = torch.autograd.grad(scores.sum(), weights)  # dy/dA_l
    identity, above = network.start(len(images)), network.layers[-1]  # the row of I
    row = torch.zeros_like(identity)  # of R - I: apart, as it may be smaller than rounding lets it be in R
    for layer, attention, slope in zip(reversed(network.layers), reversed(weights), reversed(slopes), strict=True):
        row, identity = (layer.before_merging(state, above) for state in (row, identity))
        positive = (slope * attention.detach()).clamp(min=0)
        mean = layer.by_window(positive, len(images)).mean(2)  # eq. 5: A-_l, (N, W, T_q, T_k)
        if layer.queries is None:  # a pooling by learned queries has no residual connection
            row = layer.flow(identity[:, None], mean)
            identity = torch.zeros_like(row)
        else:
            row = row + layer.flow((row + identity)[:, layer.queries], mean)  # eq. 6, for a row of R
        above = layer
    return cells_of(row, network.layers[0])
