"""The parts of images: masks that the data has, or square patches."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError

if TYPE_CHECKING:
    from sidelight_specs.results import Split
    from sidelight_specs.roles import Data


def patches(height: int, width: int, grid: int) -> np.ndarray:
    """(grid * grid, H, W) bool, the cells of a grid as one reads; every pixel lies in exactly one."""
    rows, columns = (np.arange(size) * grid // size for size in (height, width))
    cells = rows[:, None] * grid + columns
    masks: np.ndarray = np.arange(grid * grid)[:, None, None] == cells
    return masks


def masks_of(data: Data | None, split: str, images: np.ndarray) -> dict[str, np.ndarray]:
    """The part masks (N, H, W) of images that are found in a split; empty unless all are found and it has masks."""
    if data is None or split not in data.splits:
        return {}
    found = data.split(split)
    if not found.masks or found.images.shape[1:] != images.shape[1:]:
        return {}
    rows = rows_of(found, images)
    return {} if -1 in rows else {name: masks[rows] for name, masks in found.masks.items()}


def regions_of(metric: str, data: Data, split: str, region: str, images: np.ndarray) -> np.ndarray:
    """(N, H, W) bool: the mask `region` of images that are found in a split; raises a UserError where it is not."""
    masks = masks_of(data, split, images)
    if region in masks:
        return masks[region]
    found = f"these have the masks {', '.join(masks)}" if masks else "they are not there, or without masks"
    raise UserError(
        f"{metric} looks for the explained images and their mask {region!r} in the split {split!r}; {found}",
        "set `split` and `region`, and name with `needs: {data: ID}` the data that the explained images come from",
    )


def rows_of(split: Split, images: np.ndarray) -> list[int]:
    """Where in a split each image is, by its pixels; -1 where it is not."""
    places = {_digest(image): row for row, image in enumerate(split.images)}
    return [places.get(_digest(image), -1) for image in images]


def _digest(image: np.ndarray) -> bytes:
    return blake2b(np.ascontiguousarray(image, dtype=np.float32).tobytes(), digest_size=16).digest()
