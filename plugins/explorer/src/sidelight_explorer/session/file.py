"""Session file (JSON): styles, images and their edits, sliders, hypotheses, and the latents that they need."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs import SidelightError, UserError

from sidelight_explorer.session.edit import EditSpec, read_edit, style_id, write_edit
from sidelight_explorer.session.measure import (
    Curve,
    Edit,
    HypothesisTest,
    read_curve,
    read_test,
    write_curve,
    write_test,
)
from sidelight_explorer.session.names import KeptNames, Label, read_labels, write_labels
from sidelight_explorer.session.slider import Slider, Sliders, read_slider, write_slider
from sidelight_explorer.validation import InvalidInput, fields, flag, listed, mapping, one_of, parsed, text, whole

if TYPE_CHECKING:
    from sidelight_specs.roles import Generator

FORMAT = 1
_KEYS = {"format", "layers", "groups", "styles", "images", "notes", "sliders", "labels", "latents"}
VERDICTS = ("open", "verified", "falsified")
# generous bounds on what an untrusted file may make the server hold
MOST_STYLES, MOST_IMAGES, MOST_NOTES, MOST_SLIDERS, MOST_LATENTS = 200, 200, 500, 500, 1000
MOST_TESTS = 20  # of one hypothesis, and curves


@attrs.frozen
class Style:
    """One row of the matrix.

    Args:
        id: of the style.
        name: as displayed.
        starred: True for a row among the first.
        hidden: True for a row that is folded away.
    """

    id: str
    name: str
    starred: bool = False
    hidden: bool = False


@attrs.frozen
class Image:
    """One image of the gallery.

    Args:
        id: unique in this session.
        name: as displayed.
        start: target of `reset`.
        now: the current edit.
    """

    id: str
    name: str
    start: EditSpec
    now: EditSpec


@attrs.frozen
class Note:
    """A hypothesis about the classifier and its verdict.

    Args:
        id: unique in this session.
        image: id of the image that it was noted on.
        text: the hypothesis.
        verdict: the user's.
        tests: of it, oldest first.
        reason: why the verdict is not the one that the last test proposes.
        curves: response curves that belong to it.
    """

    id: str
    image: str
    text: str
    verdict: str
    tests: tuple[HypothesisTest, ...] = ()
    reason: str = ""
    curves: tuple[Curve, ...] = ()


@attrs.frozen
class Session:
    """Content of a session.

    Args:
        layers: of the generator.
        groups: columns of the matrix.
        styles: rows of the matrix.
        images: the gallery.
        notes: hypotheses.
        sliders: those that the images use, if they come from a file, and saved directions.
        labels: slider id to the name, star and hiding that the user gave it.
    """

    layers: int
    groups: int
    styles: tuple[Style, ...]
    images: tuple[Image, ...]
    notes: tuple[Note, ...] = ()
    sliders: tuple[Slider, ...] = ()
    labels: Mapping[str, Label] = attrs.field(factory=dict)

    @property
    def used_sliders(self) -> frozenset[str]:
        """Ids of all sliders that are not at zero, in images and in the edits of tests."""
        edits = [spec for image in self.images for spec in (image.start, image.now)] + self._tested
        return frozenset(name for edit in edits for name, amount in edit.moves if amount)

    @property
    def used_styles(self) -> frozenset[str]:
        """Ids of all styles in the matrix, the images and the edits of tests."""
        mixed = frozenset().union(*(spec.styles for image in self.images for spec in (image.start, image.now)))
        return mixed.union({style.id for style in self.styles}, *(edit.styles for edit in self._tested))

    @property
    def _tested(self) -> list[EditSpec | Edit]:
        return [test.measure.edit for note in self.notes for test in note.tests]


@attrs.frozen(eq=False)
class SavedSession:
    """A session file, loaded.

    Args:
        session: styles, images, notes.
        latents: style id to (layers, d).
        sliders: those in the file.
    """

    session: Session
    latents: dict[str, np.ndarray]
    sliders: Sliders


def load_session(name: str, generator: Generator) -> SavedSession:
    """Read a session file and check it against the generator.

    Raises:
        UserError: missing, unreadable, malformed, or of another generator.
    """
    path = Path(name).expanduser()
    try:
        value = parsed(path.read_bytes())
        session = read_session(value, int(generator.latent_shape[0]))
        latents = read_latents(value.get("latents", {}), tuple(generator.latent_shape))
        sliders = Sliders({}, generator, styled=has_styles(generator))
        sliders.load(session.sliders)
    except OSError as error:
        raise UserError(f"session: {path} cannot be read: {error.strerror}", "save one from the page") from error
    except InvalidInput as error:
        raise UserError(f"session: {path}: {error}", "save one from the page of this generator") from error
    return SavedSession(session, latents, sliders)


def has_styles(generator: Generator) -> bool:
    """True if the generator has a style space."""
    try:
        return bool(generator.style_layers)
    except SidelightError:
        return False


def read_session(value: Any, layers: int) -> Session:
    """A session from JSON values.

    Raises:
        InvalidInput: malformed, or of another generator.
    """
    parts = fields(value, _KEYS, "session")
    if parts["format"] != FORMAT:
        raise InvalidInput(f"session: format {parts['format']!r} is not {FORMAT}")
    if whole(parts["layers"], 1, 128, "session.layers") != layers:
        raise InvalidInput(f"session: made with a generator of {parts['layers']} layers, this one has {layers}", 409)
    session = Session(
        layers=layers,
        groups=whole(parts["groups"], 1, layers, "session.groups"),
        styles=tuple(map(_read_style, listed(parts["styles"], MOST_STYLES, "session.styles"))),
        images=tuple(_read_image(item, layers) for item in listed(parts["images"], MOST_IMAGES, "session.images")),
        notes=tuple(_read_note(item, layers) for item in listed(parts.get("notes", []), MOST_NOTES, "session.notes")),
        sliders=tuple(
            read_slider(item, layers) for item in listed(parts.get("sliders", []), MOST_SLIDERS, "session.sliders")
        ),
        labels=read_labels(parts.get("labels", {}), "session.labels"),  # older files lack them
    )
    for key in ("styles", "images", "notes", "sliders"):
        items = getattr(session, key)
        if len({item.id for item in items}) < len(items):
            raise InvalidInput(f"session.{key}: two have the same id")
    return session


def _read_style(value: Any) -> Style:
    parts = fields(value, {"id", "name", "starred", "hidden"}, "style")
    starred, hidden = (flag(parts.get(key, False), f"style.{key}") for key in ("starred", "hidden"))
    return Style(style_id(parts["id"], "style.id"), text(parts["name"], 200, "style.name"), starred, hidden)


def _read_image(value: Any, layers: int) -> Image:
    parts = fields(value, {"id", "name", "start", "now"}, "image")
    start, now = (read_edit(parts[key], layers, f"image.{key}") for key in ("start", "now"))
    return Image(style_id(parts["id"], "image.id"), text(parts["name"], 200, "image.name"), start, now)


def _read_note(value: Any, layers: int) -> Note:
    parts = fields(value, {"id", "image", "text", "verdict", "tests", "reason", "curves"}, "note")
    tests = listed(parts.get("tests", []), MOST_TESTS, "note.tests")  # older files lack them
    return Note(
        style_id(parts["id"], "note.id"),
        text(parts["image"], 80, "note.image"),
        text(parts["text"], 4000, "note.text"),
        one_of(parts["verdict"], VERDICTS, "note.verdict"),
        tuple(read_test(item, layers) for item in tests),
        text(parts.get("reason", ""), 4000, "note.reason"),
        tuple(map(read_curve, listed(parts.get("curves", []), MOST_TESTS, "note.curves"))),
    )


def write_session(session: Session) -> dict[str, Any]:
    """The session as JSON values."""
    return {
        "format": FORMAT,
        "layers": session.layers,
        "groups": session.groups,
        "styles": [_write_style(style) for style in session.styles],
        "images": [
            {"id": image.id, "name": image.name, "start": write_edit(image.start), "now": write_edit(image.now)}
            for image in session.images
        ],
        "notes": [_write_note(note) for note in session.notes],
        "sliders": [write_slider(slider) for slider in session.sliders],
        "labels": write_labels(session.labels),
    }


def _write_style(style: Style) -> dict[str, Any]:
    flags = {key: True for key in ("starred", "hidden") if getattr(style, key)}
    return {"id": style.id, "name": style.name, **flags}


def _write_note(note: Note) -> dict[str, Any]:
    """The note; what older pages do not know is left out where it is empty."""
    plain = {"id": note.id, "image": note.image, "text": note.text, "verdict": note.verdict}
    tests = {"tests": [write_test(test) for test in note.tests]} if note.tests else {}
    curves = {"curves": [write_curve(curve) for curve in note.curves]} if note.curves else {}
    return {**plain, **tests, **({"reason": note.reason} if note.reason else {}), **curves}


def with_sliders(session: Session, sliders: Mapping[str, Slider]) -> Session:
    """The session with every slider that it uses, names or holds, so that it opens without the run's finders.

    Raises:
        InvalidInput: a slider is unknown or forgotten.
    """
    missing = sorted(name for name in session.used_sliders if name not in sliders)
    if missing:
        raise InvalidInput(f"moves: there is no attribute {missing[0][:80]!r}", 404)
    own = {slider.id: slider for slider in session.sliders}
    named = {name for name in session.labels if name in sliders}
    kept = sorted(session.used_sliders | named | own.keys())[:MOST_SLIDERS]
    return attrs.evolve(session, sliders=tuple(own.get(name) or sliders[name] for name in kept))


def with_names(session: Session, names: KeptNames) -> Session:
    """The session with the names and directions that a run keeps; they go before its own, which are older."""
    own = {slider.id for slider in session.sliders}
    directions = tuple(slider for slider in names.directions if slider.id not in own)
    return attrs.evolve(session, labels={**session.labels, **names.labels}, sliders=(*session.sliders, *directions))


def write_latents(latents: dict[str, np.ndarray]) -> dict[str, str]:
    """Style id to its w: float32, little-endian, base64."""
    return {name: base64.b64encode(array.astype("<f4").tobytes()).decode("ascii") for name, array in latents.items()}


def read_latents(value: Any, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Inverse of `write_latents`.

    Raises:
        InvalidInput: of another shape, or not finite.
    """
    latents = {}
    for name, data in mapping(value, MOST_LATENTS, "session.latents").items():
        try:
            array = np.frombuffer(base64.b64decode(text(data, 10_000_000, "latents"), validate=True), "<f4")
            w = array.reshape(shape).astype(np.float32)
        except ValueError as error:
            raise InvalidInput(f"session.latents: {name[:80]!r} is no latent of shape {shape}") from error
        if not np.isfinite(w).all():
            raise InvalidInput(f"session.latents: {name[:80]!r} is not finite")
        latents[style_id(name, "session.latents")] = w
    return latents
