"""A small pre-activation residual network for images of about 32x32 pixels (He et al. 2016b, Identity Mappings)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from sidelight_classifiers.trained.base import ConvolutionalClassifier, Standardised

if TYPE_CHECKING:
    from sidelight_classifiers.params import ResNetParams
    from sidelight_classifiers.trained.base import DataSummary

STRIDES = (1, 2, 2)  # of the first block of each stage


class Block(nn.Module):
    """x + Conv(ReLU(BN(Conv(ReLU(BN(x)))))), He et al. 2016b, figure 1b.

    Where channels or size change, x on the left is a 1x1 convolution of ReLU(BN(x)).
    """

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        changes = before != channels or stride != 1
        self.shortcut = nn.Conv2d(before, channels, 1, bias=False) if changes else None
        self.stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, before, H, W) to (N, channels, H / stride, W / stride)."""
        active = self.relu1(self.bn1(x))
        # every other pixel is taken first: a 1x1 convolution with stride 2 of 8 channels crashes torch 2.13 on CPUs
        stride = self.stride
        shortcut = x if self.shortcut is None else self.shortcut(active[:, :, ::stride, ::stride])
        residual: torch.Tensor = self.conv2(self.relu2(self.bn2(self.conv1(active))))
        return shortcut + residual


class ResNetModule(Standardised):
    """A 3x3 convolution, three stages of blocks, the later two halving the size, then global average pooling."""

    def __init__(self, data: DataSummary, width: int, blocks: int) -> None:
        super().__init__(data)
        self.stem = nn.Conv2d(data.shape[0], width, 3, 1, 1, bias=False)
        self.stages, channels = nn.Sequential(), width
        for stage, stride in enumerate(STRIDES):
            wider = width * 2**stage
            first = Block(channels, wider, stride)
            self.stages.append(nn.Sequential(first, *(Block(wider, wider, 1) for _ in range(blocks - 1))))
            channels = wider
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, len(data.classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in [0, 1] to (N, K) logits."""
        x = self.stages(self.stem(self.standardise(images)))
        logits: torch.Tensor = self.fc(self.pool(self.relu(self.bn(x))).flatten(1))
        return logits


class ResNet(ConvolutionalClassifier):
    """2 + 6 * blocks layers with weights, shortcuts not counted."""

    _params: ResNetParams

    def build(self, data: DataSummary) -> nn.Module:
        """Fresh weights."""
        network = ResNetModule(data, self._params.width, self._params.blocks)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
