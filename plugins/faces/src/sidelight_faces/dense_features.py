"""Densely connected features of 112x112 faces, shared by the expression and the landmark network of face-api.

Four blocks of four 3x3 convolutions halve the side once each. Block i, with its input x and relu r:

    a1 = r(c0(x)),  c0 of stride 2      plain in the first block, depthwise separable in the others
    a2 = c1(a1),    a3 = c2(r(a1 + a2)),    a4 = c3(r(a1 + a2 + a3))
    block = r(a1 + a2 + a3 + a4)

Then a 7x7 average and a linear head. Architecture and preprocessing follow face-api's `FaceFeatureExtractor` and
`denseBlock4` (MIT); weights come as TensorFlow.js keeps them, (H, W, in, out).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_toolkit.images import resize
from sidelight_toolkit.weights_files import load_weights, refuse_larger
from torch import nn
from torch.nn import functional

from sidelight_faces.weights_manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from torch import Tensor

    from sidelight_faces.locations import Source

SIDE = 112  # pixels
MEAN = (122.782, 117.001, 104.298)  # of each channel, in values of 0 to 255; what is left is divided by 255
BLOCKS, CONVOLUTIONS = 4, 4
STEM = "dense0/conv0"


def pad_to_square(images: Tensor) -> Tensor:
    """Images (N, C, H, W) with black on both sides of the shorter axis; the odd pixel at the bottom or right."""
    height, width = images.shape[-2:]
    gap = abs(height - width)
    before, after = gap // 2, gap - gap // 2
    padding = (before, after, 0, 0) if height > width else (0, 0, before, after)
    return functional.pad(images, padding) if gap else images


def face_input(images: Tensor, side: int) -> Tensor:
    """Images (N, 3, H, W) in [0, 1], padded to a square, at `side`, less the mean colour."""
    # face-api resizes without half-pixel centres and antialiasing, which shifts the face by half a pixel
    sized = resize(pad_to_square(images), (side, side))
    return sized - torch.tensor(MEAN).to(images)[:, None, None] / 255  # (255 x - mean) / 255


class Separable(nn.Module):
    """3x3 depthwise and 1x1 pointwise convolution, TensorFlow's "same" padding for an even side."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        result: Tensor = self.pointwise(self.depthwise(pad_same(x, self.stride)))
        return result


class Stem(nn.Module):
    """3x3 convolution of stride 2, padded likewise."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, outputs, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, outputs, H / 2, W / 2)."""
        result: Tensor = self.conv(pad_same(x, 2))
        return result


def pad_same(x: Tensor, stride: int) -> Tensor:
    """TensorFlow's "same" for 3x3 and an even side: one pixel around, for stride 2 at the bottom and right alone."""
    return functional.pad(x, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1))


class Block(nn.Module):
    """Four convolutions, each of the sum of all before."""

    def __init__(self, inputs: int, outputs: int, first: bool) -> None:
        super().__init__()
        self.conv0: nn.Module = Stem(outputs) if first else Separable(inputs, outputs, 2)
        self.conv1, self.conv2, self.conv3 = (Separable(outputs, outputs, 1) for _ in range(CONVOLUTIONS - 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / 2, W / 2)."""
        total = torch.relu(self.conv0(x))  # a1
        total = total + self.conv1(total)  # a1 + a2
        total = total + self.conv2(torch.relu(total))
        total = total + self.conv3(torch.relu(total))
        return torch.relu(total)


class DenseFaceNetwork(nn.Module):
    """(N, 3, H, W) faces in [0, 1] to (N, outputs).

    Args:
        widths: channels after each block, (32, 64, 128, 256) of the published networks.
        outputs: length of the head.
    """

    def __init__(self, widths: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.dense0 = Block(3, widths[0], first=True)
        self.dense1, self.dense2, self.dense3 = (Block(*pair, first=False) for pair in pairwise(widths))
        self.fc = nn.Linear(widths[-1], outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Preprocessing and all."""
        x = face_input(images, SIDE).contiguous(memory_format=torch.channels_last)
        for block in (self.dense0, self.dense1, self.dense2, self.dense3):
            x = block(x)  # sides 56, 28, 14, 7
        scores: Tensor = self.fc(x.mean((2, 3)))  # the average of 7x7
        return scores


def load_dense_network(source: Source, path: Path, outputs: int) -> DenseFaceNetwork:
    """The network of a manifest, frozen and in evaluation mode; its widths are those of the file.

    Raises:
        UserError: the file cannot be read, or holds another network.
    """
    arrays = read_manifest(path)
    widths = tuple(np.size(arrays.get(f"dense{number}/conv0/bias", ())) for number in range(BLOCKS))
    if not all(widths):
        raise UserError(f"{path} does not hold the {source.noun}: dense0 to dense3 are not in it", source.fix())
    state = state_of(arrays, plain=(STEM,))
    refuse_larger(lambda: DenseFaceNetwork(widths, outputs), state, path, source.fix())
    with torch.device("meta"):  # no random weights are drawn, only to be replaced
        network = DenseFaceNetwork(widths, outputs)
    network = network.to_empty(device="cpu")
    load_weights(network, state, path, f"the network of {outputs} outputs", source.fix())
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave this form out
    return network.eval().requires_grad_(False)


def state_of(arrays: Mapping[str, np.ndarray], plain: Collection[str]) -> dict[str, Tensor]:
    """State dict of the weights of a manifest; `plain` are the layers whose convolution is not separable."""
    return {_name(name, plain): torch.from_numpy(_layout(name, array)) for name, array in arrays.items()}


_PARTS = {"depthwise_filter": "depthwise.weight", "pointwise_filter": "pointwise.weight", "filters": "conv.weight"}


def _name(name: str, plain: Collection[str]) -> str:
    """`dense1/conv2/pointwise_filter` is `dense1.conv2.pointwise.weight` here."""
    layer, _, part = name.rpartition("/")
    if layer == "fc":
        return f"fc.{'weight' if part == 'weights' else part}"
    if part == "bias":
        part = "conv.bias" if layer in plain else "pointwise.bias"
    return f"{layer.replace('/', '.')}.{_PARTS.get(part, part)}"


def _layout(name: str, array: np.ndarray) -> np.ndarray:
    """TensorFlow's axes as torch's."""
    if array.ndim == 4:
        # (H, W, in, out) to (out, in, H, W); a depthwise filter (H, W, channels, 1) to (channels, 1, H, W)
        axes = (2, 3, 0, 1) if name.endswith("depthwise_filter") else (3, 2, 0, 1)
        return array.transpose(axes).copy()
    return array.T.copy() if array.ndim == 2 else array
