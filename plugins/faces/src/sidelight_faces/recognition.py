"""Face recognition: dlib's ResNet of 29 convolutions (King 2017), as the package face-api converted it.

Faces of one person have descriptors (N, 128) closer than 0.6 to each other, as dlib trained it. With s, b the frozen
batch norm that follows each convolution, both are folded into one: s (W x + c) + b = (s W) x + (s c + b).

Architecture and preprocessing follow face-api's `FaceRecognitionNet` (MIT); dlib's weights are in the public domain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_toolkit.weights_files import load_weights, refuse_larger
from torch import nn
from torch.nn import functional

from sidelight_faces.dense_features import face_input
from sidelight_faces.locations import RECOGNITION
from sidelight_faces.weights_manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

SIDE = 150  # pixels
STEM = "conv32_down"
RESIDUALS = (
    "conv32_1", "conv32_2", "conv32_3",
    "conv64_down", "conv64_1", "conv64_2", "conv64_3",
    "conv128_down", "conv128_1", "conv128_2",
    "conv256_down", "conv256_1", "conv256_2", "conv256_down_out",
)  # fmt: skip


class Residual(nn.Module):
    """r(conv2(r(conv1(x))) + x); where it halves the side, + the 2x2 average of x, with zeros for new channels."""

    def __init__(self, inputs: int, outputs: int, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 2 if halve else 1, 0 if halve else 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W), or half the side."""
        result = self.conv2(torch.relu(self.conv1(x)))
        if self.halve:
            x = functional.avg_pool2d(x, 2)
            x = functional.pad(x, (0, 0, 0, 0, 0, result.shape[1] - x.shape[1]))
            missing = x.shape[2] - result.shape[2], x.shape[3] - result.shape[3]  # the unpadded convolution loses one
            result = functional.pad(result, (0, missing[1], 0, missing[0]))
        return torch.relu(result + x)


class RecognitionNetwork(nn.Module):
    """(N, 3, H, W) faces in [0, 1] to descriptors (N, D).

    Args:
        widths: of the stem's outputs and of each residual block's.
        outputs: D, 128 of the published network.
    """

    def __init__(self, widths: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], 7, 2)
        pairs = zip(RESIDUALS, widths[:-1], widths[1:], strict=True)
        self.blocks = nn.ModuleDict({name: Residual(before, after, "down" in name) for name, before, after in pairs})
        self.fc = nn.Linear(widths[-1], outputs, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Preprocessing and all."""
        x = face_input(images, SIDE).contiguous(memory_format=torch.channels_last)
        x = functional.max_pool2d(torch.relu(self.stem(x)), 3, 2)  # sides 72, 35
        for block in self.blocks.values():  # sides 35, 17, 8, 4, 2
            x = block(x)
        descriptors: Tensor = self.fc(x.mean((2, 3)))
        return descriptors


def load_recognition_network(path: Path) -> RecognitionNetwork:
    """The network of a manifest, frozen and in evaluation mode; its widths are those of the file.

    Raises:
        UserError: the file cannot be read, or holds another network.
    """
    arrays = read_manifest(path)
    layers = (STEM, *(f"{name}/conv2" for name in RESIDUALS))
    widths = tuple(np.size(arrays.get(f"{layer}/conv/bias", ())) for layer in layers)
    if not all(widths) or np.ndim(arrays.get("fc", ())) != 2:
        raise UserError(f"{path} does not hold the {RECOGNITION.noun}: layers are not in it", RECOGNITION.fix())
    outputs = arrays["fc"].shape[1]
    try:
        state = _folded(arrays)
    except (KeyError, ValueError) as error:  # of a convolution without its batch norm, or with one of another size
        raise UserError(f"{path} does not hold the {RECOGNITION.noun}: {error}", RECOGNITION.fix()) from error
    refuse_larger(lambda: RecognitionNetwork(widths, outputs), state, path, RECOGNITION.fix())
    with torch.device("meta"):  # no random weights are drawn, only to be replaced
        network = RecognitionNetwork(widths, outputs)
    network = network.to_empty(device="cpu")
    load_weights(network, state, path, "dlib's network for faces", RECOGNITION.fix())
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave this form out
    return network.eval().requires_grad_(False)


def _folded(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """State dict of the network, each batch norm folded into its convolution."""
    state = {"fc.weight": torch.from_numpy(arrays["fc"].T.copy())}
    for name in [name for name in arrays if name.endswith("/conv/filters")]:
        layer = name.removesuffix("/conv/filters")
        filters, bias = arrays[name], arrays[f"{layer}/conv/bias"]  # W (H, W, in, out) and c (out,)
        scale, offset = arrays[f"{layer}/scale/weights"], arrays[f"{layer}/scale/biases"]  # s and b, (out,)
        if any(each.shape != filters.shape[3:] for each in (bias, scale, offset)):  # numpy would broadcast
            raise ValueError(f"the batch norm of {layer} does not fit its convolution")
        filters, bias = filters * scale, bias * scale + offset
        key = "stem" if layer == STEM else f"blocks.{layer.replace('/', '.')}"
        state[f"{key}.weight"] = torch.from_numpy(filters.transpose(3, 2, 0, 1).copy())  # to (out, in, H, W)
        state[f"{key}.bias"] = torch.from_numpy(bias)
    return state
