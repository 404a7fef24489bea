"""Sliders that a session brings along: what a finder found elsewhere, as data, checked before it moves anything."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.results import Attribute

from sidelight_explorer.models import Recent
from sidelight_explorer.server.validation import Bad, fields, number, text, whole
from sidelight_explorer.session.slider import Movable, movable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sidelight_specs.roles import Generator

FAR = 1e6
_SHOWN = {"id", "finder", "name", "effect", "flagged", "oneSided", "target", "towards"}
_KEYS = _SHOWN | {"coordinate", "shift", "value", "direction"}


class Sliders(Mapping[str, Movable]):
    """The run's sliders, and those of sessions that were opened.

    Args:
        found: the run's, by id.
        generator: what they move.
        styled: whether it shows its style space.
    """

    def __init__(self, found: dict[str, Movable], generator: Generator, styled: bool) -> None:
        self._found, self._others = found, Recent[Movable](1000)
        self._shape = tuple(generator.latent_shape)
        self._channels = sum(layer.channels for layer in generator.style_layers) if styled else 0

    def __getitem__(self, name: str) -> Movable:
        """One slider. Raises a KeyError where there is none (any more)."""
        found = self._found.get(name) or self._others.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        """Ids of the run's."""
        return iter(self._found)

    def __len__(self) -> int:
        """How many the run has."""
        return len(self._found)

    def keep(self, others: Iterable[Movable]) -> None:
        """Remember a session's.

        Raises:
            Bad: one is of another generator.
        """
        for one in others:
            fits = one.direction.shape == self._shape if one.direction is not None else self._has(one.attribute)
            if not fits:
                raise Bad(f"session.sliders: {one.name[:80]!r} is of another generator", 409)
            self._others.put(one.id, one)

    def _has(self, attribute: Attribute) -> bool:
        return attribute.coordinate < self._channels


def write_slider(slider: Movable, *, whole_way: bool = True) -> dict[str, Any]:
    """A slider as plain values; without its direction unless the whole way is asked for."""
    found, way = slider.attribute, slider.direction
    shown = {
        "id": slider.id,
        "finder": slider.finder,
        "name": slider.name,
        "effect": found.effect,
        "flagged": found.flagged,
        "oneSided": slider.one_sided,
        "target": found.target,
        "towards": slider.towards,
    }
    if not whole_way:
        return shown
    data = None if way is None else base64.b64encode(way.astype("<f4").tobytes()).decode("ascii")
    rest = {"coordinate": found.coordinate, "shift": found.shift, "value": found.value}
    return {**shown, **rest, "direction": data}


def read_slider(value: Any, layers: int) -> Movable:
    """What `write_slider` wrote.

    Raises:
        Bad: it is none, or its id is not that of what it moves.
    """
    parts = fields(value, _KEYS, "slider")
    attribute = Attribute(
        name=text(parts["name"], 200, "slider.name"),
        coordinate=whole(parts["coordinate"], 0, 10_000_000, "slider.coordinate"),
        shift=number(parts["shift"], -FAR, FAR, "slider.shift"),
        effect=number(parts["effect"], -FAR, FAR, "slider.effect"),
        target=whole(parts["target"], 0, 1_000_000, "slider.target"),
        flagged=text(parts["flagged"], 1000, "slider.flagged"),
        value=None if parts["value"] is None else number(parts["value"], -FAR, FAR, "slider.value"),
    )
    towards = text(parts.get("towards", ""), 200, "slider.towards")  # absent from sessions of before
    finder, way = text(parts["finder"], 80, "slider.finder"), _direction(parts["direction"], layers)
    slider = movable(finder, attribute, way, towards)
    if slider.id != parts["id"]:
        raise Bad("slider.id: it is not that of what the slider moves")
    return slider


def _direction(value: Any, layers: int) -> np.ndarray | None:
    if value is None:
        return None
    try:
        data = base64.b64decode(text(value, 10_000_000, "slider.direction"), validate=True)
        found = np.frombuffer(data, "<f4").reshape(layers, -1).astype(np.float32)
    except ValueError as error:
        raise Bad(f"slider.direction: not of {layers} layers") from error
    if not found.size or not np.isfinite(found).all():
        raise Bad("slider.direction: empty, or not finite")
    return found
