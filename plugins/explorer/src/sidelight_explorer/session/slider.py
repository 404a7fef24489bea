"""Sliders for attributes: of the run's finders, those that a session file brings along, and saved directions."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs.results import Attribute, Attributes

from sidelight_explorer.latent_edit import LatentEdit
from sidelight_explorer.models import LRUCache
from sidelight_explorer.validation import InvalidInput, fields, number, text, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_specs.results import Explanation
    from sidelight_specs.roles import Generator

    from sidelight_explorer.session.edit import EditSpec

MOST = 12  # sliders of each finder and class: more do not fit beside the image
MOST_LOADED = 1000  # sliders of opened session files that are remembered
LARGEST = 1e6  # of a shift, value or effect in a file; beyond it float32 pictures are noise
SAVED = "saved"  # finder of the directions that users make of their edits
_DERIVED = {"along", "axis", "rises"}  # keys that follow from the move: written for the page, not read
_SUMMARY_KEYS = {"id", "finder", "name", "effect", "flagged", "oneSided", "target", "towards", "measured", *_DERIVED}
_KEYS = _SUMMARY_KEYS | {"coordinate", "shift", "value", "direction"}


@attrs.frozen(eq=False)
class Slider:
    """One attribute with a range of -100 % to 100 %, or of 0 % to 100 % where it is one-sided.

    Args:
        id: finder and digest of the move, so that equal moves have equal ids in the run and in any session file.
        finder: the finder's id.
        attribute: the attribute.
        direction: (layers, d) float32, the shift of W at 100 %; None for a coordinate of the style space.
        one_sided: True if 100 % is a fixed value of the coordinate rather than a shift.
        towards: name of the class that it raises, by the finder's own classifier; empty for a regression, and where the
            finder looked for no class.
        measured: name of the class whose logit the effect is of, where it is not `towards`.
    """

    id: str
    finder: str
    attribute: Attribute
    direction: np.ndarray | None
    one_sided: bool
    towards: str = ""
    measured: str = ""

    @property
    def name(self) -> str:
        """The attribute's name; the length of a finder's shift along a direction (` +67%`) is left out."""
        is_found = self.direction is not None and self.finder != SAVED
        return re.sub(r" [+-]\d+%$", "", self.attribute.name) if is_found else self.attribute.name

    @property
    def axis(self) -> str:
        """The line in W or the style coordinate that it moves along, whichever way; opposite sliders share it."""
        if self.direction is None:
            return str(self.attribute.coordinate)
        return _digest(self.attribute, self.direction if self.rises else -self.direction)

    @property
    def rises(self) -> bool:
        """True if 100 % raises the coordinate; of a direction, its largest component."""
        if self.direction is None:
            return self.attribute.shift >= 0
        return bool(self.direction.flat[np.abs(self.direction).argmax()] > 0)

    def apply(self, edit: LatentEdit, factor: float) -> LatentEdit:
        """The edit with this attribute moved by `factor` of its range, in [-1, 1]."""
        if self.direction is not None:
            # w + factor * v in all layers, (layers, d)
            return attrs.evolve(edit, latents=(edit.latents + factor * self.direction).astype(np.float32))
        if self.one_sided:
            factor = max(0.0, factor)  # beyond 0 lies no value
        return attrs.evolve(edit, moves=(*edit.moves, (self.attribute, factor)))


def make_slider(
    finder: str, attribute: Attribute, direction: np.ndarray | None, towards: str = "", measured: str = ""
) -> Slider:
    """The slider of an attribute.

    Args:
        finder: the finder's id.
        attribute: the attribute.
        direction: (layers, d), the shift at 100 %, if the attribute is no coordinate of the style space.
        towards: name of the class that it raises; empty for none.
        measured: name of the class whose logit the effect is of, where it is not `towards`.
    """
    shift = None if direction is None else direction.astype(np.float32)
    length = f" {np.abs(shift).max():.3g}" if finder == SAVED and shift is not None else ""
    one_sided = shift is None and attribute.value is not None
    name = f"{finder}.{_digest(attribute, shift, length)}"
    return Slider(name, finder, attribute, shift, one_sided, towards, measured)


def saved_slider(name: str, direction: np.ndarray, layers: tuple[int, int] | None = None) -> Slider:
    """A slider along a direction that a user made, such as the difference of an edited image and the image before.

    Args:
        name: what the user calls it.
        direction: (layers, d), the shift of W at 100 %.
        layers: first layer and the one after the last that it moves; None for all.

    Raises:
        InvalidInput: it moves nothing.
    """
    moved = np.zeros_like(direction)
    part = slice(None) if layers is None else slice(*layers)
    moved[part] = direction[part]
    if not moved.any():
        raise InvalidInput("direction: it moves nothing in W", 409)
    return make_slider(SAVED, Attribute(name=name, coordinate=0, shift=1.0), moved)


def _digest(attribute: Attribute, direction: np.ndarray | None, length: str = "") -> str:
    """Digest of the move; three digits, so that float noise between machines does not change an id.

    A finder has one slider along a direction; users save any number, so that `length` is a part of theirs.
    """
    if direction is not None:
        data = (
            np.round(direction / max(float(np.abs(direction).max()), 1e-12), 3).astype("<f4").tobytes()
            + length.encode()
        )
    else:
        size = attribute.shift if attribute.value is None else attribute.value
        data = f"{attribute.coordinate} {attribute.value is None} {size:.3g}".encode()
    return hashlib.blake2b(data, digest_size=5).hexdigest()


def sliders_of(results: Mapping[str, Explanation], generator: Generator, styled: bool) -> dict[str, Slider]:
    """Id to slider, for each attribute that this generator can move; implausible ones keep their flag.

    Args:
        results: finder id to its attributes.
        generator: with latents (layers, d).
        styled: True if it has a style space.
    """
    sliders: list[Slider] = []
    for finder, attributes in results.items():
        if not isinstance(attributes, Attributes):
            continue
        if attributes.directions is not None:
            sliders += _along_directions(finder, attributes, tuple(generator.latent_shape))
        else:
            sliders += _of_coordinates(finder, attributes, _style_channels(generator, styled))
    return {slider.id: slider for slider in sliders}


def _style_channels(generator: Generator, styled: bool) -> int:
    return sum(layer.channels for layer in generator.style_layers) if styled else 0


def _of_coordinates(finder: str, attributes: Attributes, channels: int) -> list[Slider]:
    """The first `MOST` coordinates of each class; none if they are of another generator's style space."""
    if attributes.ranges is not None and len(attributes.ranges) != channels:
        return []
    per_class: dict[tuple[int, bool], list[Attribute]] = {}  # of a value, those that raise it and those that lower it
    for attribute in attributes.attributes:
        if attribute.coordinate < channels:
            lowers = attributes.is_of_value and attribute.effect < 0
            per_class.setdefault((attribute.target, lowers), []).append(attribute)
    first = {id(attribute) for ranked in per_class.values() for attribute in ranked[:MOST]}
    return [
        make_slider(finder, attribute, None, _class_name(attributes, attribute.target))
        for attribute in attributes.attributes
        if id(attribute) in first
    ]


def _class_name(attributes: Attributes, target: int) -> str:
    """The target's name by the finder's own classifier, which may differ from those of the page."""
    names = attributes.class_names
    if len(names) == 1:  # a regression has no classes
        return ""
    return names[target] if target < len(names) else f"class {target}"


def _along_directions(finder: str, attributes: Attributes, shape: tuple[int, ...]) -> list[Slider]:
    """One slider for each direction, as long as its longest shift: shorter and opposite shifts lie on it.

    A direction that was found without a classifier is one slider, whatever classes its effect was measured for.
    """
    directions = attributes.directions
    assert directions is not None, "checked by the caller"
    unsupervised = attributes.unsupervised
    longest: dict[tuple[int, bytes], int] = {}
    for index, attribute in enumerate(attributes.attributes):
        key = (0 if unsupervised else attribute.target, directions[index].tobytes())
        best = longest.get(key)
        if attribute.shift > 0 and (best is None or attribute.shift > attributes.attributes[best].shift):
            longest[key] = index
    return [
        make_slider(
            finder,
            attribute,
            directions[index] * attribute.shift,
            towards="" if unsupervised else _class_name(attributes, attribute.target),
            measured=_class_name(attributes, attribute.target) if unsupervised and attributes.class_names else "",
        )
        for index in longest.values()
        if directions[index].shape == shape
        for attribute in (attributes.attributes[index],)
    ]


def opposites(sliders: Iterable[Slider]) -> dict[str, str]:
    """Id to the id of the slider that goes the opposite way: the page shows both as one (`linesOf` in `names.js`)."""
    lines: dict[tuple[str, bool, str], Slider] = {}
    pairs: dict[str, str] = {}
    for slider in sliders:
        if slider.finder == SAVED:
            continue
        first = lines.setdefault((slider.finder, slider.direction is None, slider.axis), slider)
        if first.rises != slider.rises and first.id not in pairs:
            pairs |= {first.id: slider.id, slider.id: first.id}
    return pairs


def latent_edit(spec: EditSpec, latents_of: Callable[[str], np.ndarray], sliders: Mapping[str, Slider]) -> LatentEdit:
    """Layer-wise mix `(1 - a) * w_start + a * w_end` (Kirchler et al. 2021, Methods), then the sliders.

    Args:
        spec: the edit; `a` is each layer's share / 100.
        latents_of: (layers, d) of a style's id.
        sliders: id to slider.

    Raises:
        InvalidInput: an unknown slider or style.
    """
    latents = {style: latents_of(style) for style in spec.styles}
    rows = [  # w_l = (1 - a_l) w_start,l + a_l w_end,l, (d,) for each layer l
        (1 - mix.share / 100) * latents[mix.start][layer] + mix.share / 100 * latents[mix.end][layer]
        for layer, mix in enumerate(spec.layers)
    ]
    edit = LatentEdit(np.stack(rows).astype(np.float32))
    for name, percent in spec.moves:
        if name not in sliders:
            raise InvalidInput(f"moves: there is no attribute {name[:80]!r}", 404)
        edit = sliders[name].apply(edit, percent / 100)
    return edit


class Sliders(Mapping[str, Slider]):
    """The run's sliders; loaded ones are looked up too, but not listed.

    Args:
        sliders: the run's, by id.
        generator: with latents (layers, d).
        styled: True if it has a style space.
    """

    def __init__(self, sliders: dict[str, Slider], generator: Generator, styled: bool) -> None:
        self._sliders, self._loaded = sliders, LRUCache[Slider](MOST_LOADED)
        self._kept: dict[str, Slider] = {}
        self._shape, self._channels = tuple(generator.latent_shape), _style_channels(generator, styled)

    def __getitem__(self, name: str) -> Slider:
        """One slider; KeyError if it is unknown or forgotten."""
        slider = self._sliders.get(name) or self._kept.get(name) or self._loaded.get(name)
        if slider is None:
            raise KeyError(name)
        return slider

    def __iter__(self) -> Iterator[str]:
        """Ids of the run's sliders."""
        return iter(self._sliders)

    def __len__(self) -> int:
        """Number of the run's sliders."""
        return len(self._sliders)

    def keep(self, sliders: Iterable[Slider]) -> None:
        """Remember these, which the run keeps, until others are kept; loaded ones are forgotten when there are many."""
        self._kept = {slider.id: slider for slider in sliders}

    def load(self, sliders: Iterable[Slider]) -> None:
        """Remember the sliders of a session file.

        Raises:
            InvalidInput: one is of another generator.
        """
        for slider in sliders:
            if slider.direction is None:
                fits = slider.attribute.coordinate < self._channels
            else:
                fits = slider.direction.shape == self._shape
            if not fits:
                raise InvalidInput(f"session.sliders: {slider.name[:80]!r} is of another generator", 409)
            self._loaded.put(slider.id, slider)


def describe_slider(slider: Slider) -> dict[str, Any]:
    """The slider as the page shows it, as JSON values."""
    attribute = slider.attribute
    return {
        "id": slider.id,
        "finder": slider.finder,
        "name": slider.name,
        "effect": attribute.effect,
        "flagged": attribute.flagged,
        "oneSided": slider.one_sided,
        "target": attribute.target,
        "towards": slider.towards,
        "measured": slider.measured,
        "along": "style" if slider.direction is None else "w",
        "axis": slider.axis,
        "rises": slider.rises,
    }


def write_slider(slider: Slider) -> dict[str, Any]:
    """The slider with its move, as JSON values for a session file."""
    attribute, direction = slider.attribute, slider.direction
    data = None if direction is None else base64.b64encode(direction.astype("<f4").tobytes()).decode("ascii")
    move = {"coordinate": attribute.coordinate, "shift": attribute.shift, "value": attribute.value}
    return {**describe_slider(slider), **move, "direction": data}


def read_slider(value: Any, layers: int) -> Slider:
    """Inverse of `write_slider`.

    Raises:
        InvalidInput: malformed, or its id does not match its move.
    """
    parts = fields(value, _KEYS, "slider")
    attribute = Attribute(
        name=text(parts["name"], 200, "slider.name"),
        coordinate=whole(parts["coordinate"], 0, 10_000_000, "slider.coordinate"),
        shift=number(parts["shift"], -LARGEST, LARGEST, "slider.shift"),
        effect=number(parts["effect"], -LARGEST, LARGEST, "slider.effect"),
        target=whole(parts["target"], 0, 1_000_000, "slider.target"),
        flagged=text(parts["flagged"], 1000, "slider.flagged"),
        value=None if parts["value"] is None else number(parts["value"], -LARGEST, LARGEST, "slider.value"),
    )
    towards = text(parts.get("towards", ""), 200, "slider.towards")  # older files lack it
    measured = text(parts.get("measured", ""), 200, "slider.measured")
    finder, direction = text(parts["finder"], 80, "slider.finder"), _read_direction(parts["direction"], layers)
    slider = make_slider(finder, attribute, direction, towards, measured)
    # clients share loaded sliders by id: a forged one would replace another session's slider
    if slider.id != parts["id"]:
        raise InvalidInput("slider.id: it is not that of what the slider moves")
    return slider


def _read_direction(value: Any, layers: int) -> np.ndarray | None:
    if value is None:
        return None
    try:
        data = base64.b64decode(text(value, 10_000_000, "slider.direction"), validate=True)
        direction = np.frombuffer(data, "<f4").reshape(layers, -1).astype(np.float32)
    except ValueError as error:
        raise InvalidInput(f"slider.direction: not of {layers} layers") from error
    if not direction.size or not np.isfinite(direction).all():
        raise InvalidInput("slider.direction: empty, or not finite")
    return direction
