"""The digit classifier of Feghahati et al. 2020 (CDeepEx), section 4.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.images import resize
from torch import nn

from sidelight_classifiers.trained.base import TrainedClassifier

if TYPE_CHECKING:
    from sidelight_classifiers.params import LeNetParams
    from sidelight_classifiers.trained.facts import Facts

SIDE = 64
WIDTHS = (10, 20)
HIDDEN = 50


class LeNetModule(nn.Module):
    """Two sets of Conv 5x5, MaxPool and ReLU on images resized to 64x64, then layers of 3380x50 and 50xK.

    The paper gives the 3380 = 13 * 13 * 20 features, hence 20 channels in the second convolution; the 10 of the first
    are our choice. Images are standardised by the mean and the standard deviation of the training images.
    """

    def __init__(self, facts: Facts, dropout: float) -> None:
        super().__init__()
        channels, classes = facts.shape[0], len(facts.classes)
        self.mean, self.std = facts.mean, facts.std
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
        x = self.relu1(self.pool1(self.conv1(x)))
        x = self.relu2(self.pool2(self.conv2(x)))
        x = self.dropout(self.relu3(self.fc1(x.flatten(1))))
        logits: torch.Tensor = self.fc2(x)
        return logits


class LeNet(TrainedClassifier):
    """LeNet, trained by AdamW."""

    params: LeNetParams

    def build(self, facts: Facts) -> nn.Module:
        """Fresh weights."""
        return LeNetModule(facts, self.params.dropout)

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """AdamW."""
        rate, decay = self.params.learning_rate, self.params.weight_decay
        return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
