"""Images for pages: arrays to 8-bit pixels, PNG files and data URIs."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

_QUALITY = 88  # of JPEG: no visible blocks in a heatmap


def pixels(image: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3) uint8 of an image (C, H, W), float in [0, 1] or uint8; other numbers of channels are averaged."""
    channels = image if image.shape[0] in (1, 3) else image.mean(axis=0, keepdims=True)
    if channels.dtype != np.uint8:
        channels = np.rint(np.clip(np.nan_to_num(channels), 0.0, 1.0) * 255).astype(np.uint8)
    return np.moveaxis(channels, 0, 2)


def png(pixels: np.ndarray, *, side: int | None = None, fast: bool = False) -> bytes:
    """PNG file of pixels.

    Args:
        pixels: (H, W, 1 or 3) uint8.
        side: width that a wider image is reduced to.
        fast: compress quickly, for a page that is waiting, rather than well.
    """
    grey = pixels.shape[2] == 1
    picture = Image.fromarray(pixels[:, :, 0] if grey else pixels)
    if side is not None and picture.width > side:
        picture = picture.resize((side, round(side * picture.height / picture.width)), Image.Resampling.BOX)
    buffer = io.BytesIO()
    if fast:
        picture.save(buffer, "PNG", compress_level=1)
    else:
        picture.save(buffer, "PNG")  # `optimize` takes three times as long for 2 % of a photograph
    return buffer.getvalue()


def data_uri(content: bytes) -> str:
    """Data URI of a PNG file."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def compact_uri(image: np.ndarray, side: int) -> str:
    """Data URI of an image (C, H, W): a photograph as JPEG, at most `side` pixels wide; a small image as PNG, exact."""
    content = pixels(image)
    if max(content.shape[:2]) < side / 2:
        return data_uri(png(content))
    picture = Image.fromarray(content[:, :, 0] if content.shape[2] == 1 else content)
    picture.thumbnail((side, side), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def image_uri(image: np.ndarray) -> str:
    """Data URI of an image (C, H, W), float in [0, 1] or uint8."""
    return data_uri(png(pixels(image)))
