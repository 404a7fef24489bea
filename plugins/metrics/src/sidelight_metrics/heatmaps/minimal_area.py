"""The area of the minimal explanation: how little of an image, in a heatmap's order, keeps the prediction.

Li Fuxin et al. 2021, section 4.1, call a set of patches a minimal sufficient explanation when it alone keeps 90% of the
full image's probability; this asks the same of the order in which a heatmap puts the pixels, and compares it with the
sets that a search found (their figure 3a).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import AttentionGraph, Measurement, Measurements
from sidelight_specs.results.graph import LIT
from sidelight_specs.roles import Metric
from sidelight_toolkit.baselines import baseline
from sidelight_toolkit.curves import counts, curve, ranks
from sidelight_toolkit.images import upsample_cells

from sidelight_metrics.heatmaps.ranking import answered_score, checked_heatmap, ranked_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.params import MinimalAreaParams


_POINTS = 50
_ROUNDING = 1e-9


class MinimalArea(Metric):
    """The smallest share of the pixels, most important first, with which the class has most of its probability."""

    def __init__(self, params: MinimalAreaParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`area of the minimal explanation`: 0 where the baseline suffices, 1 where all is needed or none was found.

        Of an attention graph it is the smallest of its sufficient sets. Beside it the area that this lights, which is
        larger where the borders of cells are soft, and for both, with the curve of figure 3a, the share of the images
        for which `share` of the image is enough.

        Raises:
            SidelightError: the explanation is neither an attention graph nor a heatmap of the images' size, or holds
                values that are no numbers.
        """
        if isinstance(explanation, AttentionGraph):
            places, settings = explanation.grid[0] * explanation.grid[1], {"baseline": "the graph's own"}
            size = (images.shape[-2], images.shape[-1])
            areas, lit = np.array(
                [_smallest_set(explanation, graph.sufficient, size) for graph in explanation.graphs]
            ).T
        else:
            places, settings = self._places(images), self._settings()
            areas, lit = np.array(self._areas(explanation, images, targets)).T
        shares = np.linspace(0, 1, min(places, _POINTS) + 1)
        return Measurements(
            items=(
                self._measurement(areas, settings),
                self._within(f"explained by {self._params.share:.0%} of the image", areas, shares, settings),
                self._lit(lit, settings),
                self._within(f"explained by {self._params.share:.0%} lit", lit, shares, settings),
            )
        )

    def _areas(self, explanation: Artifact, images: Tensor, targets: Targets) -> list[tuple[float, float]]:
        """Of each image the share of the cells that is needed, and the share of the pixels that these light."""
        heatmap = checked_heatmap(explanation, images)
        values, batch = ranked_values(heatmap, self._params.cells), self._params.batch
        areas = []
        for row in self._run.progress(range(len(images)), "area of the minimal explanation"):
            score = answered_score(self._classifier, heatmap, targets, row, "softmax", batch)
            areas.append(self._area(score, images[row], values[row]))
        return areas

    def _places(self, images: Tensor) -> int:
        cells = self._params.cells
        return cells * cells if cells else images.shape[-2] * images.shape[-1]

    def _settings(self) -> dict[str, str]:
        return {"baseline": self._params.baseline, "threshold": f"{self._params.threshold:g}"}

    def _area(self, score: Callable[[Tensor], np.ndarray], image: Tensor, values: np.ndarray) -> tuple[float, float]:
        absent = baseline(image[None], self._params.baseline)[0]
        order = torch.from_numpy(ranks(values)).to(image.device)

        def inserted(taken: np.ndarray) -> np.ndarray:
            points = torch.from_numpy(taken).to(image.device)
            return curve(score, absent, image, order, points, self._params.batch)

        count = smallest(inserted, values.size, self._params.step, self._params.threshold)
        shown = (order < count)[None, None].to(image)
        lit = upsample_cells(shown, (image.shape[-2], image.shape[-1])) > LIT
        return count / values.size, float(lit.float().mean())

    def _measurement(self, areas: np.ndarray, settings: dict[str, str]) -> Measurement:
        return Measurement(
            name="area of the minimal explanation",
            values=areas.astype(np.float32),
            better="lower",
            unit="share of the image",
            help=f"Smallest share of the image, most important first, that alone reaches {self._params.threshold:.0%} "
            "of the full image's probability; of a graph, its smallest set.",
            settings=settings,
        )

    def _lit(self, lit: np.ndarray, settings: dict[str, str]) -> Measurement:
        return Measurement(
            name="lit area of the minimal explanation",
            values=lit.astype(np.float32),
            better="lower",
            unit="share of the pixels",
            help=f"Share of the pixels to which the image gives more than {LIT:.0%} in that explanation: soft cells "
            "light more than their squares.",
            settings=settings,
        )

    def _within(self, name: str, areas: np.ndarray, shares: np.ndarray, settings: dict[str, str]) -> Measurement:
        share = self._params.share
        return Measurement(
            name=name,
            values=(areas <= share).astype(np.float32),
            better="higher",
            unit="share of images",
            help=f"Share of the images whose minimal explanation takes (lights) at most {share:.0%} of the image. "
            "The curve says it of any share.",
            settings=settings,
            curve_x=shares.astype(np.float32),
            curve_y=(areas[:, None] <= shares + _ROUNDING).astype(np.float32),
            curve_of="share of the image that is shown",
        )


def _smallest_set(
    graph: AttentionGraph, sufficient: tuple[tuple[int, ...], ...], size: tuple[int, int]
) -> tuple[float, float]:
    """Share of the patches, and of the pixels lit, of the sufficient set with the fewest patches; 1 without one."""
    least = min(map(len, sufficient), default=0)
    lit = [graph.lit_area(patches, size) for patches in sufficient if len(patches) == least]
    return (least / (graph.grid[0] * graph.grid[1]), min(lit)) if lit else (1.0, 1.0)


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
