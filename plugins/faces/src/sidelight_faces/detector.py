"""Faces in photographs: the tiny face detector of the package face-api, boxes found in one pass.

A network of the kind of Tiny YOLO v2 (Redmon and Farhadi 2017, "YOLO9000", section 2), with depthwise separable
convolutions. The photograph, padded to a square of S = 416, gives 13 x 13 cells; each cell (i, j) has a score and a box
for every anchor (w, h). With the outputs t, and sides in cells:

    centre = (j + sigmoid(t_x), i + sigmoid(t_y)),   sides = (w exp(t_w), h exp(t_h)),   score = sigmoid(t_s)

Of boxes that overlap (intersection over union above 0.4) the most certain stays. Architecture, anchors and
preprocessing follow face-api's `TinyFaceDetector` (MIT); `leaky` is a ReLU of slope 0.1.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from attrs import frozen
from sidelight_specs import UserError
from sidelight_toolkit.images import resize, shrunk
from sidelight_toolkit.weights_files import load_weights, refuse_larger
from torch import nn
from torch.nn import functional

from sidelight_faces.dense_features import Separable, pad_to_square, state_of
from sidelight_faces.locations import DETECTOR
from sidelight_faces.weights_manifest import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

LARGEST = 4096  # pixels a side of what is padded: a strip of 60,000 would make a square of 40 GiB
SIDE = 416  # pixels, the largest of face-api's sizes by default
MEAN = (117.001, 114.697, 97.404)  # of each channel, in values of 0 to 255
ANCHORS = ((1.603231, 2.094468), (6.041143, 7.080126), (2.882459, 3.518061), (4.266906, 5.178857), (9.041765, 10.66308))
VALUES = 5  # t_x, t_y, t_w, t_h, t_s
SLOPE = 0.1
OVERLAP = 0.4
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")


class DetectorNetwork(nn.Module):
    """(N, 3, S, S) in [0, 1] to (N, cells, cells, anchors, 5).

    Args:
        widths: channels of the first convolution and of the five after it, (16, 32, ..., 512) of the published one.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.conv0 = nn.Module()
        self.conv0.conv = nn.Conv2d(3, widths[0], 3)
        for name, (before, after) in zip(LAYERS, pairwise(widths), strict=True):
            self.add_module(name, Separable(before, after, 1))
        self.conv8 = nn.Module()
        self.conv8.conv = nn.Conv2d(widths[-1], len(ANCHORS) * VALUES, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Preprocessing but for the padding."""
        x = images - torch.tensor(MEAN).to(images)[:, None, None] / 255
        x = _leaky(self.conv0.conv(x))  # type: ignore[operator]
        for name in LAYERS:
            x = functional.max_pool2d(x, 2, 2, ceil_mode=True)  # sides 207, 104, 52, 26, 13
            x = _leaky(self.get_submodule(name)(x))
        x = functional.max_pool2d(functional.pad(x, (0, 1, 0, 1), value=-torch.inf), 2, 1)
        values: Tensor = self.conv8.conv(x)  # type: ignore[operator]
        cells = values.shape[2:]
        return values.permute(0, 2, 3, 1).reshape(len(values), *cells, len(ANCHORS), VALUES)


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, SLOPE)


def load_detector(path: Path) -> DetectorNetwork:
    """The network of a manifest, frozen and in evaluation mode; its widths are those of the file.

    Raises:
        UserError: the file cannot be read, or holds another network.
    """
    arrays = read_manifest(path)
    widths = tuple(np.size(arrays.get(f"{layer}/bias", ())) for layer in ("conv0", *LAYERS))
    if not all(widths):
        raise UserError(f"{path} does not hold the {DETECTOR.noun}: conv0 to conv5 are not in it", DETECTOR.fix())
    state = state_of(arrays, plain=("conv0", "conv8"))
    refuse_larger(lambda: DetectorNetwork(widths), state, path, DETECTOR.fix())
    with torch.device("meta"):  # no random weights are drawn, only to be replaced
        network = DetectorNetwork(widths)
    network = network.to_empty(device="cpu")
    load_weights(network, state, path, "the face detector", DETECTOR.fix())
    return network.eval().requires_grad_(False)


@frozen
class Box:
    """A face in a photograph, in pixels.

    Args:
        left, top, right, bottom: edges, which may lie outside of the photograph.
        score: certainty, in [0, 1].
    """

    left: float
    top: float
    right: float
    bottom: float
    score: float

    @property
    def area(self) -> float:
        """Square pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def overlap(self, other: Box) -> float:
        """Intersection over union."""
        width = max(0.0, min(self.right, other.right) - max(self.left, other.left))
        height = max(0.0, min(self.bottom, other.bottom) - max(self.top, other.top))
        shared = width * height
        return shared / (self.area + other.area - shared)


@torch.no_grad()
def find_faces(network: DetectorNetwork, image: Tensor, least: float) -> tuple[Box, ...]:
    """Faces of one photograph, from left to right.

    Args:
        network: the detector.
        image: (3, H, W) in [0, 1].
        least: score from which a box counts.
    """
    small = shrunk(image[None], LARGEST)
    height, width = small.shape[-2:]
    down, across = image.shape[-2] / height, image.shape[-1] / width  # pixels of the photograph in one of `small`
    longer = max(height, width)
    before = (longer - width) // 2, (longer - height) // 2  # of the padding, pixels
    values = network(resize(pad_to_square(small), (SIDE, SIDE)))[0]  # (cells, cells, anchors, 5)
    cells = len(values)
    scores = values[..., 4].sigmoid()
    boxes = []
    for row, column, anchor in torch.nonzero(scores >= least).tolist():
        t = values[row, column, anchor]
        x, y = (column + float(t[0].sigmoid()), row + float(t[1].sigmoid()))
        w, h = (side * float(t[2 + axis].exp()) for axis, side in enumerate(ANCHORS[anchor]))
        left, right = (across * (longer * edge / cells - before[0]) for edge in (x - w / 2, x + w / 2))
        top, bottom = (down * (longer * edge / cells - before[1]) for edge in (y - h / 2, y + h / 2))
        boxes.append(Box(left, top, right, bottom, float(scores[row, column, anchor])))
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: -box.score):
        if all(box.overlap(other) <= OVERLAP for other in kept):
            kept.append(box)
    return tuple(sorted(kept, key=lambda box: box.left))
