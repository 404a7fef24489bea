"""Bits that the values of a grey picture use, and which end is white: by its tags, else by its largest value.

Cameras and microscopes write 10, 12 or 14 bits into files of 16, mostly without a word; read as 16, these are black.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

BITS_PER_SAMPLE, PHOTOMETRIC, MAX_SAMPLE, SAMPLE_FORMAT, SMAX_SAMPLE = 258, 262, 281, 339, 341  # TIFF tags
WHITE_IS_ZERO, SIGNED = 0, 2
USUAL = (8, 10, 12, 14, 16, 32)  # numbers of bits that values are guessed to have
DARKEST_COLOUR = 64  # 16-bit colours whose highest 8 bits stay below this are taken to use 14 bits at most


@attrs.frozen
class Depth:
    """Tags of a picture about its values, read before they are decoded.

    Args:
        container: bits that a value takes in the file.
        stated: bits that it uses, as a tag says; 0 where none does.
        inverted: the lowest value is white.
        signed: values may be negative.
    """

    container: int = 8
    stated: int = 0
    inverted: bool = False
    signed: bool = False

    @classmethod
    def of(cls, image: Image.Image) -> Depth:
        """Of an opened picture, not yet decoded."""
        tags = getattr(image, "tag_v2", None)
        if tags is None:
            scaled = image.format == "PPM"  # Pillow stretches its values to 16 bits, as the header says
            raw = "".join(str(tile[3]) for tile in getattr(image, "tile", ()))
            deep = image.mode.startswith("I") or ";16" in raw
            return cls(16 if deep else 8, stated=16 if scaled else 0)
        (container, *_), (kind, *_) = tags.get(BITS_PER_SAMPLE, (1,)), tags.get(SAMPLE_FORMAT, (1,))
        largest = [tags[tag] for tag in (MAX_SAMPLE, SMAX_SAMPLE) if tag in tags]
        stated = max((int(_first(value)).bit_length() for value in largest), default=0)
        if container < 16 and not stated:
            stated = container
        inverted = tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
        return cls(container, min(stated, container), inverted, kind == SIGNED)


def _first(value: object) -> float:
    return float(value[0] if isinstance(value, tuple) else value)  # type: ignore[arg-type]


def eight_bit(image: Image.Image, depth: Depth, bits: int, guessed: Callable[[int], object]) -> Image.Image:
    """A picture of 8 bits a channel, the largest value that its bits allow being white.

    Args:
        image: decoded.
        depth: of its tags.
        bits: that its values use, by the user; 0 for what the tags state, or else by its largest value.
        guessed: called with the number of bits where neither user nor tags state it.

    Raises:
        ValueError: values outside the range of the bits, signed bytes, or colours of which 8 bits would show nothing.
    """
    if not image.mode.startswith(("I", "F")):
        _check_bytes(image, depth, bits)
        return image
    values = np.asarray(image, dtype=np.float64)
    low, high = values.min(), values.max()
    full = 1.0
    if image.mode != "F":
        full = float(2 ** (bits or depth.stated or _guess(high, depth.container, guessed)) - 1)
    if not (low >= 0 and high <= full):
        raise ValueError(f"its values reach from {low:g} to {high:g}, between 0 and {full:g} was expected")
    ratio = values / full
    return Image.fromarray(np.round(255 * (1 - ratio if depth.inverted else ratio)).astype(np.uint8))


def _guess(high: float, container: int, guessed: Callable[[int], object]) -> int:
    """The fewest usual bits that hold the largest value."""
    bits = next((each for each in USUAL if high < 2**each), container)
    guessed(bits)
    return bits


def _check_bytes(image: Image.Image, depth: Depth, bits: int) -> None:
    """Pillow reads signed bytes as unsigned ones, and keeps the highest 8 of 16 bits of a colour."""
    if depth.signed:
        raise ValueError("its values are signed bytes; save it with unsigned ones")
    colours = depth.container == 16 and image.mode in {"RGB", "RGBA"}
    if colours and bits != 16:
        used = bits or depth.stated
        brightest = int(np.asarray(image.convert("RGB")).max())
        if 0 < used < 16 or brightest < DARKEST_COLOUR:
            raise ValueError("its colours use fewer than 16 of 16 bits, of which 8 show little; save it with 8 bits")
