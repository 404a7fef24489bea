"""Heatmap of each x-feature, by any heatmap method: the x-feature becomes a binary classifier that the method explains.

Li Fuxin et al. 2021, section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap, Targets
from sidelight_specs.roles import Classifier
from sidelight_toolkit.layers import layer_and_logits
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sidelight_specs import Run
    from sidelight_specs.roles import Activations, Explainer
    from sidelight_specs.roles.classifier import Task

    from sidelight_structured.xnn.srae import ExplanationNetwork

FAINT = 0.05
"""x-features below this, where 1 is their usual strength, get an empty heatmap: there is nothing to locate."""


class UnitClassifier(Classifier):
    """Binary classifier of one x-feature: class 1 where it is as strong as in one image, class 0 where it is absent.

    The logit is linear in the x-feature, so that its gradients are the x-feature's own up to a factor.

    Args:
        classifier: the classifier behind it, which is not changed.
        layer: the layer that the network is attached to.
        network: the explanation network.
        index: index of the x-feature.
        reference: its value in the image, above 0.
        gain: logit of class 1 where it is as strong as in the image, -gain where it is absent.
    """

    def __init__(
        self,
        classifier: Classifier,
        layer: str,
        network: ExplanationNetwork,
        index: int,
        reference: float,
        gain: float,
    ) -> None:
        self._classifier = classifier
        self._layer = layer
        self._network = network
        self._index = index
        self._reference = reference
        self._gain = gain

    @property
    def task(self) -> Task:
        """Binary."""
        return "binary"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Absent and present."""
        return "absent", "present"

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """The classifier's."""
        return self._classifier.input_shape

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 1) logits from -gain (absent) over gain (as in the image) upwards."""
        layer, _ = layer_and_logits(self._classifier, self._layer, images)  # Z, (N, S)
        strength = self._network.x_features(layer)[:, self._index] / self._reference  # 1: as in the image
        return self._gain * (2 * strength[:, None] - 1)

    @property
    def layers(self) -> tuple[str, ...]:
        """The classifier's."""
        return self._classifier.layers

    def watch(self, layers: Sequence[str]) -> AbstractContextManager[Activations]:
        """Record outputs of the classifier's layers while the x-feature is computed."""
        return self._classifier.watch(layers)

    @property
    def module(self) -> nn.Module:
        """From images to scores, with the classifier's own modules under their own names."""
        return _Scores(self.scores, self._classifier.module)


class _Scores(nn.Module):
    def __init__(self, scores: Callable[[torch.Tensor], torch.Tensor], module: nn.Module) -> None:
        super().__init__()
        for name, child in module.named_children():
            self.add_module(name, child)
        self._scores = scores
        self.training = False  # not eval(), which would reach into the classifier's modules

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self._scores(images)


def x_feature_heatmaps(
    method: Callable[[Classifier], Explainer],
    classifier: Classifier,
    layer: str,
    network: ExplanationNetwork,
    images: torch.Tensor,
    x_features: np.ndarray,
    shown: np.ndarray,
    gain: float,
    run: Run,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Heatmaps of x-features; 0 where one is not shown, does not fire, or the method has no answer.

    Args:
        method: builds a heatmap explainer of a classifier.
        classifier: the explained classifier.
        layer: the layer that the network is attached to.
        network: the explanation network.
        images: (N, C, H, W).
        x_features: (N, n), their x-features.
        shown: (N, n) bool, those that get a heatmap if they fire.
        gain: as for `UnitClassifier`.
        run: shows progress.

    Returns:
        (N, n, H, W) float32, and their passes (N,), None where the method does not count them.

    Raises:
        UserError: the method gives something other than heatmaps for the predicted class.
    """
    maps = np.zeros((*x_features.shape, *images.shape[-2:]), dtype=np.float32)
    passes: np.ndarray | None = np.zeros(len(images), dtype=np.float32)
    missing, present = 0, np.argwhere((x_features >= FAINT) & shown).tolist()
    # one at a time: the reference, and with it the classifier, differs for each x-feature and image
    for row, index in run.progress(present, "heatmaps"):
        unit = UnitClassifier(classifier, layer, network, index, float(x_features[row, index]), gain)
        heatmap = _heatmap(method(unit), images[row : row + 1])
        maps[row, index] = heatmap.values[0]
        missing += not heatmap.has_answer(0)
        if passes is None or heatmap.passes is None:
            passes = None  # unknown for one heatmap: unknown for the sum
        else:
            passes[row] += heatmap.passes[0]
    if missing:
        run.warn(
            f"the method under `heatmap` has no answer for {missing} of {len(present)} x-features: {heatmap.no_answer}"
        )
    return maps, passes


def _heatmap(method: Explainer, image: torch.Tensor) -> Heatmap:
    """Heatmap of the x-feature's presence (class 1) against its absence (class 0)."""
    result = method.explain(image, Targets(predicted=np.array([1]), probe=np.array([0])))
    if not isinstance(result, Heatmap) or result.answers == "probe":
        kind = f"a {result.kind}" + (" for the probe" if isinstance(result, Heatmap) else "")
        raise UserError(
            f"the component under `heatmap` gives {kind}",
            "name an explainer that gives heatmaps for the predicted class: needs: {heatmap: ID}",
        )
    return result
