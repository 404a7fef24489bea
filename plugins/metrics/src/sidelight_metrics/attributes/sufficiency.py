"""Sufficiency of the top attributes: the share of images that they flip (Lang et al. 2021, section 4.2.3, table 3).

    x, x'     image and reconstruction; x'[k] the reconstruction with a class's first k attributes changed together
    top k     share of the images for which argmax C(x'[k]) is the class
    up to k   the same for any x'[k'], k' from 1 to k (what table 3 counts)
    from the image   C(x) + C(x'[k]) - C(x') in place of C(x'[k])

All in share of held-out images, higher is better, at several sizes of the change: `factor` times as far as the
attributes were found with. The smallest factor that flips is their price: lower is better.

A generator that loses what the classifier looks at has reconstructions near the boundary, which any change flips. The
rows from the image count a change by what it adds to the logits that the image itself has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.intervals import wilson_interval
from sidelight_specs.results import Attributes, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.batching import Batch

from sidelight_metrics.attributes.style_edits import StyleEdits, apply_attributes
from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.params import SMALL_ON_CPU
from sidelight_metrics.predictions import class_logits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Attribute, Targets
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_metrics.params import SufficiencyParams


EXACTLY = "the class's top k attributes are changed together"
UP_TO = "the top k' of the class's attributes are changed together, for any k' from 1 to k (StylEx, table 3)"
FROM_IMAGE = ", from the image"  # ends the names of the rows that begin at C(x)


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
        self._edits = StyleEdits(generator, inverter, data, Batch(params.batch, run, SMALL_ON_CPU), run)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """For each k and factor `top k` (exactly k) and `up to k` (table 3); for each k the `smallest factor`.

        Every image is measured with the attributes of every class but the one that its reconstruction is of. It is
        flipped when the classifier then says that class. Rows named `from the image` follow, in which the change of
        the logits is added to those of the image, of another class itself. Nothing where the attributes are not of
        the generator's style space.
        """
        del targets
        ranked = expect_kind(explanation, Attributes)
        if not self._edits.can_apply(ranked):
            return Measurements()
        by_class = self._by_class(ranked.attributes)
        reconstruction, image = self._flips(by_class, images)
        settings = {"classes": str(len(by_class)), "split": self._params.split}
        return Measurements(
            items=(
                *self._shares(reconstruction, settings, ""),
                *self._smallest(reconstruction[0], settings),
                *self._shares(image, settings, FROM_IMAGE),
            )
        )

    def _by_class(self, attributes: tuple[Attribute, ...]) -> dict[int, list[Attribute]]:
        """The attributes of each class, in their order."""
        counted = [one for one in attributes if self._params.flagged or not one.flagged]
        targets = sorted({one.target for one in counted})
        return {target: [one for one in counted if one.target == target] for target in targets}

    def _flips(self, by_class: dict[int, list[Attribute]], explained: Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
        """Flips begun at the reconstruction, and at the image.

        Each is (image and class, k, factor) bool twice: by exactly the top k, and by the top k' of any k' <= k.
        """
        params = self._params
        none = np.zeros((0, len(params.tops), len(params.factors)), dtype=bool)
        flips = [([none], [none]), ([none], [none])]
        if by_class:
            images = self._edits.held_out(params.split, params.count, explained)
            styles = self._edits.styles(images)
            reconstruction = self._edits.logits(self._classifier, styles)  # C(x'), (N, K)
            image = class_logits(self._classifier, images, self._edits.batch)  # C(x), (N, K)
            offsets = np.stack([np.zeros_like(image), image - reconstruction])  # added to C(x'[k]), (2, N, K)
            predicted = np.stack([reconstruction.argmax(1), image.argmax(1)])  # (2, N)
        for target, attributes in self._run.progress(list(by_class.items()), "classes"):
            others = predicted != target
            columns = [self._flipped(styles, offsets, others, attributes, factor, target) for factor in params.factors]
            for start, (exactly, up_to) in enumerate(flips):
                rows = others[start]
                exactly.append(np.stack([column[0][start, rows] for column in columns], axis=2))
                up_to.append(np.stack([column[1][start, rows] for column in columns], axis=2))
        return [(np.concatenate(exactly), np.concatenate(up_to)) for exactly, up_to in flips]

    def _flipped(
        self,
        styles: Tensor,
        offsets: np.ndarray,
        others: np.ndarray,
        attributes: list[Attribute],
        factor: float,
        target: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(2, N, tops) bool twice, for one factor: flipped by exactly k, and by k' <= k added in their order.

        Args:
            styles: (N, S).
            offsets: (2, N, K) added to the logits of the changed reconstruction.
            others: (2, N) bool, of another class before the change; what is flipped elsewhere means nothing.
            attributes: of the class, in their order.
            factor: of the change.
            target: the class.
        """
        tops = np.minimum(self._params.tops, len(attributes))  # a class with fewer than k attributes changes them all
        exactly = np.zeros((*others.shape, len(tops)), dtype=bool)
        first = np.full(others.shape, np.inf)  # (2, N) smallest k' that flips
        for size in range(1, tops.max() + 1):
            columns = tops == size
            # a size that is none of the tops only matters to images that no smaller one has flipped
            rows = np.flatnonzero((others & (np.isinf(first) | columns.any())).any(axis=0))
            if len(rows):
                changed = apply_attributes(styles[torch.from_numpy(rows)], attributes[:size], factor)
                logits = self._edits.logits(self._classifier, changed) + offsets[:, rows]  # (2, rows, K)
                flipped = logits.argmax(axis=2) == target
                first[:, rows] = np.minimum(first[:, rows], np.where(flipped, size, np.inf))
                exactly[:, rows] |= flipped[:, :, None] & columns
        return exactly, first[:, :, None] <= tops

    def _shares(
        self, flips: tuple[np.ndarray, np.ndarray], settings: dict[str, str], start: str
    ) -> Iterator[Measurement]:
        for row, k in enumerate(self._params.tops):
            for column, factor in enumerate(self._params.factors):
                for name, flipped, text in (("top", flips[0], EXACTLY), ("up to", flips[1], UP_TO)):
                    if k > 1 or name == "top":  # with one attribute both are the same
                        label = f"{name} {k}, x {factor:g}{start}"
                        yield self._share(label, flipped[:, row, column], settings, text)

    def _share(self, name: str, flipped: np.ndarray, settings: dict[str, str], text: str) -> Measurement:
        added = " The change of the logits is added to those of the image itself." if name.endswith(FROM_IMAGE) else ""
        return Measurement(
            name=name,
            values=np.array([flipped.mean() if len(flipped) else np.nan], dtype=np.float32),
            whole=True,
            better="higher",
            unit="share of images",
            help=f"Images that the classifier takes for another class once {text}, each this many times as far as "
            f"it was found; all of them where the class has fewer.{added}",
            settings={"images": str(len(flipped)), **settings},
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
                    whole=True,
                    better="lower",
                    unit="times the shift",
                    help="The smallest of the factors at which an image flips: median of the images that do.",
                    settings={"images": str(len(flips)), **settings, "flipped at any": str(len(flipped))},
                )
            )
        return items
