"""Augmentation of training batches by random shifts and flips, without torch's global random stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    import numpy as np


def random_shift(images: torch.Tensor, largest: int, rng: np.random.Generator) -> torch.Tensor:
    """Each image moved by its own whole number of pixels, up to `largest` each way; uncovered pixels are 0.

    Args:
        images: (N, C, H, W).
        largest: in pixels.
        rng: two numbers are drawn from it for each image.
    """
    if not largest:
        return images
    count, _, height, width = images.shape
    rows, columns = torch.from_numpy(rng.integers(0, 2 * largest + 1, (2, count, 1))).to(images.device)  # (N, 1) each
    padded = functional.pad(images, (largest, largest, largest, largest))
    rows = rows + torch.arange(height, device=images.device)  # (N, H), rows of the padded image
    columns = columns + torch.arange(width, device=images.device)  # (N, W)
    index = torch.arange(count, device=images.device)[:, None, None]
    # one gather for the whole batch: (N, H, W, C), and back to channels first
    return padded.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


def random_flip(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Each image mirrored left to right, or not, with equal chances."""
    mirrored = torch.from_numpy(rng.random(len(images)) < 0.5).to(images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)
