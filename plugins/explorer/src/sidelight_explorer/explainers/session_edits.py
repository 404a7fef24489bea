"""The edits of a session: which image each began with, where it went, and what the user thought of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Attribute

from sidelight_explorer.server.validation import Bad
from sidelight_explorer.session.edit import plain
from sidelight_explorer.session.latent_edit import Point, located

if TYPE_CHECKING:
    from sidelight_explorer.session.file import Document, Image
    from sidelight_explorer.session.saved import Session

SAME = 0.02
"""Images whose latents differ by less, relative to their length, are the same image."""


@attrs.frozen(eq=False)
class Edit:
    """One edited image of a session.

    Args:
        began: (layers, d), the latents of the style that most layers began with.
        point: where it went.
        change: the hypothesis and its verdict as name, what was moved as layer.
    """

    began: np.ndarray
    point: Point
    change: Attribute

    def towards(self, target: int) -> Attribute:
        """The change, asked what it does to a class."""
        return attrs.evolve(self.change, target=target)


@attrs.frozen
class Edits:
    """All edits of a session, in its order."""

    all: tuple[Edit, ...]

    def of(self, latents: np.ndarray) -> list[Edit]:
        """The edits of an image with these latents, (layers, d)."""
        away = [np.linalg.norm(edit.began - latents) / max(float(np.linalg.norm(latents)), 1e-12) for edit in self.all]
        return [edit for edit, far in zip(self.all, away, strict=True) if far < SAME]

    @property
    def most(self) -> int:
        """Edits of the image that has most of them; at least 1."""
        return max((len(self.of(edit.began)) for edit in self.all), default=1)


def edits_of(session: Session, place: str) -> Edits:
    """The edited images of a session.

    Raises:
        UserError: it has none, or one whose style or slider is missing from the file.
    """
    layers = session.document.layers
    changed = [image for image in session.document.images if image.now.key != plain(_began(image), layers).key]
    if not changed:
        raise UserError(f"session: no image of {place} was edited", "Edit one in the explorer's page and save again.")
    try:
        return Edits(tuple(_edit(session, image) for image in changed))
    except (Bad, KeyError) as error:
        raise UserError(f"session: {place} lacks {error}", "Save it from the explorer's page.") from error


def _began(image: Image) -> str:
    """The style that most layers began with."""
    return Counter(mix.start for mix in image.start.layers).most_common(1)[0][0]


def _edit(session: Session, image: Image) -> Edit:
    point = located(image.now, session.latents.__getitem__, session.sliders)
    change = Attribute(name=_thought(session.document, image), coordinate=0, layer=_moved(session, image))
    return Edit(session.latents[_began(image)], point, change)


def _thought(document: Document, image: Image) -> str:
    """The hypotheses about an image with their verdicts, or its name where there is none."""
    notes = [note for note in document.notes if note.image == image.id]
    return "; ".join(f"{note.text}: {note.verdict}" for note in notes) or image.name


def _moved(session: Session, image: Image) -> str:
    """`layers 7-8: draw 4; lips, 100 %`."""
    names = {style.id: style.name for style in session.document.styles}
    began = _began(image)
    mixed: dict[str, list[int]] = {}
    for layer, mix in enumerate(image.now.layers, start=1):
        style, share = (mix.end, mix.share) if mix.share else (mix.start, 100)
        if style != began:
            mixed.setdefault(f"{names.get(style, style)}, {share} %", []).append(layer)
    texts = [f"{_listed(layers)}: {text}" for text, layers in mixed.items()]
    texts += [f"{session.sliders[name].name}, {percent} %" for name, percent in image.now.moves]
    return "; ".join(texts)


def _listed(layers: list[int]) -> str:
    """Layers in words; those that do not follow each other one by one."""
    if len(layers) == 1:
        return f"layer {layers[0]}"
    whole = layers[-1] - layers[0] + 1 == len(layers)
    return f"layers {layers[0]}\u2013{layers[-1]}" if whole else f"layers {', '.join(map(str, layers))}"
