"""The image that a latent stands for: what the generator makes of it, plus what it cannot make of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.batching import in_batches, slices

if TYPE_CHECKING:
    from sidelight_specs.roles import Generator
    from torch import Tensor


class Composite:
    """I_z = G(z) + (I - G(z0)), held in [0, 1]; at z0 it is I itself, to the last bit (CDeepEx, section 3.3).

    The paper writes the residual as G(z0) - I, which would give 2 G(z0) - I. Classifier and reader see the same
    clamped image. Its gradient is the true one: none where a pixel is at its limit and pushed beyond.
    """

    def __init__(self, generator: Generator, images: Tensor, start: Tensor, together: int) -> None:
        """`images` (N, C, H, W) with their latents z0 `start` (N, *latent_shape); `together` are made in a pass."""
        self._generator, self._images, self._shape, self._together = generator, images, start.shape[1:], together
        self._restored = in_batches(generator.synthesize, start, together)

    def __call__(self, z: Tensor, rows: Tensor) -> Tensor:
        """(n, k) flattened latents of the images `rows` (n,) to (n, C, H, W)."""
        made = self._generator.synthesize(z.reshape(-1, *self._shape))
        return (self._images[rows] + (made - self._restored[rows])).clamp(0, 1)

    def path(self, z: Tensor) -> Tensor:
        """(N, T, k) latents of all the images to (N, T, C, H, W)."""
        rows = torch.arange(len(z), device=z.device).repeat_interleave(z.shape[1])  # N T, an image's steps in a row
        flat = z.flatten(0, 1)
        with torch.inference_mode():
            made = [self(flat[part], rows[part]) for part in slices(len(flat), self._together)]
        pictures = torch.cat(made)
        return pictures.reshape(*z.shape[:2], *pictures.shape[1:])
