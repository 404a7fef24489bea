"""An edited image as the generator takes it: latents of each layer, and coordinates of the style space to move."""

from __future__ import annotations

import hashlib

import attrs
import numpy as np
from sidelight_specs.results import Attribute


@attrs.frozen(eq=False)
class LatentEdit:
    """Latents and moves in the style space.

    Args:
        latents: (layers, d) float32.
        moves: attributes to apply to the styles of `latents`, each with its factor (see `Attribute.apply`).
    """

    latents: np.ndarray
    moves: tuple[tuple[Attribute, float], ...] = ()

    @property
    def key(self) -> str:
        """Digest of the content: equal edits draw equal images."""
        digest = hashlib.blake2b(self.latents.tobytes(), digest_size=16)
        moves = [(move.coordinate, move.shift, move.value, factor) for move, factor in self.moves]
        digest.update(repr(moves).encode())
        return digest.hexdigest()
