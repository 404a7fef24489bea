"""VGG16 (Simonyan and Zisserman 2015, configuration D) for images of about 32x32 pixels, with batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.images import resize
from torch import nn

from sidelight_classifiers.trained.base import ConvolutionalClassifier, Standardised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_classifiers.params import VggParams
    from sidelight_classifiers.trained.base import DataSummary

STAGES = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
"""(channels as a multiple of the width, convolutions) of each stage; a 2x2 max pooling ends it."""
SMALLEST = 2 ** len(STAGES)  # pixels: one is left after the poolings


class VggModule(Standardised):
    """Thirteen 3x3 convolutions in five stages, then three linear layers; images smaller than 32x32 are enlarged.

    A chain without skip connections, so that relevance can be propagated back through it (LRP).
    """

    def __init__(self, data: DataSummary, width: int, dropout: float) -> None:
        super().__init__(data)
        hidden = STAGES[-1][0] * width
        self.features = nn.Sequential(*_features(data.shape[0], width))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout)),
            nn.Linear(hidden, len(data.classes)),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in [0, 1] to (N, K) logits."""
        height, width = images.shape[-2:]
        x = self.standardise(resize(images, (max(height, SMALLEST), max(width, SMALLEST))))
        logits: torch.Tensor = self.classifier(self.pool(self.features(x)).flatten(1))
        return logits


def _features(channels: int, width: int) -> Iterator[nn.Module]:
    for multiple, convolutions in STAGES:
        for _ in range(convolutions):
            yield nn.Conv2d(channels, multiple * width, 3, 1, 1, bias=False)
            yield nn.BatchNorm2d(multiple * width)
            yield nn.ReLU()
            channels = multiple * width
        yield nn.MaxPool2d(2)


class Vgg(ConvolutionalClassifier):
    """VGG16, narrower by default."""

    _params: VggParams

    def build(self, data: DataSummary) -> nn.Module:
        """Fresh weights."""
        network = VggModule(data, self._params.width, self._params.dropout)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
