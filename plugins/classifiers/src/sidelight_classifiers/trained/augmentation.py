"""Random shifts and mirror images of training batches, without torch's global random stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    import numpy as np


def shifted(images: torch.Tensor, most: int, rng: np.random.Generator) -> torch.Tensor:
    """Each image moved by its own whole number of pixels, up to `most` each way; what comes in is 0.

    Args:
        images: (N, C, H, W).
        most: largest shift, in pixels.
        rng: two numbers are drawn from it for each image.
    """
    if not most:
        return images
    count, _, height, width = images.shape
    rows, columns = torch.from_numpy(rng.integers(0, 2 * most + 1, (2, count, 1))).to(images.device)
    padded = functional.pad(images, (most, most, most, most))
    rows = rows + torch.arange(height, device=images.device)
    columns = columns + torch.arange(width, device=images.device)
    image = torch.arange(count, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


def flipped(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Each image mirrored left to right, or not, with equal chances."""
    mirrored = torch.from_numpy(rng.random(len(images)) < 0.5).to(images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)
