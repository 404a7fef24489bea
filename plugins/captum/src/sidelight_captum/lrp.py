"""Layer-wise relevance propagation (Bach et al. 2015; rules: Montavon et al. 2019, LRP: An Overview)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices

from sidelight_captum.channels import one_channel
from sidelight_captum.lrp_rules import RelevanceRules, refuse

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_captum.params import LrpParams, Target

PASSES = {"epsilon": 3, "z-plus": 7, "alpha-beta": 11}
"""Passes an image: forward + backward, counted as two; the other rules evaluate every layer again, there and back."""


class Lrp(Explainer):
    """The logit, handed back from operator to operator in proportion to what each input contributed.

    What happens to the images before the first layer (resizing, normalising) hands relevance back by the flat rule, in
    proportion to how much of each pixel it took, so that black pixels can carry relevance too.
    """

    def __init__(self, params: LrpParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits; each sums to the logit, less what biases and epsilon took.

        Raises:
            UserError: the network has an operator without a rule; it is named.
        """
        params = self._params
        if any(isinstance(part, torch.jit.ScriptModule) for part in self._classifier.module.modules()):
            refuse("a TorchScript file hides its operators", "export the model as .pt2")
        found = [
            self._relevance(images[part], targets.take(list(range(part.start, part.stop))))
            for part in self._run.progress(list(slices(len(images), params.batch)), "lrp")
        ]
        return Heatmap(
            values=to_array(one_channel(torch.cat(found), params.channels)),
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
            start = scores.detach() * explained(self._classifier, targets, self._params.target, scores)
            (relevance,) = torch.autograd.grad(scores, rules.inputs, start)
            return by_flat_rule(pixels, rules.prepared, relevance)


def by_flat_rule(pixels: Tensor, prepared: Tensor, relevance: Tensor) -> Tensor:
    """(N, C, H, W): each value that was prepared shares its relevance among the pixels that it was made of.

    Pixel j gets the share J_ij / sum_k J_ik of the weights, whatever its brightness, so that nothing is lost.

    Args:
        pixels: (N, C, H, W).
        prepared: an affine map of the pixels, attached to their graph.
        relevance: of the shape of `prepared`.
    """
    if prepared is pixels:
        return relevance
    # J 1 by two backward passes: d/dv (J^T v) 1 = J 1, whatever v
    v = torch.zeros_like(prepared, requires_grad=True)
    (transposed,) = torch.autograd.grad(prepared, pixels, v, create_graph=True)
    (taken,) = torch.autograd.grad(transposed, v, torch.ones_like(pixels))
    shares = torch.where(taken.abs() > 1e-6, relevance / taken, torch.zeros_like(relevance))
    (found,) = torch.autograd.grad(prepared, pixels, shares)
    return found.detach()


def explained(classifier: Classifier, targets: Targets, target: Target, scores: Tensor) -> Tensor:
    """(N, K) factors by which the raw scores add up to what is explained.

    A binary logit s stands for the class logits (-s/2, s/2).

    Raises:
        UserError: a contrast is asked of a regression.
    """
    if target == "contrast" and classifier.task == "regression":
        raise UserError(
            "target: contrast compares two classes, and the classifier is a regression with one value",
            "set target: predicted to explain the value",
        )
    factors = torch.zeros_like(scores)
    rows = torch.arange(len(scores), device=scores.device)
    sides = {"predicted": [(targets.predicted, 1.0)], "probe": [(targets.probe, 1.0)]}
    for classes, sign in sides.get(target, [(targets.predicted, 1.0), (targets.probe, -1.0)]):
        chosen = torch.from_numpy(classes.astype("int64")).to(scores.device)
        if classifier.task == "multiclass":
            factors[rows, chosen] += sign
        else:
            factors[:, 0] += sign * (chosen.to(scores) - 0.5 if classifier.task == "binary" else 1.0)
    return factors
