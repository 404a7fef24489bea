"""Figures 4 and 5: true factors that concept images show, and their use by the classifier.

For two classes: each factor F is read off the concept images of both, `shown: F` (figure 4), and then edited in the
images themselves, by drawing them anew with nothing else changed, `used: F` (counterfactual verification, figure 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Measurement, Measurements, Split
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.factors import factor_regressor, half_widths

from sidelight_intervention.metrics import measured_split, select_factors

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
SHEETS = 2  # factors of which edited images are emitted
PAIRS = 12  # images on such a sheet, each at both ends of the factor
BATCH = 128  # edited images in a pass of the classifier


class ConceptFactors(Metric):
    """Differences of two classes' concept images in true factors, read by a network trained on true factors.

    Both figures are over a split of the data and do not depend on the explained images.
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
        self._params, self._run = params, run
        self._data, self._classifier, self._generator = data, classifier, generator

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`shown: F` and `used: F` of each factor F, the one that the concept images show most first.

        Emits the mean concept image of each class, and the edited images of the two factors that are shown most.

        Raises:
            UserError: the classifier has not two classes, or the data no such factor.
        """
        del explanation, images, targets
        return self._run.cached("factors", self._table)  # the same for every explanation

    def _table(self) -> Measurements:
        params, classes = self._params, self._classifier.class_names
        if len(classes) != 2:
            raise UserError(
                f"concept-factors compares two classes, the classifier has {len(classes)}",
                "use a classifier of two classes",
            )
        split = measured_split(self._data, params)
        reader = factor_regressor(self._data, self._run, params.reader_images, params.reader_steps)
        shown, errors = self._shown(split, reader)
        order = [reader.names.index(name) for name in select_factors("concept-factors", params.factors, reader.names)]
        order.sort(key=lambda column: -abs(np.nan_to_num(shown[column])))
        items: list[Measurement] = []
        for column in self._run.progress(order, "editing factors"):
            name = reader.names[column]
            edit = edit_factor(self._data, self._classifier, split, name, self._run)
            if column in order[:SHEETS]:
                self._run.emit(f"edited: {name}", pair_sheet(edit, name, classes[1]))
            items += self._measurements(reader, column, float(shown[column]), float(errors[column]), edit.change)
        return Measurements(items=tuple(items))

    def _shown(self, split: Split, reader: FactorRegressor) -> tuple[np.ndarray, np.ndarray]:
        """(F,): mean factor in concept images of class 1 minus that of class 0, in half-ranges, and its standard error.

        NaN where the images are not of both classes.
        """
        dvae = self._generator.dvae
        codes = dvae.latents(torch.from_numpy(split.images))
        is_second = to_array(dvae.logits_of(codes).argmax(1)) == 1
        concept_images = self._generator.images_of(codes)
        factors = reader.read(concept_images) / half_widths(reader.ranges)  # (N, F) in half-ranges
        if is_second.all() or not is_second.any():
            self._run.warn("the decoded layers of all images are of one class; there are no two classes to compare")
            return np.full(factors.shape[1], np.nan), np.full(factors.shape[1], np.nan)
        means = np.stack([to_array(concept_images)[rows].mean(0) for rows in (~is_second, is_second)])
        self._run.emit("mean concept images", Split(images=means, ids=tuple(self._classifier.class_names)))
        squared_errors = sum(factors[rows].var(0) / rows.sum() for rows in (~is_second, is_second))
        difference = factors[is_second].mean(0) - factors[~is_second].mean(0)
        return np.asarray(difference), np.sqrt(squared_errors)

    def _measurements(
        self, reader: FactorRegressor, column: int, shown: float, shown_error: float, used: np.ndarray
    ) -> list[Measurement]:
        name, classes = reader.names[column], self._classifier.class_names
        half = NORMAL_QUANTILE * shown_error
        settings = {"R2 of the reading": f"{reader.r_squared[column]:.2f}", "split": self._params.split}
        return [
            Measurement(
                name=f"shown: {name}",
                values=np.array([shown], dtype=np.float32),
                whole=True,
                unit="half-ranges",
                help=f"How much more {name} concept images of {classes[1]} have than those of {classes[0]}, read by "
                "a network trained on true factors; 2 is the whole range.",
                settings=settings,
                limits=(shown - half, shown + half) if np.isfinite(half) else None,
            ),
            Measurement(
                name=f"used: {name}",
                values=np.array([used.mean()], dtype=np.float32),
                whole=True,
                unit="probability",
                help=f"By how much the probability of {classes[1]} grows from the lowest to the highest {name}, the "
                "images drawn anew with nothing else changed.",
                settings={"images": str(len(used))},
                limits=Measurement(name="", values=used).interval,
            ),
        ]


class FactorEdit(NamedTuple):
    """Images with one factor at its lowest, and at its highest, and nothing else changed.

    Attributes:
        images: twice (N, C, H, W).
        probabilities: twice (N,), of class 1.
    """

    images: tuple[np.ndarray, np.ndarray]
    probabilities: tuple[np.ndarray, np.ndarray]

    @property
    def change(self) -> np.ndarray:
        """(N,): what the factor adds to the probability of class 1, from its lowest to its highest."""
        return np.asarray(self.probabilities[1] - self.probabilities[0])


def edit_factor(data: Data, classifier: Classifier, split: Split, factor: str, run: Run) -> FactorEdit:
    """The images of a split drawn anew, at both ends of a factor's range."""

    def probabilities(images: np.ndarray) -> np.ndarray:
        tensor = to_tensor(images, run)
        return to_array(in_batches(lambda batch: classifier.class_logits(batch).softmax(1)[:, 1], tensor, BATCH))

    factors = {name: split.factors[name] for name in data.factor_ranges}
    lowest, highest = (
        data.render(factors | {factor: np.full(len(split), end, np.float32)}) for end in data.factor_ranges[factor]
    )
    return FactorEdit((lowest, highest), (probabilities(lowest), probabilities(highest)))


def pair_sheet(edit: FactorEdit, factor: str, label: str) -> Split:
    """The first images at both ends, each with the classifier's probability below it, as in figure 5."""
    count = min(PAIRS, len(edit.images[0]))
    pairs = np.stack([images[:count] for images in edit.images], axis=1)  # (count, 2, C, H, W)
    captions = tuple(
        f"{factor} at its {end}: {label} {float(probabilities[row]):.2f}"
        for row in range(count)
        for end, probabilities in zip(("lowest", "highest"), edit.probabilities, strict=True)
    )
    return Split(images=pairs.reshape(-1, *pairs.shape[2:]), ids=captions)
