"""One x-feature as a classifier, so that any heatmap method can show where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs.roles import Classifier
from sidelight_toolkit.layers import layer_and_logits
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sidelight_specs.roles import Activations
    from sidelight_specs.roles.classifier import Task

    from sidelight_structured.xnn.srae import ExplanationNetwork

GAIN = 4.0
"""The logit of an x-feature that is as strong as in the explained image; minus this where it does not fire."""


class XFeature(Classifier):
    """Says whether an x-feature fires: class 1 where it is as strong as in one image, class 0 where it is absent.

    The binary logit is linear in the x-feature, so that gradients are the x-feature's own up to a factor, and its
    range makes the probability of class 1 0.98 in the image and 0.02 without the x-feature, as methods that hide
    parts of the image expect of a classifier.

    Args:
        classifier: the classifier behind it, which is not changed.
        layer: the layer that the network is attached to.
        network: the explanation network.
        index: which x-feature.
        reference: its value in the image, above 0.
    """

    def __init__(
        self, classifier: Classifier, layer: str, network: ExplanationNetwork, index: int, reference: float
    ) -> None:
        self._classifier = classifier
        self._layer = layer
        self._network = network
        self._index = index
        self._reference = reference

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
        """(N, 1) logits from -GAIN (absent) over GAIN (as in the image) upwards."""
        layer, _ = layer_and_logits(self._classifier, self._layer, images)
        strength = self._network.x_features(layer)[:, self._index] / self._reference
        return GAIN * (2 * strength[:, None] - 1)

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
