"""Images brought into a generator's latent space."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, per_image
from sidelight_specs.blocks import Block, Pair


@attrs.frozen(eq=False, kw_only=True)
class Inversion(Artifact):
    """Latents of N images and what the generator makes of them.

    Args:
        latents: (N, ...) float32, what the generator's `synthesize` takes.
        reconstructions: (N, C, H, W) float32 in [0, 1], `synthesize(latents)`.
        error: (N,) float32, mean squared difference between image and reconstruction, over channels and pixels.
        starts: (N, S) float32, the error that each random start reached; None for inverters without starts.
    """

    kind: ClassVar[str] = "inversion"

    latents: np.ndarray = per_image("N ...")
    reconstructions: np.ndarray = per_image("N C H W", low=0, high=1)
    error: np.ndarray = per_image("N", low=0)
    starts: np.ndarray | None = per_image("N S", low=0, default=None)

    def view(self, index: int) -> tuple[Block, ...]:
        """The explained image beside its reconstruction."""
        caption = f"mean squared error {self.error[index]:.4g}"
        return (Pair(None, self.reconstructions[index], caption, captions=("image", "reconstruction")),)
