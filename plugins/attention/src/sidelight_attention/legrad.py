"""LeGrad (Bousselham et al. 2025, Explainability Method for Vision Transformers via Feature Formation Sensitivity).

Symbols: Z_l the tokens after block l, s_l the score that the network's own pooling and head give for Z_l, A_l
(heads, T, T) the attention of block l, (.)+ the positive part (section 3 of the paper):

    E_l = mean over heads and queries of (ds_l / dA_l)+, for every key
    heatmap = mean over l of E_l, class and register tokens left out, scaled to [0, 1]

Each layer is judged by its own score, so that no gradient passes through later blocks. In a network with stages, such
as Swin, only the blocks of the last stage have a Z_l that the head can read.
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
from sidelight_attention.residual_stream import find_stream

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from sidelight_toolkit.score import Score
    from torch import Tensor

    from sidelight_attention.network import AttentionNetwork
    from sidelight_attention.params import LeGradParams
    from sidelight_attention.residual_stream import ResidualStream
    from sidelight_attention.tokens import TokenLayer


class LeGrad(Explainer):
    """Rise of the score by more attention to each patch, averaged over the layers' own scores."""

    def __init__(self, params: LeGradParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)
        self._find_network = NetworkFinder(classifier)
        self._streams: dict[tuple[int, ...], ResidualStream] = {}

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in [0, 1], scaled image by image.

        Raises:
            UserError: the classifier has no attention, or no residual stream that can be followed.
        """
        params = self._params
        score = score_function(self._classifier, params.target)
        pairs = class_pairs(targets, params.target, images.device)
        network = self._find_network(images)
        stream = self._stream(network, images)

        def of_rows(rows: slice) -> Tensor:
            return sensitivity(network, stream, score, images[rows], pairs[rows], params.layers)

        maps = torch.cat(self._batch.each(of_rows, len(images), "legrad"))
        low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
        scaled = torch.where(high > low, (maps - low) / (high - low), 0)
        return Heatmap(
            values=to_array(upsample(scaled, images)),
            signed=False,
            resolution=(int(maps.shape[1]), int(maps.shape[2])),
            answers=params.target,
            passes=np.full(len(images), GRADIENT_PASSES, dtype=np.float32),
        )

    def _stream(self, network: AttentionNetwork, images: Tensor) -> ResidualStream:
        size = tuple(images.shape[1:])
        if size not in self._streams:
            self._streams[size] = find_stream(self._classifier, network, images)
        return self._streams[size]


def sensitivity(
    network: AttentionNetwork, stream: ResidualStream, score: Score, images: Tensor, pairs: Tensor, last: int | None
) -> Tensor:
    """(N, h, w) mean over the last layers of E_l."""
    with torch.enable_grad():
        weights, scores = stream.run(images.detach(), lambda batch: score(batch, pairs))
    layers = [network.layers[number] for number in stream.layers]
    chosen = list(zip(layers, weights, scores, strict=True))[-last if last else None :]
    total = torch.zeros(len(images), *layers[-1].grid, device=images.device)
    for layer, attention, own_score in chosen:
        (slope,) = torch.autograd.grad(own_score.sum(), attention, retain_graph=True)  # ds_l / dA_l
        total += cells_of(mean_of_keys(layer, slope.clamp(min=0), len(images)), layer)
    return total / len(chosen)


def mean_of_keys(layer: TokenLayer, positive: Tensor, count: int) -> Tensor:
    """(N, size) state: E_l, the mean over heads and the queries of a key's window."""
    mean = layer.by_window(positive, count).mean(2)  # (N, W, T_q, T_k)
    rows = mean.new_full(mean.shape[:3], 1 / mean.shape[2])
    return layer.flow(rows, mean)
