"""Layer-wise relevance propagation (Bach et al. 2015; rules: Montavon et al. 2019, LRP: An Overview).

Relevance R starts as the score and goes back from operator to operator, to each input in proportion to its
contribution; `lrp_rules.py` has the rules. Symbols: x (N, C, H, W) pixels, p the prepared (resized, normalised) images
that the first layer gets, J = dp/dx.
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
from sidelight_toolkit.relevance import flat_rule, refuse, score_factors

from sidelight_captum.attribution import one_channel
from sidelight_captum.lrp_rules import RelevanceRules

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_captum.params import LrpParams

PASSES = {"epsilon": 3, "z-plus": 7, "alpha-beta": 11}
"""Passes per image: forward + backward, counted as two; the other rules evaluate every layer again, there and back."""


class Lrp(Explainer):
    """The logit, distributed back from operator to operator in proportion to the inputs' contributions.

    The preparation of the images before the first layer (resizing, normalising) follows the flat rule, in
    proportion to its weights and not to brightness, so that black pixels can carry relevance too.
    """

    def __init__(self, params: LrpParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits; each sums to the logit, less what biases and epsilon absorb.

        Raises:
            UserError: the network has an operator without a rule; it is named.
        """
        params = self._params
        if any(isinstance(module, torch.jit.ScriptModule) for module in self._classifier.module.modules()):
            refuse("a TorchScript file hides its operators", "export the model as .pt2")

        def of_rows(rows: slice) -> Tensor:
            return self._relevance(images[rows], targets.take(list(range(rows.start, rows.stop))))

        relevance = self._batch.each(of_rows, len(images), "lrp")
        return Heatmap(
            values=to_array(one_channel(torch.cat(relevance), params.channels)),
            signed=params.channels == "sum",
            answers=params.target,
            passes=np.full(len(images), PASSES[params.rule], dtype=np.float32),
        )

    def _relevance(self, images: Tensor, targets: Targets) -> Tensor:
        """(N, C, H, W), the relevance of every pixel."""
        pixels = images.detach().clone().requires_grad_()
        with torch.enable_grad():
            with RelevanceRules(pixels, self._params) as rules:
                scores = self._classifier.scores(pixels)
            scores = rules.result(scores)
            assert rules.inputs is not None
            assert rules.prepared is not None
            start = scores.detach() * score_factors(self._classifier, targets, self._params.target, scores)
            # the rules' backward passes give relevance where torch expects gradients
            (relevance,) = torch.autograd.grad(scores, rules.inputs, start)
            return flat_rule(pixels, rules.prepared, relevance)
