"""Small pictures for notebooks: arrays to PNG data URIs, with the standard library's zlib alone."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

_RED, _WHITE, _BLUE = np.array([0.80, 0.05, 0.10]), np.ones(3), np.array([0.05, 0.25, 0.80])


def image_uri(image: np.ndarray) -> str:
    """A data URI of one image, (C, H, W) in [0, 1] with one or three channels (others: their mean, in grey)."""
    channels = image if len(image) in (1, 3) else image.mean(0, keepdims=True)
    return _uri(np.broadcast_to(channels, (3, *channels.shape[1:])).transpose(1, 2, 0))


def heatmap_uri(values: np.ndarray, signed: bool = True) -> str:
    """A data URI of one heatmap, (H, W): white at 0, red for positive and blue for negative values."""
    values = np.nan_to_num(values.astype(np.float64))
    if not signed:
        values = values - values.min()
    share = values / max(float(np.abs(values).max()), 1e-12)
    strength = np.abs(share)[..., None]
    return _uri((1 - strength) * _WHITE + strength * np.where(share[..., None] > 0, _RED, _BLUE))


def _uri(colours: np.ndarray) -> str:
    pixels = (np.clip(np.nan_to_num(colours), 0, 1) * 255 + 0.5).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(_png(pixels)).decode()


def _png(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 as a PNG file: every row is preceded by the filter type 0."""
    height, width = pixels.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * 3)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
