"""From an image file, which may come from anyone, to pixels in [0, 1]."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from sidelight_images.depth import Depth, eight_bit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sidelight_images.params import Crop, Mode

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that are tried. Others stay out on purpose: Pillow reads EPS, for one, by starting Ghostscript on it."""
IMAGENET_SHARE = 224 / 256  # central square of the usual evaluation: resize to 256, crop 224


class UnreadableImageError(Exception):
    """Reason that a file gives no pixels, as the end of the sentence "it ..."."""


def read_pixels(
    path: Path,
    size: int,
    crop: Crop,
    share: float,
    mode: Mode,
    bits: int = 0,
    guessed: Callable[[int], object] = lambda _: None,
) -> np.ndarray:
    """One image, upright as its EXIF tag says, without transparency (on white), resized by bicubic interpolation.

    Args:
        path: the file; of an animation the first picture counts.
        size: height and width of the result.
        crop: `"center"` takes the central square first, `"whole"` squashes the picture.
        share: side of the central square as a share of the short side.
        mode: `"rgb"` or `"grey"`.
        bits: that values of deep images use; 0 for what the file states.
        guessed: called with the number of bits where the file does not state it.

    Returns:
        (C, size, size) uint8, C = 3 or 1.

    Raises:
        UnreadableImageError: no such image, damaged, or too large to unpack safely (Pillow's limit on pixels).
    """
    if not path.is_file():
        raise UnreadableImageError("is no file (a link that leads nowhere, a pipe)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF and the like; a bomb is an error
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                depth = Depth.of(image)
                image.load()
                upright = eight_bit(ImageOps.exif_transpose(image), depth, bits, guessed)
                flat = opaque(upright).convert("RGB" if mode == "rgb" else "L")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnreadableImageError(f"has too many pixels to be unpacked safely ({error})") from error
    except MemoryError as error:
        raise UnreadableImageError("needs more memory than there is") from error
    except Exception as error:  # decoders of damaged files raise nearly everything
        raise UnreadableImageError(f"cannot be read as an image ({error})") from error
    pixels = np.asarray(squared(flat, size, crop, share))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)) if mode == "rgb" else pixels[np.newaxis]


def opaque(image: Image.Image) -> Image.Image:
    """The picture laid on white where it is transparent."""
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)


def squared(image: Image.Image, size: int, crop: Crop, share: float) -> Image.Image:
    """The picture, or its central square, at size x size."""
    if crop == "center":
        width, height = image.size
        side = max(1, int(share * min(width, height)))
        left, top = (width - side + 1) // 2, (height - side + 1) // 2
        image = image.crop((left, top, left + side, top + side))
    return image.resize((size, size), Image.Resampling.BICUBIC)
