"""What to call coordinates of a style space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Attribute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.roles.generator import StyleLayer


def attribute_of(
    layers: Sequence[StyleLayer],
    coordinate: int,
    direction: int,
    value: float,
    shift: float,
    effect: float,
    target: int,
) -> Attribute:
    """An attribute by its place in the flat style vector: `16x16 conv 1, channel 41, up`."""
    ends = np.cumsum([layer.channels for layer in layers])
    place = int(np.searchsorted(ends, coordinate, side="right"))
    layer = layers[place]
    channel = coordinate - int(ends[place]) + layer.channels
    return Attribute(
        name=f"{layer.name}, channel {channel}, {'up' if direction > 0 else 'down'}",
        coordinate=coordinate,
        layer=layer.name,
        channel=channel,
        direction=direction,
        shift=shift,
        effect=effect,
        target=target,
        value=value,
    )


def coordinates_of(layers: Sequence[StyleLayer], convolutions_only: bool) -> np.ndarray:
    """The coordinates to search, ascending: all, or those of convolutions."""
    kinds = np.concatenate([np.full(layer.channels, layer.kind == "conv") for layer in layers])
    return np.flatnonzero(kinds | (not convolutions_only))
