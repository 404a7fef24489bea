"""What to call coordinates of a style space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Attribute

from sidelight_stylex.attfind.style_effects import DIRECTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.roles.generator import StyleLayer
    from torch import Tensor

    from sidelight_stylex.attfind.selection import Choice


def measured_attribute(
    layers: Sequence[StyleLayer], choice: Choice, effects: np.ndarray, styles: Tensor, ranges: np.ndarray, target: int
) -> Attribute:
    """An attribute by its place in the flat style vector: `16x16 conv 1, channel 41, up`.

    Args:
        layers: of the style space.
        choice: coordinate and direction.
        effects: (N,) what setting the coordinate to its extreme did to the target's logit.
        styles: (N, S) of the images that this was measured on.
        ranges: (S, 2) extremes.
        target: index of the class.
    """
    ends = np.cumsum([layer.channels for layer in layers])
    place = int(np.searchsorted(ends, choice.coordinate, side="right"))
    layer, value = layers[place], float(ranges[choice])
    channel = choice.coordinate - int(ends[place]) + layer.channels
    return Attribute(
        name=f"{layer.name}, channel {channel}, {'up' if choice.direction else 'down'}",
        coordinate=choice.coordinate,
        layer=layer.name,
        channel=channel,
        direction=DIRECTIONS[choice.direction],
        shift=float((value - styles[:, choice.coordinate]).mean()),
        effect=float(effects.mean(dtype=np.float64)),
        target=target,
        value=value,
    )


def coordinates_of(layers: Sequence[StyleLayer], convolutions_only: bool) -> np.ndarray:
    """The coordinates to search, ascending: all, or those of convolutions."""
    kinds = np.concatenate([np.full(layer.channels, layer.kind == "conv") for layer in layers])
    return np.flatnonzero(kinds | (not convolutions_only))
