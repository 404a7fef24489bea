"""Drawn faces as a data set: splits with factors, part masks and labels, and faces drawn anew from changed factors."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Measurement, Measurements, Split
from sidelight_specs.roles import Data

from sidelight_images.faces.factors import BY_NAME, FACTORS, as_table
from sidelight_images.faces.labels import Plan, draw_faces
from sidelight_images.faces.render import chunks, draw, render
from sidelight_images.names import FACE_PARTS

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
    """Drawn faces whose every factor is known, and whose label follows one of them."""

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
        plan = self.plan
        train = name == "train"
        ids = [f"{'train' if train else 'test'}-{i}" for i in range(self._params.train if train else self._params.test)]
        factors, labels = draw_faces(plan, self._params.seed, ids, decorrelated=name == "test-decorrelated")
        if name not in self._drawn:
            self._drawn[name] = self._draw(as_table(factors))
        drawn = self._drawn[name]
        self._emit_best_accuracy()
        return Split(
            images=drawn.pixels / np.float32(255),
            labels=labels,
            class_names=BY_NAME[plan.label].ends,
            ids=tuple(f"face-{name}" for name in ids),
            factors=factors,
            masks={} if train else {part: drawn.owners == index for index, part in enumerate(FACE_PARTS)},
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
        known = ", ".join(BY_NAME)
        wrong = sorted(set(self._params.confounds) - set(BY_NAME))
        if wrong:
            raise UserError(f"confounds: there is no factor {', '.join(wrong)}", f"the factors are: {known}")
        if self._params.label in self._params.confounds:
            raise UserError(f'confounds: "{self._params.label}" is the label\'s own factor', "name another factor")
        return Plan(self._params.label, self._params.slope, dict(self._params.confounds))

    def _draw(self, table: np.ndarray) -> Drawn:
        size = self._params.size
        drawn = Drawn(np.empty((len(table), 3, size, size), np.uint8), np.empty((len(table), size, size), np.uint8))
        for rows in self._run.progress(list(chunks(len(table), size)), "drawing faces"):
            images, drawn.owners[rows] = draw(table[rows], size)
            drawn.pixels[rows] = np.rint(images * 255)
        return drawn

    def _emit_best_accuracy(self) -> None:
        """Emit the accuracy of the best possible classifier, which the measured one can be held against."""
        items = [_share("possible", self.plan.accuracy(), "knows the factors and how labels come about")]
        if self.plan.confounds:
            text = "is best where the confounds are planted, on the split without them"
            items.append(_share("possible, then decorrelated", self.plan.accuracy(decorrelated=True), text))
            text = f"sees {self.plan.label} alone, on any split"
            items.append(_share(f"possible by {self.plan.label} alone", self.plan.accuracy_of_label_factor(), text))
        self._run.emit("accuracy", Measurements(items=tuple(items)))


def _share(name: str, value: float, what: str) -> Measurement:
    return Measurement(
        name=name,
        values=np.array([value], dtype=np.float32),
        better="higher",
        unit="share of images",
        help=f"Accuracy, by integration in closed form, of the best possible classifier that {what}.",
    )
