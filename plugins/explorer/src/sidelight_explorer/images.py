"""Images in and out: PNG for the page, and strangers' files read as pixels and nothing else."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from sidelight_explorer.server.validation import Bad

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_PIXELS = 40_000_000
_PNG, _JPEG, _WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF"


def png(pixels: np.ndarray, side: int | None = None) -> bytes:
    """(H, W, C) uint8 as a PNG, made smaller until it is at most `side` wide."""
    grey = pixels.shape[2] == 1
    picture = Image.fromarray(pixels[:, :, 0] if grey else pixels, "L" if grey else "RGB")
    if side is not None and picture.width > side:
        picture = picture.resize((side, round(side * picture.height / picture.width)), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def read_upload(body: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """An uploaded file as an image of the generator's shape: turned as its camera says, cut square, made smaller.

    Args:
        body: a PNG, JPEG or WebP and nothing more; what follows the image's end (another file, a page) is refused.
        shape: (C, H, W) of the result.

    Returns:
        (C, H, W) float32 in [0, 1].

    Raises:
        Bad: it is none of these, is damaged, or has too many pixels.
    """
    kind = _kind(body)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(body), formats=[kind]) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise Bad(f"the image has more than {MOST_PIXELS:,} pixels", 413)
                picture.load()
                return _fitted(picture, shape)
    except Bad:
        raise
    except Exception as error:  # PIL raises what it likes on damaged files
        raise Bad(f"the {kind} image cannot be read: {type(error).__name__}", 422) from error


def _kind(body: bytes) -> str:
    for start, kind, whole in ((_PNG, "PNG", _whole_png), (_JPEG, "JPEG", _whole_jpeg), (_WEBP, "WEBP", _whole_webp)):
        if body.startswith(start):
            _check(body, kind, whole)
            return kind
    raise Bad("this is no PNG, JPEG or WebP image", 415)


def _check(body: bytes, kind: str, whole: Callable[[bytes], bool]) -> None:
    if not whole(body):
        raise Bad(f"the {kind} image is cut short, or something follows its end", 422)


def _whole_png(body: bytes) -> bool:
    place = len(_PNG)
    while place + 12 <= len(body):
        name, length = body[place + 4 : place + 8], int.from_bytes(body[place : place + 4], "big")
        place += 12 + length
        if name == b"IEND":
            return place == len(body)
    return False


def _whole_jpeg(body: bytes) -> bool:
    return body.rstrip(b"\0").endswith(b"\xff\xd9")


def _whole_webp(body: bytes) -> bool:
    return body[8:12] == b"WEBP" and int.from_bytes(body[4:8], "little") + 8 == len(body)


def _fitted(picture: Image.Image, shape: tuple[int, int, int]) -> np.ndarray:
    channels, height, width = shape
    upright = ImageOps.exif_transpose(picture).convert("L" if channels == 1 else "RGB")
    fitted = ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS)
    array = np.asarray(fitted, dtype=np.float32).reshape(height, width, channels) / 255
    return np.ascontiguousarray(np.moveaxis(array, 2, 0))
