"""VGG16 (Simonyan and Zisserman 2015, configuration D) and smaller kin, with batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.images import resize
from torch import nn

from sidelight_classifiers.trained.base import ConvolutionalClassifier, Standardised

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sidelight_classifiers.params import VggParams
    from sidelight_classifiers.trained.base import DataSummary

WIDEST = 8
"""Channels of a stage as a multiple of the width: 1, 2, 4, 8, 8, ...; a 2x2 max pooling ends each."""


class VggModule(Standardised):
    """Stages of 3x3 convolutions, then linear layers; images that the poolings would make nothing of are enlarged.

    VGG16 has thirteen convolutions in five stages and three linear layers. A chain without skip connections, so that
    relevance can be propagated back through it (LRP).

    Args:
        data: images and classes to learn.
        width: channels of the first stage.
        convolutions: number in each stage.
        linear: number of linear layers.
        dropout: ratio of the units of hidden linear layers switched off in training.
    """

    def __init__(self, data: DataSummary, width: int, convolutions: Sequence[int], linear: int, dropout: float) -> None:
        super().__init__(data)
        self._smallest = 2 ** len(convolutions)  # pixels: one is left after the poolings
        multiples = [min(2**stage, WIDEST) for stage in range(len(convolutions))]
        hidden = multiples[-1] * width
        self.features = nn.Sequential(
            *_features(data.shape[0], [multiple * width for multiple in multiples], convolutions)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            *(
                layer
                for _ in range(linear - 1)
                for layer in (nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout))
            ),
            nn.Linear(hidden, len(data.classes)),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in [0, 1] to (N, K) logits."""
        height, width = images.shape[-2:]
        x = self.standardise(resize(images, (max(height, self._smallest), max(width, self._smallest))))
        logits: torch.Tensor = self.classifier(self.pool(self.features(x)).flatten(1))
        return logits


def _features(channels: int, widths: Sequence[int], convolutions: Sequence[int]) -> Iterator[nn.Module]:
    for width, count in zip(widths, convolutions, strict=True):
        for _ in range(count):
            yield nn.Conv2d(channels, width, 3, 1, 1, bias=False)
            yield nn.BatchNorm2d(width)
            yield nn.ReLU()
            channels = width
        yield nn.MaxPool2d(2)


class Vgg(ConvolutionalClassifier):
    """VGG16, narrower by default, or as many convolutions and linear layers as are asked for."""

    _params: VggParams

    def build(self, data: DataSummary) -> nn.Module:
        """Fresh weights."""
        params = self._params
        network = VggModule(data, params.width, params.convolutions, params.linear, params.dropout)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
