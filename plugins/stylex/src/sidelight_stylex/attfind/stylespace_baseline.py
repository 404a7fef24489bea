"""Baseline of AttFind: coordinates whose values differ between classes (Wu et al. 2021; StylEx, section 4.2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.roles import AttributeFinder
from sidelight_toolkit.arrays import to_array

from sidelight_stylex.attfind.search import AttributeSearch
from sidelight_stylex.attfind.style_effects import DIRECTIONS, Choice, StyleEffects

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attributes
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_stylex.params import FinderParams


class StylespaceDifference(AttributeFinder):
    """Ranks coordinates by the normalised difference of their values; the classifier is asked for labels only.

    Effects are measured afterwards, for the chosen ones alone, to be compared with AttFind's. `scores` are the
    differences.
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
        self._search = AttributeSearch(params, classifier, generator, data, inverter, run)

    def find(self, latents: Tensor, target: int) -> Attributes:
        """The coordinates by which images of the target differ most from all others, moved towards the target's side.

        Classes are the classifier's, of the data's images as the generator draws them.

        Raises:
            UserError: there is no such class.
        """
        return self._run.cached(("attributes", latents, target), lambda: self._find(latents, target))

    def _find(self, latents: Tensor, target: int) -> Attributes:
        inputs, models = self._search.inputs(latents, target), self._search.models
        reference = to_array(inputs.reference)
        # labels by the classifier, of the data as the generator draws it
        is_target = to_array(models.logits(inputs.reference).argmax(1)) == target
        if not len(inputs.rows) or not 0 < is_target.sum() < len(is_target):
            return self._search.no_attributes(inputs)
        difference = normalised_difference(reference[is_target], reference[~is_target])  # (S,)
        styles = inputs.styles[torch.from_numpy(inputs.rows)]
        choices = self._largest(difference, inputs.ranges, to_array(styles).mean(axis=0))
        if not choices:
            return self._search.no_attributes(inputs)
        effects = StyleEffects(models, styles, inputs.ranges, target).of_choices(choices)
        scores = np.abs(difference[[choice.coordinate for choice in choices]]).astype(np.float32)
        return self._search.attributes(inputs, choices, effects, scores=scores)

    def _largest(self, difference: np.ndarray, ranges: np.ndarray, start: np.ndarray) -> list[Choice]:
        """The largest differences, each with the extreme on the target's side, unless images lie beyond it already."""
        choices = []
        for coordinate in np.argsort(-np.abs(difference), kind="stable").tolist():
            direction = int(difference[coordinate] > 0)  # the target's values are higher: up
            if (ranges[coordinate, direction] - start[coordinate]) * DIRECTIONS[direction] > 0:
                choices.append(Choice(coordinate, direction))
        return choices[: self._params.attributes]


def normalised_difference(ours: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(mean of (N, S) - mean of (M, S)) / standard deviation of all, (S,); 0 where nothing varies."""
    spread = np.concatenate([ours, others]).std(axis=0, dtype=np.float64)
    difference = ours.mean(axis=0, dtype=np.float64) - others.mean(axis=0, dtype=np.float64)
    ratio: np.ndarray = np.divide(difference, spread, out=np.zeros_like(spread), where=spread > 1e-6)
    return ratio
