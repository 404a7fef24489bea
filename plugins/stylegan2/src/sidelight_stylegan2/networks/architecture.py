"""Architecture of the networks: all that is needed beside their weights to build them. Imports no torch."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Literal, Self

import attrs
from sidelight_specs import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

Modulation = Literal["features", "weights"]
BINOMIAL = (1.0, 3.0, 3.0, 1.0)
FIRST = 4  # height and width of the constant that synthesis starts from


@attrs.frozen(kw_only=True)
class Architecture:
    """Sizes of a generator, and of the discriminator that it is trained against.

    Args:
        image_channels: of the images.
        widths: feature channels at 4x4, 8x8, ... pixels, one for each level.
        z: length of z, the input of the mapping network.
        w: length of w, its output.
        mapping: layers of the mapping network; with 0, w is the normalised z.
        classes: number of classes that it is conditioned on; 0 for none.
        noise: convolutions add noise, scaled by a learned strength.
        shuffle: each place of the last level holds shuffle x shuffle pixels (1: the paper's generator).
        taps: the filter of up- and downsampling, before it is normalised.
        clamp: the largest magnitude of activations, for checkpoints trained with one; None for no limit.
    """

    image_channels: int
    widths: tuple[int, ...]
    z: int
    w: int
    mapping: int = 8
    classes: int = 0
    noise: bool = True
    shuffle: int = 1
    taps: tuple[float, ...] = BINOMIAL
    clamp: float | None = None

    @property
    def size(self) -> int:
        """Height and width of the images, in pixels."""
        return (FIRST << (len(self.widths) - 1)) * self.shuffle

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return (self.image_channels, self.size, self.size)

    @property
    def inputs(self) -> int:
        """Number of w that the synthesis network takes: one for each convolution, and one for the last to-RGB layer."""
        return 2 * len(self.widths)

    def settings(self) -> dict[str, str]:
        """For `State.settings` and the metadata of safetensors."""
        return {name: json.dumps(value) for name, value in attrs.asdict(self).items()}

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> Self:
        """Inverse of `settings`. Raises KeyError, TypeError or ValueError where something is missing or wrong."""
        values = {field.name: json.loads(settings[field.name]) for field in attrs.fields(cls)}
        values["widths"] = tuple(int(width) for width in values["widths"])
        values["taps"] = tuple(float(tap) for tap in values["taps"])
        return cls(**values)


def levels_for(shape: tuple[int, int, int], shuffle: int) -> int:
    """Number of levels from 4x4 to images of (C, H, W).

    Raises:
        UserError: the images are not square, or their side is not 4, 8, 16, ... times `shuffle`.
    """
    _, height, width = shape
    levels = math.log2(height / (FIRST * shuffle)) + 1
    if height != width or levels < 1 or not levels.is_integer():
        raise UserError(
            f"StyleGAN2 makes square images of {FIRST * shuffle}, {2 * FIRST * shuffle}, {4 * FIRST * shuffle}, ... "
            f"pixels (shuffle: {shuffle}); the data's are {height}x{width}",
            "set the data's `size` to one of these",
        )
    return int(levels)


def default_widths(levels: int, base: int, maximum: int) -> tuple[int, ...]:
    """`base` divided by the level's resolution, at most `maximum` (Karras et al. 2020, appendix B, table 4)."""
    return tuple(min(max(1, base // (FIRST * 2**level)), maximum) for level in range(levels))


def checked_widths(widths: tuple[int, ...], levels: int) -> tuple[int, ...]:
    """The widths that a user gave, if any: one for each level.

    Raises:
        UserError: another number of them.
    """
    if widths and len(widths) != levels:
        raise UserError(
            f"widths: {len(widths)} levels are named, the images take {levels}",
            "name the channels at 4x4, 8x8, ... pixels, up to the image's size divided by `shuffle`",
        )
    return widths
