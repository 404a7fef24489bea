"""Animated picture of a change: from before to after and back, endlessly.

Small pictures are animated PNG, lossless; larger ones WebP, at most `TILE` pixels wide, as wide as a page shows them.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from PIL import Image
from sidelight_ui.images import is_lossy, pixels, reduced, webp

if TYPE_CHECKING:
    from collections.abc import Sequence

STEP = 90  # milliseconds of an intermediate frame
HOLD = 700  # milliseconds of either end: fewer than three changes a second, as accessibility guidelines ask
GAP = 2  # transparent pixels between the images of a sheet
COLUMNS = 2
TILE = 256  # pixels of an image, at most: twice the width at which two stand side by side on the page


@attrs.frozen
class Animation:
    """One animated picture.

    Args:
        content: an animated PNG or WebP that loops endlessly.
        width, height: in pixels.
    """

    content: bytes
    width: int
    height: int


def journey(before: np.ndarray, after: np.ndarray, path: np.ndarray | None = None) -> list[np.ndarray]:
    """(H, W, 1 or 3) uint8 frames from before to after, at most `TILE` wide, without repeated frames.

    Args:
        before: (C, H, W) float in [0, 1].
        after: (C, H, W), the other end.
        path: (T, C, H, W), intermediate images, with or without the two ends.
    """
    frames = [reduced(pixels(image), TILE) for image in [before, *(() if path is None else path), after]]
    changing = [frame for i, frame in enumerate(frames) if i == 0 or (frame != frames[i - 1]).any()]
    return changing if len(changing) > 1 else frames[:1] + frames[-1:]


def animate(journeys: Sequence[list[np.ndarray]]) -> Animation:
    """Journeys side by side in two columns, in step: there and back.

    Args:
        journeys: at least one; images of one size.
    """
    length = max(map(len, journeys))
    sheets = [_sheet([_at(frames, step, length) for frames in journeys]) for step in range(length)]
    height, width = sheets[0].shape[:2]
    tile = journeys[0][0]
    return Animation(_animated(sheets, is_lossy(tile.shape[1], tile.shape[0])), width, height)


def _at(frames: list[np.ndarray], step: int, length: int) -> np.ndarray:
    """Frame of a journey at a step of a journey of `length` frames."""
    return frames[round(step * (len(frames) - 1) / (length - 1))]


def _sheet(tiles: list[np.ndarray]) -> np.ndarray:
    """(H, W, 2 or 4) images in rows of two; the last channel is opacity, 0 between them."""
    height, width, channels = tiles[0].shape
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    shape = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels + 1)
    sheet = np.zeros(shape, dtype=np.uint8)
    for i, tile in enumerate(tiles):
        top, left = (i // columns) * (height + GAP), (i % columns) * (width + GAP)
        sheet[top : top + height, left : left + width, :channels] = tile
        sheet[top : top + height, left : left + width, channels] = 255
    return sheet


def _picture(sheet: np.ndarray) -> Image.Image:
    """Image of a sheet, without an opacity channel if nothing is transparent."""
    shown = sheet[..., :-1] if (sheet[..., -1] == 255).all() else sheet
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[shown.shape[2]]
    data = shown[..., 0] if mode == "L" else shown
    return Image.frombytes(mode, (data.shape[1], data.shape[0]), np.ascontiguousarray(data).tobytes())


def _animated(sheets: list[np.ndarray], lossy: bool) -> bytes:
    """Animated WebP or PNG; intermediate frames are shown twice in each cycle."""
    order = [*range(len(sheets)), *range(len(sheets) - 2, 0, -1)]
    durations = [HOLD if at in (0, len(sheets) - 1) else STEP for at in order]
    first, *rest = [_picture(sheets[at]) for at in order]
    buffer = io.BytesIO()
    options: dict[str, Any] = {"format": "WEBP", **webp()} if lossy else {"format": "PNG"}
    first.save(buffer, save_all=True, append_images=rest, duration=durations, loop=0, **options)
    return buffer.getvalue()
