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
from sidelight_toolkit.score import refuse_contrast_of_regression

from sidelight_captum.attribution import one_channel
from sidelight_captum.lrp_rules import RelevanceRules, refuse

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from sidelight_toolkit.options import Target
    from torch import Tensor

    from sidelight_captum.params import LrpParams

PASSES = {"epsilon": 3, "z-plus": 7, "alpha-beta": 11}
"""Passes per image: forward + backward, counted as two; the other rules evaluate every layer again, there and back."""
SMALLEST_ROW = 1e-6
"""Sum of a row of J below which a prepared value counts as made of no pixel."""


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


def flat_rule(pixels: Tensor, prepared: Tensor, relevance: Tensor) -> Tensor:
    """(N, C, H, W): R_j = sum over i of R_i J_ij / sum_k J_ik, whatever the brightness, so that nothing is lost.

    Args:
        pixels: x, (N, C, H, W).
        prepared: p, an affine map of the pixels, attached to their graph.
        relevance: R_i, of the shape of `prepared`.
    """
    if prepared is pixels:
        return relevance
    # row sums J 1 by two backward passes: d/dv (J^T v) 1 = J 1, whatever v
    v = torch.zeros_like(prepared, requires_grad=True)
    (transposed,) = torch.autograd.grad(prepared, pixels, v, create_graph=True)  # J^T v
    (row_sums,) = torch.autograd.grad(transposed, v, torch.ones_like(pixels))  # J 1
    # a value that depends on no pixel, such as padding, has no row to share its relevance among
    ratios = torch.where(row_sums.abs() > SMALLEST_ROW, relevance / row_sums, torch.zeros_like(relevance))
    (result,) = torch.autograd.grad(prepared, pixels, ratios)  # J^T (R / J 1)
    return result.detach()


def score_factors(classifier: Classifier, targets: Targets, target: Target, scores: Tensor) -> Tensor:
    """(N, K) factors by which the raw scores add up to the explained score.

    A binary logit s stands for the class logits (-s/2, s/2).

    Raises:
        UserError: a contrast for a regression.
    """
    refuse_contrast_of_regression(classifier, target)
    factors = torch.zeros_like(scores)
    rows = torch.arange(len(scores), device=scores.device)
    sides = {"predicted": [(targets.predicted, 1.0)], "probe": [(targets.probe, 1.0)]}
    for classes, sign in sides.get(target, [(targets.predicted, 1.0), (targets.probe, -1.0)]):
        index = torch.from_numpy(classes.astype("int64")).to(scores.device)
        if classifier.task == "multiclass":
            factors[rows, index] += sign
        else:  # one column of scores
            factors[:, 0] += sign * (index.to(scores) - 0.5 if classifier.task == "binary" else 1.0)
    return factors
