"""The digit classifier of Feghahati et al. 2020 (CDeepEx), section 4.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.images import resize
from torch import nn

from sidelight_classifiers.trained.base import TrainedClassifier

if TYPE_CHECKING:
    from sidelight_classifiers.params import LeNetParams
    from sidelight_classifiers.trained.base import DataSummary

SIDE = 64  # pixels
WIDTHS = (10, 20)  # 20 by the paper, whose first layer has 13 * 13 * 20 = 3380 inputs; 10 is our choice
HIDDEN = 50


class LeNetModule(nn.Module):
    """Two sets of Conv 5x5, MaxPool and ReLU on images resized to 64x64, then layers of 3380x50 and 50xK.

    Images are standardised by the mean and the standard deviation of the training images.
    """

    def __init__(self, data: DataSummary, dropout: float) -> None:
        super().__init__()
        channels, classes = data.shape[0], len(data.classes)
        self.mean, self.std = data.mean, data.std
        self.conv1 = nn.Conv2d(channels, WIDTHS[0], 5)
        self.pool1 = nn.MaxPool2d(2)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(WIDTHS[0], WIDTHS[1], 5)
        self.pool2 = nn.MaxPool2d(2)
        self.relu2 = nn.ReLU()
        self.fc1 = nn.Linear(13 * 13 * WIDTHS[1], HIDDEN)
        self.relu3 = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(HIDDEN, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in [0, 1] to (N, K) logits."""
        x = (resize(images, (SIDE, SIDE)) - self.mean) / self.std
        x = x.contiguous(memory_format=torch.channels_last)  # a quarter faster on a CPU, mostly in the pooling
        x = self.relu1(self.pool1(self.conv1(x)))  # (N, 10, 30, 30)
        x = self.relu2(self.pool2(self.conv2(x)))  # (N, 20, 13, 13)
        x = self.dropout(self.relu3(self.fc1(x.flatten(1))))
        logits: torch.Tensor = self.fc2(x)
        return logits


class LeNet(TrainedClassifier):
    """LeNet, trained by AdamW."""

    _params: LeNetParams

    def build(self, data: DataSummary) -> nn.Module:
        """Fresh weights."""
        return LeNetModule(data, self._params.dropout)

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """AdamW."""
        rate, decay = self._params.learning_rate, self._params.weight_decay
        return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
