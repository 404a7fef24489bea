"""Images for pages: arrays to 8-bit pixels, picture files and data URIs.

Small pictures are PNG: exact, and shown with crisp pixels. From `LOSSY` pixels on they are photographs to a reader, and
WebP takes a sixth of a PNG's bytes. Heatmaps are not pictures here: pages get their numbers.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image, features

LOSSY = 128
"""Pixels of the longer side from which pictures are WebP."""
QUALITY = 90
"""Of WebP: root mean square errors of 3 to 4 of 255 levels at 256 pixels (three photographs)."""
_LARGEST = 16_383  # pixels a side that WebP can hold
_HAS_WEBP = bool(features.check("webp"))
_JPEG_QUALITY = 88  # no visible blocks in a heatmap
_TYPES = ((b"\x89PNG", "image/png"), (b"RIFF", "image/webp"), (b"\xff\xd8\xff", "image/jpeg"))


def pixels(image: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3) uint8 of an image (C, H, W), float in [0, 1] or uint8; other numbers of channels are averaged."""
    channels = image if image.shape[0] in (1, 3) else image.mean(axis=0, keepdims=True)
    if channels.dtype != np.uint8:
        channels = np.rint(np.clip(np.nan_to_num(channels), 0.0, 1.0) * 255).astype(np.uint8)
    return np.moveaxis(channels, 0, 2)


def png(pixels: np.ndarray, *, side: int | None = None, fast: bool = False) -> bytes:
    """PNG file of pixels, exact but for `side`.

    Args:
        pixels: (H, W, 1 or 3) uint8.
        side: width that a wider image is reduced to.
        fast: compress quickly, for a page that is waiting, rather than well.
    """
    return _png(_picture(pixels, side), fast)


def encoded(
    pixels: np.ndarray, *, side: int | None = None, fast: bool = False, is_photograph: bool | None = None
) -> bytes:
    """File of pixels to be looked at: PNG of a small picture, WebP of a larger one.

    A Pillow without WebP writes PNG.

    Args:
        pixels: (H, W, 1 or 3) uint8.
        side: width that a wider image is reduced to.
        fast: compress quickly, for a page that is waiting, rather than well.
        is_photograph: WebP also of a small picture, such as the thumbnail of a large image; None: the size decides.
    """
    picture = _picture(pixels, side)
    is_webp = is_lossy(*picture.size) if is_photograph is None else _HAS_WEBP and is_photograph
    return _saved(picture, "WEBP", **webp(fast)) if is_webp else _png(picture, fast)


def is_lossy(width: int, height: int) -> bool:
    """True for pictures that are WebP."""
    return _HAS_WEBP and LOSSY <= max(width, height) <= _LARGEST


def webp(fast: bool = False) -> dict[str, Any]:
    """Options of Pillow's WebP."""
    return {"quality": QUALITY, "method": 1 if fast else 4}  # half the time, 5 % more bytes


def reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    """(H, W, 1 or 3) uint8, at most `side` wide; each pixel is the mean of those that it stands for."""
    if pixels.shape[1] <= side:
        return pixels
    array = np.asarray(_picture(pixels, side))
    return array[:, :, None] if array.ndim == 2 else array


def _picture(pixels: np.ndarray, side: int | None = None) -> Image.Image:
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if side is not None and picture.width > side:
        picture = picture.resize((side, max(1, round(side * picture.height / picture.width))), Image.Resampling.BOX)
    return picture


def _png(picture: Image.Image, fast: bool) -> bytes:
    # `optimize` takes three times as long for 2 % of a photograph
    return _saved(picture, "PNG", **({"compress_level": 1} if fast else {}))


def _saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def data_uri(content: bytes) -> str:
    """Data URI of a picture file: PNG, WebP or JPEG."""
    kind = next(kind for start, kind in _TYPES if content.startswith(start))
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def compact_uri(image: np.ndarray, side: int) -> str:
    """Data URI of an image (C, H, W) for a notebook: a photograph as JPEG, at most `side` wide; a small one as PNG."""
    content = pixels(image)
    if max(content.shape[:2]) < side / 2:
        return data_uri(png(content))
    picture = _picture(content)
    picture.thumbnail((side, side), Image.Resampling.BOX)
    return data_uri(_saved(picture, "JPEG", quality=_JPEG_QUALITY))


def image_uri(image: np.ndarray, side: int | None = None) -> str:
    """Data URI of an image (C, H, W), float in [0, 1] or uint8, at most `side` wide (see `encoded`)."""
    return data_uri(encoded(pixels(image), side=side))
