"""Attributes that a finder has found, as something a slider moves."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs.results import Attribute, Attributes

from sidelight_explorer.session.latent_edit import Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_specs.results import Explanation
    from sidelight_specs.roles import Generator

MOST = 12
"""Attributes of each finder and class that get a slider."""


@attrs.frozen(eq=False)
class Movable:
    """One slider.

    Args:
        id: the same for what moves an image in the same way, here and in a session from elsewhere (see `movable_id`).
        finder: the finder's id.
        attribute: what it found.
        direction: (layers, d) float32, the whole way of 100 % in W; None for a coordinate of the style space.
        one_sided: whether there is only one way, from where the image is (0 %) to a value (100 %).
        towards: name of the class that it raises, by the finder's own classifier; empty where there are no classes.
    """

    id: str
    finder: str
    attribute: Attribute
    direction: np.ndarray | None
    one_sided: bool
    towards: str = ""

    @property
    def name(self) -> str:
        """The attribute's name; how far a shift along a direction went is left out."""
        return re.sub(r" [+-]\d+%$", "", self.attribute.name) if self.direction is not None else self.attribute.name

    def moved(self, latents: np.ndarray, share: float) -> tuple[np.ndarray, list[Setting]]:
        """The latents and the settings after `share` of the way, in [-1, 1]."""
        if self.direction is not None:
            return (latents + share * self.direction).astype(np.float32), []
        factor = share if self.attribute.value is None else max(0.0, share)  # a value lies on one side only
        return latents, [Setting(self.attribute, factor)]


def movable(finder: str, attribute: Attribute, direction: np.ndarray | None, towards: str = "") -> Movable:
    """The slider of an attribute.

    Args:
        finder: the finder's id.
        attribute: what it found.
        direction: (layers, d), the whole way, where the attribute is no coordinate of the style space.
        towards: name of the class that it raises.
    """
    way = None if direction is None else direction.astype(np.float32)
    one_sided = way is None and attribute.value is not None
    return Movable(f"{finder}.{_digest(attribute, way)}", finder, attribute, way, one_sided, towards)


def _digest(attribute: Attribute, direction: np.ndarray | None) -> str:
    """Of what is moved, and how far; three digits are enough to tell ways apart."""
    if direction is not None:
        data = np.round(direction / max(float(np.abs(direction).max()), 1e-12), 3).astype("<f4").tobytes()
    else:
        far = attribute.shift if attribute.value is None else attribute.value
        data = f"{attribute.coordinate} {attribute.value is None} {far:.3g}".encode()
    return hashlib.blake2b(data, digest_size=5).hexdigest()


def movables(found: Mapping[str, Explanation], generator: Generator, styled: bool) -> dict[str, Movable]:
    """A slider for each attribute that this generator can move, by id; flagged ones come as they are named.

    Args:
        found: finder id to its attributes, of a run.
        generator: with latents (layers, d).
        styled: whether it shows its style space.
    """
    sliders: list[Movable] = []
    for finder, attributes in found.items():
        if isinstance(attributes, Attributes):
            sliders += _of(finder, attributes, generator, styled)
    return {slider.id: slider for slider in sliders}


def _of(finder: str, found: Attributes, generator: Generator, styled: bool) -> list[Movable]:
    if found.directions is not None:
        return _along_directions(finder, found, tuple(generator.latent_shape))
    channels = sum(layer.channels for layer in generator.style_layers) if styled else 0
    fitting = styled and (found.ranges is None or len(found.ranges) == channels)
    usable = [item for item in found.attributes if fitting and item.coordinate < channels]
    firsts = [item for item in usable if [one for one in usable if one.target == item.target].index(item) < MOST]
    return [movable(finder, item, None, _class_name(found, item.target)) for item in firsts]


def _class_name(found: Attributes, target: int) -> str:
    """The target's name by the finder's own classifier, which need not be one that the page asks."""
    names = found.class_names
    if len(names) == 1:  # a regression has no classes
        return ""
    return names[target] if target < len(names) else f"class {target}"


def _along_directions(finder: str, found: Attributes, shape: tuple[int, ...]) -> list[Movable]:
    """One slider for each direction, as long as its longest shift: shorter and opposite ones lie on its way."""
    longest: dict[tuple[int, bytes], int] = {}
    assert found.directions is not None, "the caller has looked"
    for index, item in enumerate(found.attributes):
        key = (item.target, found.directions[index].tobytes())
        best = longest.get(key)
        if item.shift > 0 and (best is None or item.shift > found.attributes[best].shift):
            longest[key] = index
    return [
        movable(
            finder,
            found.attributes[index],
            found.directions[index] * found.attributes[index].shift,
            _class_name(found, found.attributes[index].target),
        )
        for index in longest.values()
        if found.directions[index].shape == shape
    ]
