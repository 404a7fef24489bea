"""The baseline: coordinates whose values differ between the classes (Wu et al. 2021; StylEx, section 4.2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.roles import AttributeFinder
from sidelight_toolkit.arrays import to_array

from sidelight_stylex.attfind.naming import measured_attribute
from sidelight_stylex.attfind.search import Presenter, kept
from sidelight_stylex.attfind.selection import Choice
from sidelight_stylex.attfind.style_effects import DIRECTIONS, Changes

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attributes
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_stylex.params import FinderParams


class StylespaceDifference(AttributeFinder):
    """Ranks coordinates by the normalised difference of their values, and never asks what changing them does.

    That is measured for those it has chosen, so that they can be compared with others'. `scores` are the differences.
    """

    def __init__(
        self,
        params: FinderParams,
        *,
        classifier: Classifier,
        generator: Generator,
        data: Data | None = None,
        inverter: Inverter | None = None,
        run: Run,
    ) -> None:
        self._params, self._run = params, run
        self._presenter = Presenter(params, classifier, generator, data, inverter, run)

    def find(self, latents: Tensor, target: int) -> Attributes:
        """The coordinates by which images of the target differ most from all others, moved towards the target's side.

        Classes are what the classifier says of the data's images, as the generator draws them.

        Raises:
            UserError: there is no such class.
        """
        return kept(self._run, latents, target, lambda: self._found(latents, target))

    def _found(self, latents: Tensor, target: int) -> Attributes:
        material, models = self._presenter.material(latents, target), self._presenter.models
        reference = to_array(material.reference)
        there = to_array(models.logits(material.reference).argmax(1)) == target
        if not len(material.rows) or not 0 < there.sum() < len(there):
            return self._presenter.nothing(material)
        difference = normalised_difference(reference[there], reference[~there])
        styles = material.styles[torch.from_numpy(material.rows)]
        chosen = self._chosen(difference, material.ranges, to_array(styles).mean(axis=0))
        if not chosen:
            return self._presenter.nothing(material)
        places = np.array(sorted(choice.coordinate for choice in chosen), dtype=np.int64)
        changes = Changes(models, styles, material.ranges, target)
        changes.measure(range(len(styles)), places)
        effects = np.stack([changes.measured[:, choice.coordinate, choice.direction] for choice in chosen])
        layers = models.generator.style_layers
        found = [
            measured_attribute(layers, choice, effect, styles, material.ranges, target)
            for choice, effect in zip(chosen, effects, strict=True)
        ]
        scores = np.abs(difference[[choice.coordinate for choice in chosen]]).astype(np.float32)
        return self._presenter.attributes(material, found, effects, scores=scores)

    def _chosen(self, difference: np.ndarray, ranges: np.ndarray, start: np.ndarray) -> list[Choice]:
        """The largest differences, each with the extreme on the target's side, unless images lie beyond it already."""
        found = []
        for place in np.argsort(-np.abs(difference), kind="stable").tolist():
            way = int(difference[place] > 0)
            if (ranges[place, way] - start[place]) * DIRECTIONS[way] > 0:
                found.append(Choice(place, way))
        return found[: self._params.attributes]


def normalised_difference(ours: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(S,) difference of the means of (N, S) and (M, S) values over the spread of all; 0 where nothing varies."""
    spread = np.concatenate([ours, others]).std(axis=0, dtype=np.float64)
    difference = ours.mean(axis=0, dtype=np.float64) - others.mean(axis=0, dtype=np.float64)
    found: np.ndarray = np.divide(difference, spread, out=np.zeros_like(spread), where=spread > 1e-6)
    return found
