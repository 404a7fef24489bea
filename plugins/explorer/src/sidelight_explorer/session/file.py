"""A session as a file: styles, images and their edits, sliders, and the user's hypotheses. Plain JSON."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from sidelight_explorer.server.validation import Bad, fields, listed, mapping, one_of, text, whole
from sidelight_explorer.session.edit import Spec, read_spec, style_id, write_spec
from sidelight_explorer.session.slider import Movable
from sidelight_explorer.session.slider_file import read_slider, write_slider

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
VERDICTS = ("open", "verified", "falsified")
MOST_STYLES, MOST_IMAGES, MOST_NOTES, MOST_SLIDERS, MOST_LATENTS = 200, 200, 500, 500, 1000


@attrs.frozen
class Style:
    """One row of the matrix."""

    id: str
    name: str


@attrs.frozen
class Image:
    """One image of the gallery.

    Args:
        id: its name in this session.
        name: as it is shown.
        start: what `reset` goes back to.
        now: as it is edited.
    """

    id: str
    name: str
    start: Spec
    now: Spec


@attrs.frozen
class Note:
    """A hypothesis about the classifier, and what became of it."""

    id: str
    image: str
    text: str
    verdict: str


@attrs.frozen
class Document:
    """Everything that a user has made.

    Args:
        layers: of the generator.
        groups: columns of the matrix.
        styles: its rows.
        images: the gallery.
        notes: the hypotheses.
        sliders: what moves its images, where it came from a file.
    """

    layers: int
    groups: int
    styles: tuple[Style, ...]
    images: tuple[Image, ...]
    notes: tuple[Note, ...] = ()
    sliders: tuple[Movable, ...] = ()

    @property
    def moved(self) -> frozenset[str]:
        """The ids of all sliders that were moved."""
        specs = [spec for image in self.images for spec in (image.start, image.now)]
        return frozenset(name for spec in specs for name, _ in spec.moves)

    @property
    def used(self) -> frozenset[str]:
        """The ids of all styles that take part."""
        mixed = frozenset().union(*(spec.styles for image in self.images for spec in (image.start, image.now)))
        return mixed | {style.id for style in self.styles}


def read_document(value: Any, layers: int) -> Document:
    """A document from plain values.

    Raises:
        Bad: it is none, or one for another generator.
    """
    parts = fields(value, {"format", "layers", "groups", "styles", "images", "notes", "sliders", "latents"}, "session")
    if parts["format"] != FORMAT:
        raise Bad(f"session: format {parts['format']!r} is not {FORMAT}")
    if whole(parts["layers"], 1, 128, "session.layers") != layers:
        raise Bad(f"session: made with a generator of {parts['layers']} layers, this one has {layers}", 409)
    document = Document(
        layers=layers,
        groups=whole(parts["groups"], 1, layers, "session.groups"),
        styles=tuple(map(_read_style, listed(parts["styles"], MOST_STYLES, "session.styles"))),
        images=tuple(_read_image(item, layers) for item in listed(parts["images"], MOST_IMAGES, "session.images")),
        notes=tuple(map(_read_note, listed(parts.get("notes", []), MOST_NOTES, "session.notes"))),
        sliders=tuple(
            read_slider(item, layers) for item in listed(parts.get("sliders", []), MOST_SLIDERS, "session.sliders")
        ),
    )
    for kind, items in (
        ("styles", document.styles),
        ("images", document.images),
        ("notes", document.notes),
        ("sliders", document.sliders),
    ):
        if len({item.id for item in items}) < len(items):
            raise Bad(f"session.{kind}: two have the same id")
    return document


def _read_style(value: Any) -> Style:
    parts = fields(value, {"id", "name"}, "style")
    return Style(style_id(parts["id"], "style.id"), text(parts["name"], 200, "style.name"))


def _read_image(value: Any, layers: int) -> Image:
    parts = fields(value, {"id", "name", "start", "now"}, "image")
    start, now = (read_spec(parts[key], layers, f"image.{key}") for key in ("start", "now"))
    return Image(style_id(parts["id"], "image.id"), text(parts["name"], 200, "image.name"), start, now)


def _read_note(value: Any) -> Note:
    parts = fields(value, {"id", "image", "text", "verdict"}, "note")
    return Note(
        style_id(parts["id"], "note.id"),
        text(parts["image"], 80, "note.image"),
        text(parts["text"], 4000, "note.text"),
        one_of(parts["verdict"], VERDICTS, "note.verdict"),
    )


def write_document(document: Document) -> dict[str, Any]:
    """The document as plain values."""
    return {
        "format": FORMAT,
        "layers": document.layers,
        "groups": document.groups,
        "styles": [attrs.asdict(style) for style in document.styles],
        "images": [
            {"id": image.id, "name": image.name, "start": write_spec(image.start), "now": write_spec(image.now)}
            for image in document.images
        ],
        "notes": [attrs.asdict(note) for note in document.notes],
        "sliders": [write_slider(slider) for slider in document.sliders],
    }


def with_sliders(document: Document, sliders: Mapping[str, Movable]) -> Document:
    """The document with the sliders that its images are moved by, so that it opens anywhere.

    Raises:
        Bad: there is no such slider (any more).
    """
    missing = sorted(name for name in document.moved if name not in sliders)
    if missing:
        raise Bad(f"moves: there is no attribute {missing[0][:80]!r}", 404)
    return attrs.evolve(document, sliders=tuple(sliders[name] for name in sorted(document.moved)))


def write_latents(latents: dict[str, np.ndarray]) -> dict[str, str]:
    """Style id to its w: float32 in little-endian order, in base64."""
    return {name: base64.b64encode(array.astype("<f4").tobytes()).decode("ascii") for name, array in latents.items()}


def read_latents(value: Any, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """What `write_latents` wrote.

    Raises:
        Bad: of another shape, or not finite.
    """
    found = {}
    for name, data in mapping(value, MOST_LATENTS, "session.latents").items():
        try:
            array = np.frombuffer(base64.b64decode(text(data, 10_000_000, "latents"), validate=True), "<f4")
            latents = array.reshape(shape).astype(np.float32)
        except ValueError as error:
            raise Bad(f"session.latents: {name[:80]!r} is no latent of shape {shape}") from error
        if not np.isfinite(latents).all():
            raise Bad(f"session.latents: {name[:80]!r} is not finite")
        found[style_id(name, "session.latents")] = latents
    return found
