"""Pointing game, with a window for a point: does an explanation point at a region that is known to decide?

Zhang et al. 2016 (Top-down Neural Attention by Excitation Backprop, section 4.1) count a hit where a heatmap's largest
value lies on the object. Where the cause is a planted region (the square of Feghahati et al. 2020, CDeepEx, section
4.3), a hit is the region itself having the largest sum over all windows of its size:

    score = 1{w* in T} / |T|,  T = argmax_w sum_{p in w} v_p      share of images, higher is better
    mass  = sum_{p in w*} |v_p| / sum_p |v_p|                     relevance mass accuracy, Arras et al. 2022

v is the map of signed change towards the probe (or its magnitude), w* the region's window, T the windows that tie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.results import Counterfactual, Heatmap, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array

from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.segments import regions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_metrics.params import PointingGameParams

ROUNDING = 1e-9  # sums closer than this share of the sum of magnitudes are equal: float32 maps cannot tell them apart


class PointingGame(Metric):
    """Window against window of the region's size, by signed and by absolute values; and the region's relevance mass.

    A failed search scores 0, and so, nearly, does a constant map: among k windows that tie, the one pointed at is
    drawn by lot, which scores 1/k.
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
        maps, valid = change_towards_probe(explanation, to_array(images))
        masks = regions_of("pointing-game", self._data, self._params.split, self._params.region, to_array(images))
        scores = np.array([_scores(values, mask) for values, mask in zip(maps, masks, strict=True)], dtype=np.float32)
        scores[~valid] = (0.0, 0.0, np.nan)  # (N, 3)
        region = {"region": self._params.region}
        games = (
            ("pointing game", "signed difference towards the probe"),
            ("pointing game (magnitude)", "magnitude of the difference"),
        )
        items = [
            Measurement(
                name=name,
                values=scores[:, column],
                better="higher",
                unit="share of images",
                help=f"No window of the region's size holds more of the {what} than the region; k that tie count 1/k.",
                settings=region,
            )
            for column, (name, what) in enumerate(games)
        ]
        mass = Measurement(
            name="mass in the region",
            values=scores[:, 2],
            better="higher",
            unit="share of magnitudes",
            help="Share of the sum of magnitudes that lies in the region (relevance mass accuracy, Arras et al. 2022).",
            settings=region,
        )
        return Measurements(items=(*items, mass))


def change_towards_probe(explanation: Artifact, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed map (N, H, W) of brightness to add (positive) or remove for the probe; (N,) bool, False: no answer.

    For a counterfactual it is the difference to the image. A heatmap's positive values support the class that it
    explains, so they have to be removed, unless that class is the probe (CDeepEx, section 4.1.1); where it only ranks
    pixels, the most important ones are taken as added.
    """
    result = expect_kind(explanation, Counterfactual, Heatmap)
    if isinstance(result, Counterfactual):
        change = (result.images.astype(np.float64) - images).sum(axis=1)  # over channels
        valid = result.converged
    else:
        values = result.values.astype(np.float64)
        change = values if result.answers == "probe" or not result.signed else -values
        valid = np.ones(len(values), dtype=bool) if result.answered is None else result.answered
    if change.shape != (len(images), *images.shape[-2:]):
        raise SidelightError(f"maps of shape {change.shape} do not fit images of shape {images.shape}")
    return change, valid.astype(bool)


def _scores(values: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    """Signed score, score by magnitude, and relevance mass of one map (H, W) and one region (H, W)."""
    corner, sides = rectangle(mask)
    magnitudes = np.abs(values)
    total = magnitudes.sum()
    hits = []
    for kind in (values, magnitudes):
        sums = window_sums(kind, sides)
        ties = sums >= sums.max() - ROUNDING * total  # T
        hits.append(float(ties[corner] / ties.sum()))
    return hits[0], hits[1], float(magnitudes[mask].sum() / total) if total > 0 else float("nan")


def window_sums(values: np.ndarray, sides: Sequence[int]) -> np.ndarray:
    """(H - h + 1, W - w + 1): the sum of every h x w window of (H, W) values, by its top left corner."""
    height, width = sides
    table = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)  # summed-area table, (H + 1, W + 1)
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
