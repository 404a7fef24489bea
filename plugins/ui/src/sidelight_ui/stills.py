"""Explanations as rows of still pictures, for programs that show images alone, such as trackers of experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.blocks import Overlay, Pair, Picture, Strip

from sidelight_ui.overlay import overlaid

if TYPE_CHECKING:
    from sidelight_specs.blocks import Block
    from sidelight_specs.results import Explanation, Results

_PERCENTILE = 99.0  # of the magnitudes: where colours saturate, as on the page
_GAP, _WHITE = 2, 255  # pixels between pictures


def sheet(results: Results, explanation: Explanation, most: int) -> np.ndarray | None:
    """The first answered images of a run, a row for each: the image, and beside it the pictures of its explanation.

    Args:
        results: the run.
        explanation: one of its explanations.
        most: rows at most.

    Returns:
        (3, H, W) uint8; None where the explanation has no picture.
    """
    rows = [row for row in range(len(results.targets)) if explanation.has_answer(row)][:most]
    lines = [[results.split.images[row], *stills(results.split.images[row], explanation, row)] for row in rows]
    height, width = results.split.images.shape[-2:]
    cells = max((len(line) for line in lines), default=0)
    if cells < 2:
        return None
    side = (3, len(lines) * (height + _GAP) - _GAP, cells * (width + _GAP) - _GAP)
    canvas = np.full(side, _WHITE, np.uint8)
    for at, line in enumerate(lines):
        for column, image in enumerate(line):
            y, x = at * (height + _GAP), column * (width + _GAP)
            canvas[:, y : y + height, x : x + width] = _fitted(image, height, width)
    return canvas


def stills(explained: np.ndarray, explanation: Explanation, row: int) -> list[np.ndarray]:
    """Pictures of the explanation of one image (C, H, W), in the order of its blocks."""
    return [image for block in explanation.view(row) for image in _of(block, explained)]


def _of(block: Block, explained: np.ndarray) -> list[np.ndarray]:
    if isinstance(block, Overlay):
        below = explained if block.image is None else block.image
        if block.mask:
            hidden = 0 if block.hidden is None else block.hidden
            return [np.asarray(below * block.values + hidden * (1 - block.values))]
        magnitudes = np.abs(block.values[block.values != 0])
        limit = float(np.percentile(magnitudes, _PERCENTILE)) if magnitudes.size else 0.0
        return [overlaid(below, block.values, limit, signed=block.signed)]
    if isinstance(block, Pair):
        return [explained if block.before is None else block.before, block.after]
    if isinstance(block, Strip):
        return list(block.images)
    if isinstance(block, Picture):
        return [explained if block.image is None else block.image]
    return []


def _fitted(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(3, H, W) uint8, by the nearest pixel where the size is another."""
    pixels = image if image.dtype == np.uint8 else np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    y = np.arange(height) * pixels.shape[-2] // height
    x = np.arange(width) * pixels.shape[-1] // width
    return np.broadcast_to(pixels[:, y][:, :, x], (3, height, width))
