"""Untrusted image files decoded to pixels."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from sidelight_explorer.validation import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_PIXELS = 40_000_000  # a decompression bomb has more, a camera's photo fewer
_PNG, _JPEG, _WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF"


def read_upload(body: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """An uploaded file as an image of the generator's shape: EXIF rotation applied, centre-cropped, resized.

    Args:
        body: a PNG, JPEG or WebP; bytes after the image's end (another file, a page) are refused.
        shape: (C, H, W) of the result.

    Returns:
        (C, H, W) float32 in [0, 1].

    Raises:
        InvalidInput: another format, damaged, or too many pixels.
    """
    kind = _kind(body)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(body), formats=[kind]) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise InvalidInput(f"the image has more than {MOST_PIXELS:,} pixels", 413)
                picture.load()
                return _fitted(picture, shape)
    except InvalidInput:
        raise
    except Exception as error:  # PIL raises what it likes on damaged files
        raise InvalidInput(f"the {kind} image cannot be read: {type(error).__name__}", 422) from error


def _kind(body: bytes) -> str:
    for start, kind, is_whole in (
        (_PNG, "PNG", _is_whole_png),
        (_JPEG, "JPEG", _is_whole_jpeg),
        (_WEBP, "WEBP", _is_whole_webp),
    ):
        if body.startswith(start):
            _check(body, kind, is_whole)
            return kind
    raise InvalidInput("this is no PNG, JPEG or WebP image", 415)


def _check(body: bytes, kind: str, is_whole: Callable[[bytes], bool]) -> None:
    if not is_whole(body):
        raise InvalidInput(f"the {kind} image is cut short, or something follows its end", 422)


def _is_whole_png(body: bytes) -> bool:
    offset = len(_PNG)
    while offset + 12 <= len(body):
        name, length = body[offset + 4 : offset + 8], int.from_bytes(body[offset : offset + 4], "big")
        offset += 12 + length
        if name == b"IEND":
            return offset == len(body)
    return False


def _is_whole_jpeg(body: bytes) -> bool:
    return body.rstrip(b"\0").endswith(b"\xff\xd9")


def _is_whole_webp(body: bytes) -> bool:
    return body[8:12] == b"WEBP" and int.from_bytes(body[4:8], "little") + 8 == len(body)


def _fitted(picture: Image.Image, shape: tuple[int, int, int]) -> np.ndarray:
    channels, height, width = shape
    upright = ImageOps.exif_transpose(picture).convert("L" if channels == 1 else "RGB")
    fitted = ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS)
    array = np.asarray(fitted, dtype=np.float32).reshape(height, width, channels) / 255
    return np.ascontiguousarray(np.moveaxis(array, 2, 0))
