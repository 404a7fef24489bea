"""Consistency of two explanations: other starting points, another generator (Feghahati et al. 2020, section 4.1.3).

    correlation = Pearson's r, over the pixels, of the two maps of signed change towards the probe      higher is better

The paper judges consistency by eye; the correlation is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array

from sidelight_metrics.heatmaps.pointing_game import change_towards_probe

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.params import NoParams
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Explainer
    from torch import Tensor


class Consistency(Metric):
    """Correlation of an explanation with that of the explainer which the recipe names in `needs`."""

    def __init__(self, params: NoParams, *, explainer: Explainer, run: Run) -> None:
        self._params, self._explainer, self._run = params, explainer, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`correlation`: 1 for the explainer itself; NaN where a search failed, or where a map is constant.

        Raises:
            SidelightError: one of the two explanations gives no map of the images.
        """
        # every explainer of the recipe is compared with the same explanation, which is made once
        other = self._run.cached((images, targets), lambda: self._explainer.explain(images, targets))
        maps, valid = change_towards_probe(explanation, to_array(images))
        other_maps, other_valid = change_towards_probe(other, to_array(images))
        values = np.where(valid & other_valid, correlations(maps, other_maps), np.nan)
        item = Measurement(
            name="correlation",
            values=values.astype(np.float32),
            better="higher",
            unit="correlation",
            help="Correlation over the pixels of the signed change towards the probe with that of another explanation; "
            "failed searches left out.",
        )
        return Measurements(items=(item,))


def correlations(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) float64: Pearson's correlation of two (N, H, W) maps over their pixels; NaN where one is constant."""
    one, two = (values.reshape(len(values), -1).astype(np.float64) for values in (maps, others))
    one, two = (values - values.mean(1, keepdims=True) for values in (one, two))
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    result: np.ndarray = np.divide((one * two).sum(1), lengths, out=np.full(len(one), np.nan), where=lengths > 0)
    return result
