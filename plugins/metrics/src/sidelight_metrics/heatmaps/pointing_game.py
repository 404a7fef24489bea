"""Whether an explanation points at a region that is known to decide: the pointing game, with a window for a point.

Zhang et al. 2016 (Top-down Neural Attention by Excitation Backprop) ask whether a heatmap's largest value lies on the
object. Where the true cause is a planted region (the square of Feghahati et al. 2020, CDeepEx, section 4.3), the
question is whether the heatmap's largest sum over a window of that size lies exactly on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.results import Counterfactual, Heatmap, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array

from sidelight_metrics.segments import regions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_metrics.params import PointingGameParams

ROUNDING = 1e-9
"""Sums closer than this share of the sum of magnitudes are equal: float32 maps cannot tell them apart."""


class PointingGame(Metric):
    """Window against window of the region's size, by signed and by absolute values; and the region's share of all.

    A search that failed scores 0, and so, nearly, does a map that is the same everywhere: where several windows tie,
    the one that it points at is taken to be drawn among them.
    """

    def __init__(self, params: PointingGameParams, *, data: Data, run: Run) -> None:
        self._params, self._data, self._run = params, data, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`pointing game`, `pointing game (magnitude)` and `mass in the region`.

        Raises:
            UserError: the data's split lacks the explained images or the region.
            SidelightError: the region is not a filled rectangle, or the explanation gives no map of the images.
        """
        del targets
        maps, answered = change_towards_probe(explanation, to_array(images))
        masks = regions_of("pointing-game", self._data, self._params.split, self._params.region, to_array(images))
        scores = np.array([_scores(values, mask) for values, mask in zip(maps, masks, strict=True)], dtype=np.float32)
        scores[~answered] = (0.0, 0.0, np.nan)
        return Measurements(items=tuple(self._items(scores)))

    def _items(self, scores: np.ndarray) -> list[Measurement]:
        region = {"region": self._params.region}
        words = ("signed difference towards the probe", "magnitude of the difference")
        games = [
            Measurement(
                name=name,
                values=scores[:, column],
                better="higher",
                unit="share of images",
                help=f"No window of the region's size holds more of the {what} than the region; k that tie count 1/k.",
                settings=region,
            )
            for column, (name, what) in enumerate(
                zip(("pointing game", "pointing game (magnitude)"), words, strict=True)
            )
        ]
        mass = Measurement(
            name="mass in the region",
            values=scores[:, 2],
            better="higher",
            unit="share of magnitudes",
            help="Share of the sum of magnitudes that lies in the region (relevance mass accuracy, Arras et al. 2022).",
            settings=region,
        )
        return [*games, mass]


def change_towards_probe(explanation: Artifact, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What has to come (positive) and to go (negative) for the probe, (N, H, W); and (N,) bool, who has an answer.

    A counterfactual says it by its difference to the image. A heatmap's positive values speak for the class that it
    answers, so that they have to go, unless it answers the probe (CDeepEx, section 4.1.1, imposes them so); where it
    only ranks pixels, the most important ones are taken to come.
    """
    if isinstance(explanation, Counterfactual):
        change = (explanation.images.astype(np.float64) - images).sum(axis=1)
        answered = explanation.converged
    elif isinstance(explanation, Heatmap):
        values = explanation.values.astype(np.float64)
        change = values if explanation.answers == "probe" or not explanation.signed else -values
        answered = np.ones(len(values), dtype=bool)
    else:
        raise SidelightError(f"this metric measures heatmaps and counterfactuals, not a {explanation.kind!r}")
    if change.shape != (len(images), *images.shape[-2:]):
        raise SidelightError(f"maps of shape {change.shape} do not fit images of shape {images.shape}")
    return change, answered.astype(bool)


def _scores(values: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    (top, left), sides = rectangle(mask)
    amounts = np.abs(values)
    total = amounts.sum()
    hits = [_drawn(window_sums(kind, sides), (top, left), ROUNDING * total) for kind in (values, amounts)]
    return hits[0], hits[1], float(amounts[mask].sum() / total) if total > 0 else float("nan")


def _drawn(sums: np.ndarray, place: tuple[int, int], rounding: float) -> float:
    """How likely the window at `place` is drawn among those with the largest sum."""
    largest = sums >= sums.max() - rounding
    return float(largest[place] / largest.sum())


def window_sums(values: np.ndarray, sides: Sequence[int]) -> np.ndarray:
    """(H - h + 1, W - w + 1): the sum of every h x w window of (H, W) values, by its top left corner."""
    height, width = sides
    table = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    sums: np.ndarray = (
        table[height:, width:] - table[:-height, width:] - table[height:, :-width] + table[:-height, :-width]
    )
    return sums


def rectangle(mask: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """Top left corner and (height, width) of a mask (H, W) that is a filled rectangle.

    Raises:
        SidelightError: it is empty, or of another shape.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    sides = (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1) if len(rows) else (0, 0)
    if not len(rows) or mask.sum() != sides[0] * sides[1]:
        raise SidelightError("pointing-game needs a region that is a filled rectangle")
    return (int(rows[0]), int(columns[0])), sides
