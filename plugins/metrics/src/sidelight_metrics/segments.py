"""Segments of images: masks that the data has, or square patches."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError

if TYPE_CHECKING:
    from sidelight_specs.results import Split
    from sidelight_specs.roles import Data


def patches(height: int, width: int, grid: int) -> np.ndarray:
    """(grid * grid, H, W) bool, the cells of a grid in reading order; every pixel lies in exactly one."""
    rows, columns = (np.arange(size) * grid // size for size in (height, width))
    cells = rows[:, None] * grid + columns  # (H, W), the number of each pixel's cell
    masks: np.ndarray = np.arange(grid * grid)[:, None, None] == cells
    return masks


def masks_of(data: Data | None, split: str, images: np.ndarray) -> dict[str, np.ndarray]:
    """Masks (N, H, W) of images by their names; empty unless the split has masks and all of the images."""
    if data is None or split not in data.splits:
        return {}
    known = data.split(split)
    if not known.masks or known.images.shape[1:] != images.shape[1:]:
        return {}
    known = known.read()
    rows = rows_of(known, images)
    return {} if -1 in rows else {name: masks[rows] for name, masks in known.masks.items()}


def regions_of(metric: str, data: Data, split: str, region: str, images: np.ndarray) -> np.ndarray:
    """(N, H, W) bool masks of a region in images of a split.

    Raises:
        UserError: the split lacks an image, or the mask `region`.
    """
    masks = masks_of(data, split, images)
    if region in masks:
        return masks[region]
    known = f"these have the masks {', '.join(masks)}" if masks else "they are not there, or without masks"
    raise UserError(
        f'{metric} looks for the explained images and their mask "{region}" in the split "{split}"; {known}',
        "set `split` and `region`, and name with `needs: {data: ID}` the data that the explained images come from",
    )


def rows_of(split: Split, images: np.ndarray) -> list[int]:
    """Row of each image in a split, compared by pixels; -1 for an image that is not in it."""
    rows = {_digest(image): row for row, image in enumerate(split.images)}
    return [rows.get(_digest(image), -1) for image in images]


def first_rows_of(split: Split, images: np.ndarray, size: int = 64) -> list[int]:
    """As `rows_of`; reads no more of the split, `size` images at a time, than it takes to find all of them."""
    wanted = [_digest(image) for image in images]
    found: dict[bytes, int] = {}
    for start in range(0, len(split), size):
        if found.keys() >= set(wanted):
            break
        try:
            kept, part = split.read_rows(range(start, min(start + size, len(split))))
        except UserError:  # none of these can be read
            continue
        for row, image in zip(kept, part.images, strict=True):
            found.setdefault(_digest(image), row)
    return [found.get(digest, -1) for digest in wanted]


def _digest(image: np.ndarray) -> bytes:
    return blake2b(np.ascontiguousarray(image, dtype=np.float32).tobytes(), digest_size=16).digest()
