"""Inversion by the generator's own encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_toolkit.inversion import EncoderInverter

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Generator

    from sidelight_cdeepex.params import EncoderParams


class Encoder(EncoderInverter):
    """Takes the latents that the generator's encoder gives (CDeepEx, section 3.3: "the encoder half of the VAE")."""

    def __init__(self, params: EncoderParams, *, generator: Generator, run: Run) -> None:
        super().__init__(generator, params.batch)
