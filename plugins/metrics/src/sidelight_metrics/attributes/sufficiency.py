"""Sufficiency of the top attributes: the share of images that they flip (Lang et al. 2021, section 4.2.3, table 3).

    top k     share of the images flipped when a class's first k attributes are changed together
    up to k   share flipped by the first k' together, for any k' from 1 to k (what table 3 counts)

Both in share of held-out images, higher is better, at several sizes of the change: `factor` times as far as the
attributes were found with. The smallest factor that flips is their price: lower is better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Attributes, Measurement, Measurements
from sidelight_specs.roles import Metric

from sidelight_metrics.attributes.style_edits import StyleEdits, apply_attributes
from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.statistics import wilson_interval

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Attribute, Targets
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_metrics.params import SufficiencyParams


EXACTLY = "the class's top k attributes are changed together"
UP_TO = "the top k' of the class's attributes are changed together, for any k' from 1 to k (StylEx, table 3)"


class Sufficiency(Metric):
    """Flips by the top k attributes of a class together, at several sizes, on images that were not explained."""

    def __init__(
        self,
        params: SufficiencyParams,
        *,
        classifier: Classifier,
        generator: Generator,
        inverter: Inverter,
        data: Data,
        run: Run,
    ) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._edits = StyleEdits(generator, inverter, data, params.batch, run)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """For each k and factor `top k` (exactly k) and `up to k` (table 3); for each k the `smallest factor`.

        Every image is measured with the attributes of every class but the one that its reconstruction is of. It is
        flipped when the classifier then says that class. Nothing where the attributes are not of the generator's style
        space.
        """
        del targets
        ranked = expect_kind(explanation, Attributes)
        if not self._edits.can_apply(ranked):
            return Measurements()
        by_class = self._by_class(ranked.attributes)
        exactly, up_to = self._flips(by_class, images)
        settings = {"images": str(len(exactly)), "classes": str(len(by_class)), "split": self._params.split}
        shares = [
            self._share(f"{name} {k}, x {factor:g}", flips[:, row, column], settings, text)
            for row, k in enumerate(self._params.tops)
            for column, factor in enumerate(self._params.factors)
            for name, flips, text in (("top", exactly, EXACTLY), ("up to", up_to, UP_TO))
            if k > 1 or name == "top"  # with one attribute both are the same
        ]
        return Measurements(items=(*shares, *self._smallest(exactly, settings)))

    def _by_class(self, attributes: tuple[Attribute, ...]) -> dict[int, list[Attribute]]:
        """The attributes of each class, in their order."""
        counted = [one for one in attributes if self._params.flagged or not one.flagged]
        targets = sorted({one.target for one in counted})
        return {target: [one for one in counted if one.target == target] for target in targets}

    def _flips(self, by_class: dict[int, list[Attribute]], explained: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """(image and class, k, factor) bool: flipped by exactly the top k, and by the top k' of any k' <= k."""
        params = self._params
        none = np.zeros((0, len(params.tops), len(params.factors)), dtype=bool)
        if not by_class:
            return none, none
        styles = self._edits.held_out(params.split, params.count, explained)
        predicted = self._edits.predict(self._classifier, styles)
        exactly, up_to = [none], [none]
        for target, attributes in self._run.progress(list(by_class.items()), "classes"):
            start = styles[torch.from_numpy(np.flatnonzero(predicted != target))]
            if len(start):
                columns = [self._flipped(start, attributes, factor, target) for factor in params.factors]
                exactly.append(np.stack([column[0] for column in columns], axis=2))
                up_to.append(np.stack([column[1] for column in columns], axis=2))
        return np.concatenate(exactly), np.concatenate(up_to)

    def _flipped(
        self, start: Tensor, attributes: list[Attribute], factor: float, target: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """(images, tops) bool twice, for one factor: flipped by exactly k, and by k' <= k added in their order."""
        tops = np.minimum(self._params.tops, len(attributes))  # a class with fewer than k attributes changes them all
        exactly = np.zeros((len(start), len(tops)), dtype=bool)
        first = np.full(len(start), np.inf)  # (images,) smallest k' that flips
        for size in range(1, tops.max() + 1):
            columns = tops == size
            # a size that is none of the tops only matters to images that no smaller one has flipped
            rows = np.arange(len(start)) if columns.any() else np.flatnonzero(np.isinf(first))
            if len(rows):
                changed = apply_attributes(start[torch.from_numpy(rows)], attributes[:size], factor)
                flipped = self._edits.predict(self._classifier, changed) == target
                first[rows[flipped]] = np.minimum(first[rows[flipped]], size)
                exactly[np.ix_(rows, columns)] = flipped[:, None]
        return exactly, first[:, None] <= tops

    def _share(self, name: str, flipped: np.ndarray, settings: dict[str, str], text: str) -> Measurement:
        return Measurement(
            name=name,
            values=np.array([flipped.mean() if len(flipped) else np.nan], dtype=np.float32),
            better="higher",
            unit="share of images",
            help=f"Images that the classifier takes for another class once {text}, each this many times as far as "
            "it was found; all of them where the class has fewer.",
            settings=settings,
            limits=wilson_interval(int(flipped.sum()), len(flipped)) if len(flipped) else None,
        )

    def _smallest(self, flips: np.ndarray, settings: dict[str, str]) -> list[Measurement]:
        """Median, over the images that flip at all, of the smallest factor that does it."""
        order = np.argsort(self._params.factors)
        factors = np.array(sorted(self._params.factors))
        items = []
        for row, k in enumerate(self._params.tops):
            flipped = flips[:, row][flips[:, row].any(axis=1)]  # (images that flip, factors)
            smallest = factors[flipped[:, order].argmax(axis=1)]  # argmax of bools: the first True
            items.append(
                Measurement(
                    name=f"smallest factor, top {k}",
                    values=np.array([np.median(smallest) if len(smallest) else np.nan], dtype=np.float32),
                    better="lower",
                    unit="times the shift",
                    help="The smallest of the factors at which an image flips: median of the images that do.",
                    settings={**settings, "flipped at any": str(len(flipped))},
                )
            )
        return items
