"""What the deeper trained networks share: how their images are prepared, and how they learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from sidelight_classifiers.trained.base import TrainedClassifier

if TYPE_CHECKING:
    from sidelight_classifiers.params import ConvolutionalParams
    from sidelight_classifiers.trained.facts import Facts

MOMENTUM = 0.9


class Standardised(nn.Module):
    """A network behind standardising by the training images' mean and deviation, channels innermost.

    Channels are the innermost dimension in memory because convolutions on a CPU are faster so.
    """

    def __init__(self, facts: Facts) -> None:
        super().__init__()
        self.mean, self.std = facts.mean, facts.std

    def standardised(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in [0, 1] to the same shape, about zero."""
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


class ConvolutionalClassifier(TrainedClassifier):
    """Trained by stochastic gradient descent with Nesterov momentum, optionally in bfloat16.

    Weights, their updates and the loss stay float32, and so does everything after the training.
    """

    params: ConvolutionalParams

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Stochastic gradient descent with Nesterov momentum."""
        rate, decay = self.params.learning_rate, self.params.weight_decay
        return torch.optim.SGD(network.parameters(), lr=rate, momentum=MOMENTUM, nesterov=True, weight_decay=decay)

    def training_logits(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Convolutions and products in the precision that the options name."""
        half = self.params.precision == "bfloat16"
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            logits: torch.Tensor = network(images)
        return logits.float()
