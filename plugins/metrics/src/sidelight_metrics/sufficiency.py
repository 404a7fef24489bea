"""How many images a few attributes suffice to flip (Lang et al. 2021, section 4.2.3, table 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric

from sidelight_metrics.style_moves import Stage, applied, attributes

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Attribute, Targets
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_metrics._params import SufficiencyParams


class Sufficiency(Metric):
    """Changes the top k attributes of a class together, at several sizes, on images that were not explained."""

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
        self._stage = Stage(generator, inverter, data, params.batch, run)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """For each k and factor `top k, x factor`; for each k the `smallest factor` that flips.

        Every image is measured with the attributes of every class but the one that the classifier says of its
        reconstruction. It is flipped when the classifier then says that class.
        """
        del targets
        pools = self._pools(attributes(explanation).attributes)
        flips = self._flips(pools, images)
        found = {"images": str(len(flips)), "classes": str(len(pools)), "split": self._params.split}
        shares = [
            self._item(f"top {k}, x {factor:g}", flips[:, row, column], found)
            for row, k in enumerate(self._params.tops)
            for column, factor in enumerate(self._params.factors)
        ]
        return Measurements(items=(*shares, *self._smallest(flips, found)))

    def _pools(self, found: tuple[Attribute, ...]) -> dict[int, list[Attribute]]:
        """The attributes of each class, in their order."""
        kept = [attribute for attribute in found if self._params.flagged or not attribute.flagged]
        self._stage.check(kept)
        return {target: [one for one in kept if one.target == target] for target in sorted({a.target for a in kept})}

    def _flips(self, pools: dict[int, list[Attribute]], explained: Tensor) -> np.ndarray:
        """(image and class, k, factor) bool."""
        params, none = self._params, np.zeros((0, len(self._params.tops), len(self._params.factors)), dtype=bool)
        if not pools:
            return none
        styles = self._stage.held_out(params.split, params.count, explained)
        said = self._stage.answers(self._classifier, styles)
        found = [none]
        for target, pool in self._run.progress(list(pools.items()), "classes"):
            start = styles[torch.from_numpy(np.flatnonzero(said != target))]
            if len(start):
                rows = [
                    [
                        self._stage.answers(self._classifier, applied(start, pool[:k], factor)) == target
                        for factor in params.factors
                    ]
                    for k in params.tops
                ]
                found.append(np.moveaxis(np.array(rows), 2, 0))
        return np.concatenate(found)

    def _item(self, name: str, flipped: np.ndarray, settings: dict[str, str]) -> Measurement:
        share = flipped.mean() if len(flipped) else np.nan
        return Measurement(
            name=name,
            values=np.array([share], dtype=np.float32),
            better="higher",
            unit="share of images",
            help="Images that the classifier takes for another class once the class's top k attributes are changed "
            "together, each this many times as far as it was found.",
            settings=settings,
        )

    def _smallest(self, flips: np.ndarray, settings: dict[str, str]) -> list[Measurement]:
        """The median, over the images that flip at all, of the smallest factor that does it."""
        items = []
        for row, k in enumerate(self._params.tops):
            flipped = flips[:, row][flips[:, row].any(axis=1)]
            smallest = np.array(sorted(self._params.factors))[
                flipped[:, np.argsort(self._params.factors)].argmax(axis=1)
            ]
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
