"""Layer-wise relevance propagation (Bach et al. 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import captum.attr
import numpy as np
import torch
from captum.attr._utils.lrp_rules import EpsilonRule  # its only way to another epsilon
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices

from sidelight_captum.chain import chain_of
from sidelight_captum.channels import one_channel
from sidelight_captum.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor, nn

    from sidelight_captum._params import LrpParams, Target
    from sidelight_captum.chain import Chain


class Lrp(Explainer):
    """The logit, handed back from layer to layer in proportion to what each input contributed (the epsilon rule).

    Bach et al. 2015, equation 58. Layers that only change the images before the first convolution (resizing,
    normalising) hand relevance back in proportion to how much of each pixel they took, so that black pixels can carry
    relevance too.
    """

    def __init__(self, params: LrpParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def explain(self, images: Tensor, targets: Targets) -> Heatmap:
        """Heatmaps in logits; each sums to the logit, less what biases and epsilon took.

        Raises:
            UserError: the network has a layer without a rule; it is named.
        """
        params = self._params
        chain = chain_of(self._classifier.module, images[:1])
        preprocessing = Preprocessing(chain.network, chain.layers[0], images)
        terms = relevance_terms(self._classifier, targets, params.target, images)
        parts = list(slices(len(images), params.batch))
        found = []
        for part in self._run.progress(parts, "lrp"):
            several = [factor[part] * self._propagated(chain, images[part], node[part]) for node, factor in terms]
            found.append(preprocessing.handed_back(images[part], torch.stack(several).sum(0)))
        return Heatmap(
            values=to_array(one_channel(torch.cat(found), params.channels)),
            signed=params.channels == "sum",
            answers=params.target,
            passes=np.full(len(images), 4 * len(terms) + 1, dtype=np.float32),
        )

    def _propagated(self, chain: Chain, images: Tensor, node: Tensor) -> Tensor:
        """(N, c, h, w), the relevance of the first layer's input for one output of each image."""
        for layer in chain.layers:
            layer.rule = EpsilonRule(self._params.epsilon)
        method = _ChainLRP(chain)
        pixels = images.detach().clone().requires_grad_()
        relevance: Tensor = method.attribute(pixels, target=node, attribute_to_layer_input=True)
        return relevance.detach()


class _ChainLRP(captum.attr.LayerLRP):  # type: ignore[misc]
    """captum's propagation through the layers of a chain that have a rule.

    captum would refuse what lies between them. It hands relevance on as it is: reshaping moves it, and a ReLU blocks it
    only where its output, and so the relevance, is zero.
    """

    def __init__(self, chain: Chain) -> None:
        self._ruled: list[nn.Module] = list(chain.layers)
        super().__init__(chain.network, chain.layers[0])

    def _get_layers(self, model: nn.Module) -> None:
        del model
        self.layers = list(self._ruled)


def relevance_terms(
    classifier: Classifier, targets: Targets, target: Target, images: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """The explained score as a sum of the network's outputs: pairs of output (N,) int64 and factor (N, 1, 1, 1).

    A binary logit s stands for the class logits (-s/2, s/2).

    Raises:
        UserError: a contrast is asked of a regression.
    """
    if target == "contrast" and classifier.task == "regression":
        raise UserError(
            "target: contrast compares two classes, and the classifier is a regression with one value",
            "set target: predicted to explain the value",
        )
    sides: dict[str, Iterable[tuple[np.ndarray, float]]] = {
        "predicted": [(targets.predicted, 1.0)],
        "probe": [(targets.probe, 1.0)],
        "contrast": [(targets.predicted, 1.0), (targets.probe, -1.0)],
    }
    terms = []
    for classes, sign in sides[target]:
        several = classifier.task == "multiclass"
        node = classes if several else np.zeros_like(classes)
        factor = sign * (classes - 0.5 if classifier.task == "binary" else np.ones(len(classes)))
        terms.append(
            (
                torch.from_numpy(node.astype("int64")).to(images.device),
                torch.from_numpy(factor.reshape(-1, 1, 1, 1)).to(images),
            )
        )
    return terms
