"""True factors that concept images show, and their use by the classifier (figures 4 and 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Measurement, Measurements, Split
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.factors import factor_regressor

from sidelight_intervention.metrics.factor_edits import edited, sheet
from sidelight_intervention.metrics.layer_fidelity import measured_split

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Data
    from sidelight_toolkit.factors import FactorRegressor
    from torch import Tensor

    from sidelight_intervention.decoder.concept_decoder import ConceptDecoder
    from sidelight_intervention.params import ConceptFactorsParams

NORMAL_QUANTILE = 1.96  # of a two-sided 95 % interval
SHEETS = 2
"""Factors of which edited images are emitted."""


class ConceptFactors(Metric):
    """For two classes: what distinguishes the concept images of the one from those of the other, in true factors.

    The factors are read by a network trained on true factors (figure 4), and each is then edited in the images
    themselves, by drawing them anew, to see what the classifier makes of it (figure 5). Both are over a split of the
    data and do not depend on the explained images.
    """

    def __init__(
        self,
        params: ConceptFactorsParams,
        *,
        data: Data,
        classifier: Classifier,
        generator: ConceptDecoder,
        run: Run,
    ) -> None:
        self.params, self.data, self.classifier, self.generator, self.run = params, data, classifier, generator, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`shown: F` and `used: F` of each factor F, the one that the concept images show most first.

        Emits the mean concept image of each class, and the edited images of the two factors that are shown most.

        Raises:
            UserError: the classifier has not two classes, or the data no such factor.
        """
        del explanation, images, targets
        return self.run.cached("factors", self._table)  # the same for every explanation

    def _table(self) -> Measurements:
        classes = self.classifier.class_names
        if len(classes) != 2:
            raise UserError(f"concept-factors compares two classes, the classifier has {len(classes)}", "Choose two.")
        split = measured_split(self.data, self.params)
        reader = factor_regressor(self.data, self.run, self.params.reader_images, self.params.reader_steps)
        shown, errors = self._shown(split, reader)
        order = [reader.names.index(name) for name in self._chosen(reader.names)]
        order.sort(key=lambda place: -abs(np.nan_to_num(shown[place])))
        items: list[Measurement] = []
        for place in self.run.progress(order, "editing factors"):
            name = reader.names[place]
            edit = edited(self.data, self.classifier, split, name, self.run)
            if place in order[:SHEETS]:
                self.run.emit(f"edited: {name}", sheet(edit, name, classes[1]))
            items += self._items(reader, place, float(shown[place]), float(errors[place]), edit.change)
        return Measurements(items=tuple(items))

    def _chosen(self, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in self.params.factors if name not in names]
        if unknown:
            raise UserError(f"concept-factors: no factor {', '.join(unknown)}", f"The factors are {', '.join(names)}.")
        return self.params.factors or names

    def _shown(self, split: Split, reader: FactorRegressor) -> tuple[np.ndarray, np.ndarray]:
        """(F,): mean factor in concept images of class 1 minus that of class 0, in half-ranges, and its standard error.

        NaN where the images are not of both classes.
        """
        codes = self.generator.dvae.latents(torch.from_numpy(split.images))
        said = to_array(self.generator.dvae.logits_of(codes).argmax(1)) == 1
        drawn = self.generator.drawn(codes)
        read = reader.read(drawn) / (np.ptp(reader.ranges, axis=1) / 2)
        if said.all() or not said.any():
            self.run.warn("the decoded layers of all images are of one class; there are no two classes to compare")
            return np.full(read.shape[1], np.nan), np.full(read.shape[1], np.nan)
        means = np.stack([to_array(drawn)[chosen].mean(0) for chosen in (~said, said)])
        self.run.emit("mean concept images", Split(images=means, ids=tuple(self.classifier.class_names)))
        squares = sum(read[chosen].var(0) / chosen.sum() for chosen in (~said, said))
        return np.asarray(read[said].mean(0) - read[~said].mean(0)), np.sqrt(squares)

    def _items(
        self, reader: FactorRegressor, place: int, shown: float, shown_error: float, used: np.ndarray
    ) -> list[Measurement]:
        name, classes = reader.names[place], self.classifier.class_names
        half = NORMAL_QUANTILE * shown_error
        settings = {"R2 of the reading": f"{reader.r_squared[place]:.2f}", "split": self.params.split}
        return [
            Measurement(
                name=f"shown: {name}",
                values=np.array([shown], dtype=np.float32),
                unit="half-ranges",
                help=f"How much more {name} concept images of {classes[1]} have than those of {classes[0]}, read by "
                "a network trained on true factors; 2 is the whole range.",
                settings=settings,
                limits=(shown - half, shown + half) if np.isfinite(half) else None,
            ),
            Measurement(
                name=f"used: {name}",
                values=np.array([used.mean()], dtype=np.float32),
                unit="probability",
                help=f"By how much the probability of {classes[1]} grows from the lowest to the highest {name}, the "
                "images drawn anew with nothing else changed.",
                settings={"images": str(len(used))},
                limits=Measurement(name="", values=used).interval,
            ),
        ]
