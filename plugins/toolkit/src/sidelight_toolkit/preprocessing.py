"""Preprocessing of a model as part of it: resizing and normalising, so that images in [0, 1] go in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from attrs import frozen
from sidelight_specs import UserError
from torch import nn

from sidelight_toolkit.images import Interpolation, resize
from sidelight_toolkit.trial import Ending, as_logits

if TYPE_CHECKING:
    from collections.abc import Sequence


@frozen(kw_only=True)
class Preprocessing:
    """Preprocessing that a model was trained with, after the image is cropped.

    Args:
        size: (H, W) that the network takes, in pixels.
        mean: subtracted from values in [0, 1]: one number, or one for each channel.
        std: divisor of the difference, likewise.
        interpolation: of the resizing; antialiased when shrinking.
        reversed_channels: the network takes BGR instead of RGB.
    """

    size: tuple[int, int]
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    interpolation: Interpolation = "bilinear"
    reversed_channels: bool = False


class Prepared(nn.Module):
    """A model behind its preprocessing: (N, C, H, W) images in [0, 1] to scores.

    The crop of a model's preprocessing is left to whoever reads the images, so that a heatmap covers what is shown.

    Args:
        model: from normalised images to scores: a tensor, or an object whose `logits` is one (transformers).
        preprocessing: what stands before it.
        channels: C.

    Raises:
        UserError: mean or std fit another number of channels.
    """

    mean: torch.Tensor
    std: torch.Tensor
    ending: Ending = ""
    """Final layer of a model that gives probabilities, which are turned back into logits."""

    def __init__(self, model: nn.Module, preprocessing: Preprocessing, channels: int) -> None:
        super().__init__()
        self.model = model
        self.preprocessing = preprocessing
        self.register_buffer("mean", channelwise(preprocessing.mean, channels, "mean"))
        self.register_buffer("std", channelwise(preprocessing.std, channels, "std"))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in [0, 1] to scores; a model that gives (N,) is taken to give (N, 1)."""
        resized = resize(images, self.preprocessing.size, self.preprocessing.interpolation)
        ordered = resized.flip(1) if self.preprocessing.reversed_channels else resized
        output = self.model((ordered - self.mean) / self.std)
        scores: torch.Tensor = getattr(output, "logits", output)
        scores = scores[:, None] if isinstance(scores, torch.Tensor) and scores.ndim == 1 else scores
        return as_logits(scores, self.ending) if self.ending else scores


def channelwise(values: Sequence[float], channels: int, option: str) -> torch.Tensor:
    """Numbers as (C, 1, 1).

    Args:
        values: one number, or one for each channel.
        channels: C.
        option: what they are called in the message.

    Raises:
        UserError: another count of numbers.
    """
    if len(values) not in {1, channels}:
        raise UserError(
            f"{option} has {len(values)} numbers for {channels} channel(s)",
            "give one number, or one for each channel",
        )
    return torch.tensor(values, dtype=torch.float32).expand(channels)[:, None, None].clone()
