"""Drawn faces as a data set: splits with factors, part masks and labels, and faces drawn anew from changed factors."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Measurement, Measurements, Split
from sidelight_specs.roles import Data

from sidelight_images.faces.factors import FACTORS, as_table
from sidelight_images.faces.labels import Plan, draw_faces, ids_of_classes
from sidelight_images.faces.render import chunks, draw, render
from sidelight_images.facts import faces_mistakes
from sidelight_images.names import FACE_PARTS, face_classes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_specs import Run

    from sidelight_images.params import FacesParams


@attrs.frozen(eq=False)
class Drawn:
    """Images and masks of one split in 8 bits.

    Args:
        pixels: (N, 3, size, size) uint8.
        owners: (N, size, size) uint8, indices into `names.FACE_PARTS`.
    """

    pixels: np.ndarray
    owners: np.ndarray


class Faces(Data):
    """Drawn faces whose every factor is known, and whose label follows one of them or several, crossed."""

    def __init__(self, params: FacesParams, *, run: Run) -> None:
        self._params, self._run = params, run
        self._drawn: dict[str, Drawn] = {}

    @property
    def splits(self) -> tuple[str, ...]:
        """`train` and `test`; with confounds also `test-decorrelated`, the same faces without them."""
        return ("train", "test", "test-decorrelated") if self._params.confounds else ("train", "test")

    @property
    def factor_ranges(self) -> Mapping[str, tuple[float, float]]:
        """Every factor's lowest and highest value."""
        return {factor.name: (factor.low, factor.high) for factor in FACTORS}

    def split(self, name: str) -> Split:
        """Faces with factors and labels; with part masks in the test splits.

        Drawn at the first call (about 400 a second at 64 pixels on one core) and kept as 8-bit pixels, 12 kB a face
        at 64 pixels; a `Split` itself holds float32, 49 kB a face.
        """
        if name not in self.splits:
            raise UserError(f'there is no split "{name}"', f"use one of: {', '.join(self.splits)}")
        plan, params = self.plan, self._params
        prefix, count = ("train", params.train) if name == "train" else ("test", params.test)
        names = face_classes(plan.label)
        classes = [index for index, class_name in enumerate(names) if class_name not in params.leave_out]
        if params.leave_out:
            ids = ids_of_classes(plan, params.seed, prefix, count, classes)
        else:
            ids = [f"{prefix}-{i}" for i in range(count)]
        factors, labels = draw_faces(plan, params.seed, ids, decorrelated=name == "test-decorrelated")
        if name not in self._drawn:
            self._drawn[name] = self._draw(as_table(factors))
        drawn = self._drawn[name]
        self._emit_best_accuracy()
        return Split(
            images=drawn.pixels / np.float32(255),
            labels=np.searchsorted(classes, labels),
            class_names=tuple(names[index] for index in classes),
            ids=tuple(f"face-{name}" for name in ids),
            factors=factors,
            masks={} if name == "train" else {part: drawn.owners == index for index, part in enumerate(FACE_PARTS)},
        )

    def render(self, factors: Mapping[str, np.ndarray]) -> np.ndarray:
        """(N, 3, size, size) float32 faces of these factors, each name to (N,); values are clipped to their ranges.

        Raises:
            SidelightError: a factor is missing, unknown or not finite.
        """
        try:
            return render(as_table(factors), self._params.size)
        except ValueError as error:
            raise SidelightError(f"images/faces: {error}") from error

    @cached_property
    def plan(self) -> Plan:
        """Law of the labels. Raises a UserError where label and confounds do not go together."""
        for mistake in faces_mistakes(self._params):
            raise UserError(f"{mistake.option}: {mistake.message}", mistake.fix)
        label = self._params.label
        return Plan((label,) if isinstance(label, str) else label, self._params.slope, dict(self._params.confounds))

    def _draw(self, table: np.ndarray) -> Drawn:
        size = self._params.size
        drawn = Drawn(np.empty((len(table), 3, size, size), np.uint8), np.empty((len(table), size, size), np.uint8))
        for rows in self._run.progress(list(chunks(len(table), size)), "drawing faces"):
            images, drawn.owners[rows] = draw(table[rows], size)
            drawn.pixels[rows] = np.rint(images * 255)
        return drawn

    def _emit_best_accuracy(self) -> None:
        """Emit the accuracy of the best possible classifier, which the measured one can be held against.

        Nothing where classes are left out: the digits of those that remain depend on each other.
        """
        if self._params.leave_out:
            return
        items = [_share("possible", self.plan.accuracy(), "knows the factors and how labels come about")]
        if self.plan.confounds:
            text = "is best where the confounds are planted, on the split without them"
            items.append(_share("possible, then decorrelated", self.plan.accuracy(decorrelated=True), text))
            label = " and ".join(self.plan.label)
            text = f"sees {label} alone, on any split"
            items.append(_share(f"possible by {label} alone", self.plan.accuracy_of_label_factors(), text))
        self._run.emit("accuracy", Measurements(items=tuple(items)))


def _share(name: str, value: float, what: str) -> Measurement:
    return Measurement(
        name=name,
        values=np.array([value], dtype=np.float32),
        better="higher",
        unit="share of images",
        help=f"Accuracy, by integration in closed form, of the best possible classifier that {what}.",
    )
