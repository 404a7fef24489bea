"""Edited images of a session: source latent, edited latent, hypothesis and verdict."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Attribute, Measurement, Measurements

from sidelight_explorer.hypothesis import SIZES, fixed, signed, turned_interval
from sidelight_explorer.latent_edit import LatentEdit
from sidelight_explorer.session.edit import plain
from sidelight_explorer.session.slider import latent_edit
from sidelight_explorer.validation import InvalidInput

if TYPE_CHECKING:
    from sidelight_explorer.session.file import Image, Note, SavedSession, Session

SAME = 0.02  # relative distance of latents below which two images count as the same


@attrs.frozen(eq=False)
class SessionEdit:
    """One edited image of a session.

    Args:
        source: (layers, d), latents of the style that most layers start with.
        edited: the edit.
        change: hypotheses with verdicts as name, a description of the edit as layer.
    """

    source: np.ndarray
    edited: LatentEdit
    change: Attribute

    def with_target(self, target: int) -> Attribute:
        """The change, with a class to measure its effect on."""
        return attrs.evolve(self.change, target=target)


@attrs.frozen
class SessionEdits:
    """All edits of a session, in its order."""

    all: tuple[SessionEdit, ...]

    def of(self, latents: np.ndarray) -> list[SessionEdit]:
        """Edits whose source has these latents, (layers, d)."""
        length = max(float(np.linalg.norm(latents)), 1e-12)
        return [edit for edit in self.all if np.linalg.norm(edit.source - latents) / length < SAME]

    @property
    def most(self) -> int:
        """Largest number of edits of one image; at least 1."""
        return max((len(self.of(edit.source)) for edit in self.all), default=1)


def session_edits(saved: SavedSession, path: str) -> SessionEdits:
    """The edited images of a session.

    Raises:
        UserError: there are none, or the file lacks a style or slider.
    """
    layers = saved.session.layers
    edited = [image for image in saved.session.images if image.now.key != plain(_source(image), layers).key]
    if not edited:
        raise UserError(f"session: no image of {path} was edited", "edit one in the explorer's page and save again")
    try:
        return SessionEdits(tuple(_session_edit(saved, image) for image in edited))
    except (InvalidInput, KeyError) as error:
        raise UserError(f"session: {path} lacks {error}", "save it from the explorer's page") from error


def _source(image: Image) -> str:
    """The style that most layers start with."""
    # `reset` may go back to a mix: the image is then that of the style in most layers
    return Counter(mix.start for mix in image.start.layers).most_common(1)[0][0]


def _session_edit(saved: SavedSession, image: Image) -> SessionEdit:
    edited = latent_edit(image.now, saved.latents.__getitem__, saved.sliders)
    change = Attribute(name=_hypotheses(saved.session, image), coordinate=0, layer=_description(saved, image))
    return SessionEdit(saved.latents[_source(image)], edited, change)


def _hypotheses(session: Session, image: Image) -> str:
    """Hypotheses about an image with their verdicts and last tests, or the image's name."""
    notes = [note for note in session.notes if note.image == image.id]
    return "; ".join(f"{note.text}: {note.verdict}{_last_test(note)}" for note in notes) or image.name


def _last_test(note: Note) -> str:
    if not note.tests:
        return ""
    outcome = note.tests[-1].outcome
    interval = f"{signed(outcome.mean)}, {signed(outcome.low)} to {signed(outcome.high)}"
    return f" ({outcome.verdict} on {outcome.count} images: {interval})"


def hypothesis_tests(session: Session) -> Measurements:
    """Mean change of the score in every test of a session; the verdict with all numbers is the help text."""
    items: list[Measurement] = []
    for note in session.notes:
        for place, test in enumerate(note.tests, start=1):
            outcome, measured = test.outcome, test.measured
            hits, low, high = turned_interval(measured.turned)
            share = f"{hits} of {outcome.count} ({low:.2f} to {high:.2f})"
            settings = {
                "verdict": f"{note.verdict}, because {note.reason}" if note.reason else note.verdict,
                "by the rule": outcome.verdict,
                "expected": test.expected,
                "images": f"{outcome.count}, {test.measure.on}",
                **({"turned": share} if measured.turned else {}),
                **{f"largest random edit {SIZES[one.size]}": fixed(one.largest) for one in outcome.compared},
            }
            number = f" (test {place})" if len(note.tests) > 1 else ""
            name = f"{note.text}{number}"
            if any(item.name == name for item in items):
                name = f"{name} [{note.id}]"
            limits = (outcome.low, outcome.high) if outcome.count > 1 else None
            items.append(
                Measurement(
                    name=name,
                    values=np.array([outcome.mean], np.float32),
                    unit="score",
                    help=str(outcome),
                    settings=settings,
                    limits=limits,
                    whole=True,  # the test's images are not those of the run
                )
            )
    return Measurements(items=tuple(items))


def _description(saved: SavedSession, image: Image) -> str:
    """The edit in words: `layers 7-8: draw 4, 100 %; lips, 100 %`."""
    names = {style.id: style.name for style in saved.session.styles}
    source = _source(image)
    mixed: dict[str, list[int]] = {}
    for layer, mix in enumerate(image.now.layers, start=1):
        # share 0 is the start style itself, which may differ from the source style too
        style, share = (mix.end, mix.share) if mix.share else (mix.start, 100)
        if style != source:
            mixed.setdefault(f"{names.get(style, style)}, {share} %", []).append(layer)
    texts = [f"{_layer_range(layers)}: {text}" for text, layers in mixed.items()]
    texts += [f"{_slider_name(saved, name)}, {percent} %" for name, percent in image.now.moves]
    return "; ".join(texts)


def _slider_name(saved: SavedSession, slider: str) -> str:
    """The user's name for a slider with the finder's, or the finder's."""
    found, label = saved.sliders[slider].name, saved.session.labels.get(slider)
    return f"{label.name} ({found})" if label and label.name not in ("", found) else found


def _layer_range(layers: list[int]) -> str:
    if len(layers) == 1:
        return f"layer {layers[0]}"
    contiguous = layers[-1] - layers[0] + 1 == len(layers)
    return f"layers {layers[0]}\u2013{layers[-1]}" if contiguous else f"layers {', '.join(map(str, layers))}"
