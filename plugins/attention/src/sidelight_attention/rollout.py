"""Attention rollout (Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers, section 3).

Symbols: A_l (T, T) the attention of layer l, its heads fused by their mean; I the residual connection:

    A^_l = (A_l + I) / 2, each row divided by its sum
    rollout = A^_L ... A^_2 A^_1

The heatmap is the row of the tokens that the score reads: the class token, the mean of class and distillation token,
or the mean of all patches. A row needs no product of matrices: it is multiplied with one layer after the other, from
the last to the first. `discard` sets the smallest weights of each layer to zero (Gildenblat 2020, Exploring
Explainability for Vision Transformers).
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

from sidelight_attention.heatmaps import cells_of, upsample
from sidelight_attention.network import NetworkFinder

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_attention.network import AttentionNetwork
    from sidelight_attention.params import Fusion, RolloutParams
    from sidelight_attention.tokens import TokenLayer


class Rollout(Explainer):
    """The ratio in which the tokens of the answer read each patch, through all layers; the same for every class."""

    def __init__(self, params: RolloutParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)
        self._find_network = NetworkFinder(classifier)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in ratios of attention; what stays with class and register tokens is not shown.

        Raises:
            UserError: the classifier has no attention that can be followed.
        """
        del targets  # attention knows no class
        network = self._find_network(images)
        network.refuse_mixers("attention rollout")
        maps = torch.cat(self._batch.each(lambda rows: self._rollout(network, images[rows]), len(images), "rollout"))
        return Heatmap(
            values=to_array(upsample(maps, images)),
            signed=False,
            resolution=network.grid,
            answers="any",
            passes=np.ones(len(images), dtype=np.float32),
        )

    @torch.no_grad()
    def _rollout(self, network: AttentionNetwork, images: Tensor) -> Tensor:
        """(N, h, w) values of the first layer's cells."""
        weights, _ = network.record(images, self._classifier.scores)
        state, above = network.start(len(images)), network.layers[-1]
        for layer, attention in zip(reversed(network.layers), reversed(weights), strict=True):
            state = layer.before_merging(state, above)
            fused = fuse(layer.by_window(attention, len(images)), self._params.heads)  # A_l, (N, W, T_q, T_k)
            state = step(state, layer, discarded(fused, self._params.discard))
            above = layer
        return cells_of(state, network.layers[0])


def fuse(heads: Tensor, fusion: Fusion) -> Tensor:
    """(N, W, heads, T_q, T_k) to (N, W, T_q, T_k)."""
    return heads.mean(2) if fusion == "mean" else heads.amax(2) if fusion == "max" else heads.amin(2)


def discarded(attention: Tensor, ratio: float) -> Tensor:
    """(N, W, T_q, T_k) with the smallest `ratio` of each image's weights set to zero."""
    if not ratio:
        return attention
    flat = attention.flatten(1)
    smallest = flat.topk(int(ratio * flat.shape[1]), dim=1, largest=False).indices
    return flat.scatter(1, smallest, 0).view_as(attention)


def step(state: Tensor, layer: TokenLayer, attention: Tensor) -> Tensor:
    """The state times A^ of one layer."""
    if layer.queries is None:  # a pooling by learned queries has no residual connection
        return layer.flow(state[:, None], attention / attention.sum(-1, keepdim=True))
    total = attention.sum(-1) + 1  # row sums of A + I
    rows = state[:, layer.queries] / total  # (N, W, T_q)
    kept = state.clone()
    kept[:, layer.queries] = rows  # I, divided by the row sums
    return kept + layer.flow(rows, attention)
