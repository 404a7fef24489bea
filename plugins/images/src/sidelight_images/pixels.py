"""From an image file, which may come from anyone, to pixels in [0, 1]."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from sidelight_images.depth import Depth, eight_bit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sidelight_images.params import Crop, Mode

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that are tried. Others stay out on purpose: Pillow reads EPS, for one, by starting Ghostscript on it."""
IMAGENET_SHARE = 224 / 256  # central square of the usual evaluation: resize to 256, crop 224
BYTE = 8  # bits of a value in most files


class UnreadableImageError(Exception):
    """Reason that a file gives no pixels, as the end of the sentence "it ..."."""


def read_pixels(
    path: Path,
    size: int | tuple[int, int],
    crop: Crop,
    share: float,
    mode: Mode,
    bits: int = 0,
    guessed: Callable[[int], object] = lambda _: None,
) -> np.ndarray:
    """One image, upright as its EXIF tag says, without transparency (on white), resized by bicubic interpolation.

    Args:
        path: the file; of an animation the first picture counts.
        size: height and width of the result, or one number for both.
        crop: `"center"` cuts a central part of the result's proportions out first, `"whole"` squashes the picture.
        share: size of the central part, as a share of the largest that there is: of the short side for a square.
        mode: `"rgb"` or `"grey"`.
        bits: that values of deep images use; 0 for what the file states.
        guessed: called with the number of bits where the file does not state it.

    Returns:
        (C, H, W) uint8, C = 3 or 1.

    Raises:
        UnreadableImageError: no such image, damaged, or too large to unpack safely (Pillow's limit on pixels).
    """
    with _opened(path) as image:
        depth = Depth.of(image)
        image.load()
        upright = eight_bit(ImageOps.exif_transpose(image), depth, bits, guessed)
        flat = opaque(upright).convert("RGB" if mode == "rgb" else "L")
        pixels = np.asarray(resized(flat, size, crop, share))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)) if mode == "rgb" else pixels[np.newaxis]


def read_image(path: Path) -> Image.Image:
    """One image of 8 bits a value, upright as its EXIF tag says, with its transparency.

    Raises:
        UnreadableImageError: as `read_pixels`.
    """
    with _opened(path) as image:
        depth = Depth.of(image)
        image.load()
        return eight_bit(ImageOps.exif_transpose(image), depth, 0, lambda _: None)


def unstated_bits(path: Path) -> int:
    """Bits that the values of a deep picture use by its largest value, where no tag states them; 0 for all others.

    Of most files the header alone is read.
    """
    guesses: list[int] = []
    with suppress(UnreadableImageError), _opened(path) as image:
        depth = Depth.of(image)
        if depth.container > BYTE and not depth.stated and image.mode.startswith("I"):
            image.load()
            eight_bit(image, depth, 0, guesses.append)
    return guesses[0] if guesses else 0


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image file, not yet decoded; whatever fails within is an `UnreadableImageError`."""
    if not path.is_file():
        raise UnreadableImageError("is no file (a link that leads nowhere, a pipe)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF and the like; a bomb is an error
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnreadableImageError(f"has too many pixels to be unpacked safely ({error})") from error
    except MemoryError as error:
        raise UnreadableImageError("needs more memory than there is") from error
    except Exception as error:  # decoders of damaged files raise nearly everything
        raise UnreadableImageError(f"cannot be read as an image ({error})") from error


def opaque(image: Image.Image) -> Image.Image:
    """The picture laid on white where it is transparent."""
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)


def resized(image: Image.Image, size: int | tuple[int, int], crop: Crop, share: float) -> Image.Image:
    """The picture, or a central part of the proportions of `size`, at (height, width) `size`."""
    height, width = (size, size) if isinstance(size, int) else size
    if crop == "center":
        across = max(1, int(share * min(image.width, image.height * width / height)))
        down = max(1, int(share * min(image.height, image.width * height / width)))
        left, top = (image.width - across + 1) // 2, (image.height - down + 1) // 2
        image = image.crop((left, top, left + across, top + down))
    return image.resize((width, height), Image.Resampling.BICUBIC)
