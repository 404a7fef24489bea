"""The area of the minimal explanation: how little of an image, in a heatmap's order, keeps the prediction.

Li Fuxin et al. 2021, section 4.1, call a set of patches a minimal sufficient explanation when it alone keeps 90% of the
full image's probability; this asks the same of the order in which a heatmap puts the pixels (their figure 3a).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.baselines import baseline

from sidelight_metrics.curves import counts, curve, ranks
from sidelight_metrics.heatmaps import answered_score, checked_heatmap, ranked_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics._params import MinimalAreaParams


class MinimalArea(Metric):
    """The smallest share of the pixels, most important first, with which the class has most of its probability."""

    def __init__(self, params: MinimalAreaParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`area of the minimal explanation`: 0 where the baseline suffices, 1 where all is needed.

        Raises:
            SidelightError: the explanation is no heatmap of the images' size, or holds values that are no numbers.
        """
        heatmap = checked_heatmap(explanation, images)
        values, batch = ranked_values(heatmap, self._params.cells), self._params.batch
        areas = []
        for row in self._run.progress(range(len(images)), "area of the minimal explanation"):
            score = answered_score(self._classifier, heatmap, targets, row, "softmax", batch)
            areas.append(self._area(score, images[row], values[row]))
        return Measurements(items=(self._measurement(areas),))

    def _area(self, score: Callable[[Tensor], np.ndarray], image: Tensor, values: np.ndarray) -> float:
        absent = baseline(image[None], self._params.baseline)[0]
        order = torch.from_numpy(ranks(values)).to(image.device)

        def inserted(taken: np.ndarray) -> np.ndarray:
            points = torch.from_numpy(taken).to(image.device)
            return curve(score, absent, image, order, points, self._params.batch)

        return smallest(inserted, values.size, self._params.step, self._params.threshold) / values.size

    def _measurement(self, areas: list[float]) -> Measurement:
        return Measurement(
            name="area of the minimal explanation",
            values=np.array(areas, dtype=np.float32),
            better="lower",
            unit="share of the image",
            help="Smallest share of the pixels, most important first, that alone reach "
            f"{self._params.threshold:.0%} of the full image's probability.",
            settings={"baseline": self._params.baseline, "threshold": f"{self._params.threshold:g}"},
        )


def smallest(inserted: Callable[[np.ndarray], np.ndarray], places: int, step: float, threshold: float) -> int:
    """How many of `places` are needed at least.

    The first point of a curve in steps at which the score is high enough, then halved down to one place or to a
    twentieth of a step; within a step the score is taken to rise.

    Args:
        inserted: (T,) numbers of places to (T,) scores.
        places: all of them; their score is the full image's.
        step: share of the places between two points of the curve.
        threshold: share of the full image's score.
    """
    taken = counts(places, step)
    scores = inserted(taken)
    enough = threshold * scores[-1]
    first = int((scores >= enough).argmax())
    if first == 0:
        return 0
    low, high = int(taken[first - 1]), int(taken[first])
    while high - low > max(1.0, step * places / 20):
        middle = (low + high) // 2
        low, high = (low, middle) if inserted(np.array([middle]))[0] >= enough else (middle, high)
    return high
