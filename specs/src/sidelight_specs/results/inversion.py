"""Images brought into a generator's latent space."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, per_image


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

    latents: np.ndarray = per_image()
    reconstructions: np.ndarray = per_image()
    error: np.ndarray = per_image()
    starts: np.ndarray | None = per_image(default=None)
