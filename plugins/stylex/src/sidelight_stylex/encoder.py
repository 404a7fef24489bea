"""Inversion by the encoder that was trained with the generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_toolkit.inversion import EncoderInverter

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Generator

    from sidelight_stylex.params import EncoderParams


class Encoder(EncoderInverter):
    """x' = G[E(x), C(x)] (StylEx, section 3.2)."""

    def __init__(self, params: EncoderParams, *, generator: Generator, run: Run) -> None:
        super().__init__(generator, params.batch)
