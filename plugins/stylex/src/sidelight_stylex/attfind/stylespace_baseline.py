"""Baseline of AttFind: coordinates whose values differ between classes (Wu et al. 2021; StylEx, section 4.2.1).

Two statistics of the styles s, one number for each coordinate:

    pooled      (mean of s in the class - mean of s in the others) / standard deviation of all s
    exemplars   mean_i d_i / std_i d_i, where d_i = (s_i - mean of all s) / standard deviation of all s and i are a few
                images of the class: theta_u of Wu et al., section 4, with its sign

The first, a difference of the "values on each of the labels", is how StylEx describes the baseline. The second is the
source's own: it asks for coordinates that are unusual in the class and equally so in every image of it.

A regression has two halves in place of classes: the images whose value is above the median, and the others. What
differs towards the upper half is listed first, then the same towards the lower half.
"""

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

    from sidelight_stylex.attfind.search import SearchInputs
    from sidelight_stylex.params import DifferenceParams


class StylespaceDifference(AttributeFinder):
    """Ranks coordinates by the normalised difference of their values; the classifier is asked for labels only.

    Effects are measured afterwards, for the chosen ones alone, to be compared with AttFind's. `scores` are the
    differences.
    """

    def __init__(
        self,
        params: DifferenceParams,
        *,
        classifier: Classifier,
        generator: Generator,
        data: Data | None = None,
        inverter: Inverter | None = None,
        run: Run,
    ) -> None:
        self._params, self._run = params, run
        self._search = AttributeSearch(params, classifier, generator, data, inverter, run)

    def samples(self) -> Tensor:
        """Samples of the generator, for `latents: samples`: (N, *latent_shape)."""
        return self._search.samples()

    def find(self, latents: Tensor, target: int) -> Attributes:
        """The coordinates by which images of the target differ most from all others, moved towards the target's side.

        Classes are the classifier's, of the data's images as the generator draws them. The target of a
        regression is 0.

        Raises:
            UserError: there is no such class.
        """
        return self._run.cached(("attributes", latents, target), lambda: self._find(latents, target))

    def _find(self, latents: Tensor, target: int) -> Attributes:
        inputs, models = self._search.inputs(latents, target), self._search.models
        reference = to_array(inputs.reference)
        is_target = self._labels(inputs)
        if not len(inputs.rows) or not 0 < is_target.sum() < len(is_target):
            return self._search.no_attributes(inputs)
        if self._params.statistic == "pooled":
            difference = normalised_difference(reference[is_target], reference[~is_target])  # (S,)
        else:
            difference = exemplar_relevance(reference[is_target][: self._params.exemplars], reference)
        styles = inputs.styles[torch.from_numpy(inputs.rows)]
        start = to_array(styles).mean(axis=0)
        signs = (1, -1) if models.is_regression else (1,)
        choices = [choice for sign in signs for choice in self._largest(sign * difference, inputs.ranges, start)]
        if not choices:
            return self._search.no_attributes(inputs)
        before = inputs.logits[inputs.rows]
        effects = StyleEffects(models, styles, inputs.ranges, target, before).of_choices(choices)
        scores = np.abs(difference[[choice.coordinate for choice in choices]]).astype(np.float32)
        return self._search.attributes(inputs, choices, effects, scores=scores)

    def _labels(self, inputs: SearchInputs) -> np.ndarray:
        """(R,) bool by the classifier, of the data as the generator draws it: the target, or above the median value."""
        logits = to_array(self._search.models.logits(inputs.reference))
        if self._search.models.is_regression:
            return np.asarray(logits[:, 0] > np.median(logits[:, 0]))
        return np.asarray(logits.argmax(1) == inputs.target)

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


def exemplar_relevance(exemplars: np.ndarray, population: np.ndarray) -> np.ndarray:
    """mean_i d_i / std_i d_i, d_i = (s_i - mean) / std of (M, S) styles, over N exemplars (N, S); (S,), signed.

    0 where nothing varies in the population, or with a single exemplar.
    """
    spread = population.std(axis=0, dtype=np.float64)
    shifts = exemplars - population.mean(axis=0, dtype=np.float64)
    d = np.divide(shifts, spread, out=np.zeros_like(shifts, dtype=np.float64), where=spread > 1e-6)  # (N, S)
    deviation = d.std(axis=0)
    ratio: np.ndarray = np.divide(d.mean(axis=0), deviation, out=np.zeros_like(deviation), where=deviation > 1e-6)
    return ratio
