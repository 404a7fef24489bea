"""Bounded memory: a few images at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DRAWN_PIXELS = 1 << 19
"""Pixels that are drawn at a time, at most: 8 images of 256 pixels, which take 1.4 GiB in a large StyleGAN2."""


def at_once(batch: int, shape: Sequence[int], pixels: int = DRAWN_PIXELS) -> int:
    """Number of images (C, H, W) at a time: `batch`, or as many as have `pixels` together; one at least."""
    return max(1, min(batch, pixels // (shape[-2] * shape[-1])))


def slices(count: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` that cover `range(count)`."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def in_batches(function: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, size: int) -> torch.Tensor:
    """`function(inputs)` computed without gradients in batches of at most `size`, joined along the first axis."""
    # not inference_mode: weights that a classifier loads at its first use would never have gradients again
    with torch.no_grad():
        return torch.cat([function(inputs[rows]) for rows in slices(len(inputs), size)])
