"""Generators of z (N, k) as generators of W with one layer, so that one implementation moves both.

z (N, k)  is  w (N, 1, k)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import UserError
from sidelight_specs.roles import Generator

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs.roles.generator import StyleLayer
    from torch import Tensor

Z_AXES, W_AXES = 1, 2  # axes of one latent: (k,) and (layers, d)


class LayeredGenerator(Generator):
    """Latents (layers, d), whichever the generator has; it is asked for its shape at the first use."""

    def __init__(self, generator: Generator) -> None:
        self.original = generator

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(layers, d); (1, k) for z.

        Raises:
            UserError: the generator's latents are of another form.
        """
        shape = tuple(self.original.latent_shape)
        if len(shape) not in (Z_AXES, W_AXES):
            raise UserError(
                f"the generator has latents of the shape {shape}, and the explorer moves (k,) or (layers, d)",
                "use a generator with latent.z or latent.w",
            )
        return (1, shape[0]) if len(shape) == Z_AXES else (shape[0], shape[1])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.original.image_shape

    def layers_of(self, latents: Tensor) -> Tensor:
        """Latents of the original (N, ...) as (N, layers, d)."""
        return latents.reshape(len(latents), *self.latent_shape)

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """(n, layers, d)."""
        return self.layers_of(self.original.sample(n, rng))

    @property
    def conditions(self) -> tuple[str, ...]:
        """Classes of the original, where it is class-conditional."""
        return tuple(self.original.conditions)

    def sample_of(self, condition: int, n: int, rng: np.random.Generator) -> Tensor:
        """(n, layers, d) of one class."""
        return self.layers_of(self.original.sample_of(condition, n, rng))

    def synthesize(self, latents: Tensor) -> Tensor:
        """Images of (N, layers, d)."""
        return self.original.synthesize(self._flat(latents))

    def encode(self, images: Tensor) -> Tensor:
        """(N, layers, d), where the original has an encoder."""
        return self.layers_of(self.original.encode(images))

    @property
    def style_layers(self) -> tuple[StyleLayer, ...]:
        """Those of the original, where it has a style space."""
        return tuple(self.original.style_layers)

    def styles(self, latents: Tensor) -> Tensor:
        """(N, S), where the original has a style space."""
        return self.original.styles(self._flat(latents))

    def synthesize_styles(self, styles: Tensor) -> Tensor:
        """Images of (N, S), where the original has a style space."""
        return self.original.synthesize_styles(styles)

    def _flat(self, latents: Tensor) -> Tensor:
        """(N, layers, d) as the original takes them."""
        return latents.reshape(len(latents), *self.original.latent_shape)
