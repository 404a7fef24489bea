"""Edit specification: for each layer two styles and a mixing share, and slider positions.

Shares and positions are whole percents, so that page and server derive the same key from the same edit (`web/spec.js`).
"""

from __future__ import annotations

import json
import re
from typing import Any

import attrs

from sidelight_explorer.validation import InvalidInput, fields, listed, mapping, text, whole

STYLE_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")
MOST_LAYERS = 128  # StyleGAN2 at 1024 pixels has 18
MOST_MOVES = 64


@attrs.frozen
class Mix:
    """One layer's mix of two styles (Kirchler et al. 2021, Methods).

    Args:
        start: id of a style.
        end: id of a style.
        share: percent of `end`, 0 to 100.
    """

    start: str
    end: str
    share: int


@attrs.frozen
class EditSpec:
    """One edited image.

    Args:
        layers: from the lowest resolution to the highest.
        moves: (slider id, percent of its range), -100 to 100; without zeros, sorted by id.
    """

    layers: tuple[Mix, ...]
    moves: tuple[tuple[str, int], ...] = ()

    @property
    def key(self) -> str:
        """Canonical JSON: equal images have equal keys, here and in the page."""
        layers = [[mix.start, mix.end, mix.share] for mix in map(canonical, self.layers)]
        return json.dumps([layers, [list(move) for move in self.moves]], separators=(",", ":"), ensure_ascii=False)

    @property
    def styles(self) -> frozenset[str]:
        """Ids of all styles in the mixes."""
        return frozenset(name for mix in self.layers for name in (mix.start, mix.end))


def canonical(mix: Mix) -> Mix:
    """The mix in normal form: a pure style is mixed with itself at share 0."""
    if mix.share == 0 or mix.start == mix.end:
        return Mix(mix.start, mix.start, 0)
    return Mix(mix.end, mix.end, 0) if mix.share == 100 else mix


def plain(style: str, layers: int) -> EditSpec:
    """The unedited image of a style."""
    return EditSpec((Mix(style, style, 0),) * layers)


def with_move(spec: EditSpec, slider: str, percent: int) -> EditSpec:
    """The spec with one slider at `percent`."""
    moves = {**dict(spec.moves), slider: percent}
    return attrs.evolve(spec, moves=tuple(sorted((name, amount) for name, amount in moves.items() if amount)))


def with_style(spec: EditSpec, layers: range, style: str, share: int = 100) -> EditSpec:
    """The spec with some layers mixed from their start style to another style."""
    mixes = [Mix(mix.start, style, share) if layer in layers else mix for layer, mix in enumerate(spec.layers)]
    return attrs.evolve(spec, layers=tuple(mixes))


def group_layers(layers: int, groups: int) -> list[range]:
    """Adjacent layers in groups of equal size; the first groups are one larger if it does not divide."""
    size, extra = divmod(layers, groups)
    ends = [(index + 1) * size + min(index + 1, extra) for index in range(groups)]
    return [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def read_edit(value: Any, layers: int, path: str = "image") -> EditSpec:
    """A spec from JSON values.

    Raises:
        InvalidInput: malformed, or of a generator with another number of layers.
    """
    parts = fields(value, {"layers", "moves"}, path)
    mixes = tuple(_read_mix(item, f"{path}.layers") for item in listed(parts["layers"], MOST_LAYERS, f"{path}.layers"))
    if len(mixes) != layers:
        raise InvalidInput(f"{path}.layers: {len(mixes)} of them, the generator has {layers}")
    moves = mapping(parts.get("moves", {}), MOST_MOVES, f"{path}.moves")
    amounts = {key: whole(amount, -100, 100, f"{path}.moves") for key, amount in moves.items()}
    return EditSpec(mixes, tuple(sorted((key, amount) for key, amount in amounts.items() if amount)))


def _read_mix(value: Any, path: str) -> Mix:
    parts = listed(value, 3, path)
    if len(parts) != 3:
        raise InvalidInput(f"{path}: a layer is [style, style, share]")
    return Mix(style_id(parts[0], path), style_id(parts[1], path), whole(parts[2], 0, 100, path))


def style_id(value: Any, path: str) -> str:
    """A style's id.

    Raises:
        InvalidInput: malformed.
    """
    name = text(value, 80, path)
    if not STYLE_ID.fullmatch(name):
        raise InvalidInput(f"{path}: {name!r} is no id of a style")
    return name


def write_edit(spec: EditSpec) -> dict[str, Any]:
    """The spec as JSON values."""
    return {
        "layers": [[mix.start, mix.end, mix.share] for mix in spec.layers],
        "moves": dict(spec.moves),
    }
