"""The toy classifier's network: matched filters, with weights that can be checked by hand.

The filter g = (1, -2, 2, -2, 1) answers 8 to a pattern alternating between -1 and 1 at every pixel, 0 to constants,
ramps and stripes of period four, and at most 1 to a step of height 1. Smoothed across by h = (1, 4, 6, 4, 1) / 16,
it does not see a pattern that alternates in the other direction. The first layer's bias hides answers up to 0.6,
such as those to the border of a square or of an occluding patch.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from sidelight_specs.roles.classifier import Task

_STEP = 0.6
_GAIN = 40.0


def build(channels: int, task: Task) -> nn.Sequential:
    """conv1 - relu1 - pool1 - conv2 - relu2 - pool2 - flatten - head, frozen, in evaluation mode."""
    conv1 = nn.Conv2d(channels, 3, 5, padding=2, padding_mode="replicate")
    conv2 = nn.Conv2d(3, 3, 3, padding=1)
    head = nn.Linear(3, 3 if task == "multiclass" else 1)
    _set(conv1, _filters()[:, None].expand(-1, channels, -1, -1) / channels, -_STEP)
    _set(conv2, torch.eye(3)[:, :, None, None].expand(-1, -1, 3, 3) / 9, 0.0)
    _set(head, _GAIN * _head(task), 0.0)
    layers = OrderedDict(
        conv1=conv1,
        relu1=nn.ReLU(),
        pool1=nn.AvgPool2d(2),
        conv2=conv2,
        relu2=nn.ReLU(),
        pool2=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        head=head,
    )
    return nn.Sequential(layers).eval().requires_grad_(False)


def _set(layer: nn.Conv2d | nn.Linear, weight: torch.Tensor, bias: float) -> None:
    layer.weight = nn.Parameter(weight.clone())
    layer.bias = nn.Parameter(torch.full((len(weight),), bias))


def _filters() -> torch.Tensor:
    g = torch.tensor([1.0, -2.0, 2.0, -2.0, 1.0])
    h = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    return torch.stack([torch.outer(g, h), torch.outer(h, g), torch.outer(g, g) / 8])


def _head(task: Task) -> torch.Tensor:
    rows, columns, checks = torch.eye(3)
    if task == "multiclass":
        return torch.stack([rows, columns, checks])
    return torch.stack([columns - rows if task == "binary" else rows / 10])
