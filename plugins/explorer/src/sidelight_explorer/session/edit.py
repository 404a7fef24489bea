"""What an edited image is, as data: for each layer two styles and a share, and how far attributes are moved.

Shares and amounts are whole percents, so that the page and the server agree on an image's key to the letter.
"""

from __future__ import annotations

import json
import re
from typing import Any

import attrs

from sidelight_explorer.server.validation import Bad, fields, listed, mapping, text, whole

STYLE_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")
MOST_LAYERS = 128
MOST_MOVES = 64


@attrs.frozen
class Mix:
    """One layer: `share` percent of the way from one style to another (Kirchler et al. 2022, Methods).

    Args:
        start: id of a style.
        end: id of a style.
        share: 0 is the start, 100 the end.
    """

    start: str
    end: str
    share: int


@attrs.frozen
class Spec:
    """One image.

    Args:
        layers: from the lowest resolution to the highest.
        moves: attribute id to percent of its full shift, -100 to 100; zeros left out, in order of the ids.
    """

    layers: tuple[Mix, ...]
    moves: tuple[tuple[str, int], ...] = ()

    @property
    def key(self) -> str:
        """The same for the same image, here and in the page (`spec.js`)."""
        layers = [[mix.start, mix.end, mix.share] for mix in map(canonical, self.layers)]
        return json.dumps([layers, [list(move) for move in self.moves]], separators=(",", ":"), ensure_ascii=False)

    @property
    def styles(self) -> frozenset[str]:
        """The ids of the styles that take part."""
        return frozenset(name for mix in self.layers for name in (mix.start, mix.end))


def canonical(mix: Mix) -> Mix:
    """The same mix in its only form: a pure style is written as itself, twice."""
    if mix.share == 0 or mix.start == mix.end:
        return Mix(mix.start, mix.start, 0)
    return Mix(mix.end, mix.end, 0) if mix.share == 100 else mix


def plain(style: str, layers: int) -> Spec:
    """The image of one style in all layers."""
    return Spec((Mix(style, style, 0),) * layers)


def read_spec(value: Any, layers: int, place: str = "image") -> Spec:
    """A spec from plain values, every mistake refused.

    Raises:
        Bad: it is none, or not of a generator with so many layers.
    """
    parts = fields(value, {"layers", "moves"}, place)
    mixes = tuple(
        _read_mix(item, f"{place}.layers") for item in listed(parts["layers"], MOST_LAYERS, f"{place}.layers")
    )
    if len(mixes) != layers:
        raise Bad(f"{place}.layers: {len(mixes)} of them, the generator has {layers}")
    moves = mapping(parts.get("moves", {}), MOST_MOVES, f"{place}.moves")
    amounts = {key: whole(amount, -100, 100, f"{place}.moves") for key, amount in moves.items()}
    return Spec(mixes, tuple(sorted((key, amount) for key, amount in amounts.items() if amount)))


def write_spec(spec: Spec) -> dict[str, Any]:
    """The spec as plain values."""
    return {
        "layers": [[mix.start, mix.end, mix.share] for mix in spec.layers],
        "moves": dict(spec.moves),
    }


def _read_mix(value: Any, place: str) -> Mix:
    parts = listed(value, 3, place)
    if len(parts) != 3:
        raise Bad(f"{place}: a layer is [style, style, share]")
    return Mix(style_id(parts[0], place), style_id(parts[1], place), whole(parts[2], 0, 100, place))


def style_id(value: Any, place: str) -> str:
    """A style's id.

    Raises:
        Bad: it cannot be one.
    """
    name = text(value, 80, place)
    if not STYLE_ID.fullmatch(name):
        raise Bad(f"{place}: {name!r} is no id of a style")
    return name


def group_layers(layers: int, groups: int) -> list[range]:
    """Adjacent layers in as many groups, as even as can be; the first ones are larger where it does not divide."""
    size, extra = divmod(layers, groups)
    ends = [(index + 1) * size + min(index + 1, extra) for index in range(groups)]
    return [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def with_move(spec: Spec, slider: str, percent: int) -> Spec:
    """The spec with one attribute moved so far."""
    moves = {**dict(spec.moves), slider: percent}
    return attrs.evolve(spec, moves=tuple(sorted((name, amount) for name, amount in moves.items() if amount)))


def with_style(spec: Spec, layers: range, style: str, share: int = 100) -> Spec:
    """The spec with some layers `share` percent of the way from where they start to another style."""
    mixes = [Mix(mix.start, style, share) if layer in layers else mix for layer, mix in enumerate(spec.layers)]
    return attrs.evolve(spec, layers=tuple(mixes))
