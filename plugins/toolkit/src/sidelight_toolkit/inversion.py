"""Inversion by a generator's own encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.results import Inversion
from sidelight_specs.roles import Inverter

from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches

if TYPE_CHECKING:
    from sidelight_specs.roles import Generator
    from torch import Tensor


class EncoderInverter(Inverter):
    """Takes the latents that the generator's encoder gives, `batch` images at a time."""

    def __init__(self, generator: Generator, batch: int) -> None:
        self._generator, self._batch = generator, batch

    def invert(self, images: Tensor) -> Inversion:
        """One forward pass of the encoder and one of the generator; cheap, so nothing is cached."""
        latents = in_batches(self._generator.encode, images, self._batch)
        reconstructions = in_batches(self._generator.synthesize, latents, self._batch)
        error = (images - reconstructions).square().mean((1, 2, 3))
        return Inversion(latents=to_array(latents), reconstructions=to_array(reconstructions), error=to_array(error))
