"""Area of the minimal explanation (Li Fuxin et al. 2021, From Heatmaps to Structured Explanations, section 4.1).

    area = min { |m| / |x| : p(b + m (x - b)) >= threshold * p(x) },  m in the heatmap's order       lower is better

x is the image, b the baseline, p the probability of the explained class. The paper calls a set of patches a minimal
sufficient explanation when it alone keeps 90 % of the full image's probability; here the set grows in the order of a
heatmap, or is the smallest that a search put into an attention graph (figure 3a compares the two).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import AttentionGraph, Measurement, Measurements
from sidelight_specs.results.graph import LIT
from sidelight_specs.roles import Metric
from sidelight_toolkit.baselines import baseline
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.curves import counts, curve, ranks
from sidelight_toolkit.images import upsample_cells
from sidelight_toolkit.options import IMAGES_ON_CPU

from sidelight_metrics.heatmaps.ranking import checked_heatmap, explained_score, ranked_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.params import MinimalAreaParams


_POINTS = 50  # of the curve of figure 3a; fewer where the grid has fewer cells
_ROUNDING = 1e-9  # an area of 1/49 is at most 1/49, whatever the rounding of linspace
_REFINED = 20  # halving ends at a twentieth of a step


class MinimalArea(Metric):
    """Smallest share of the pixels, most important first, with which the class keeps most of its probability."""

    def __init__(self, params: MinimalAreaParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`area of the minimal explanation`: 0 where the baseline suffices, 1 where all is needed or no set is known.

        Beside it the area that it lights, which is larger where the borders of cells are soft; and for both the share
        of the images for which `share` of the image is enough, with the curve of figure 3a.

        Raises:
            SidelightError: the explanation is neither an attention graph nor a finite heatmap of the images' size.
        """
        if isinstance(explanation, AttentionGraph):
            cells, settings = explanation.grid[0] * explanation.grid[1], {"baseline": "the graph's own"}
            size = (images.shape[-2], images.shape[-1])
            pairs = [_smallest_set(explanation, graph.sufficient, size) for graph in explanation.graphs]
        else:
            side = self._params.cells
            cells = side * side if side else images.shape[-2] * images.shape[-1]
            settings = {"baseline": self._params.baseline, "threshold": f"{self._params.threshold:g}"}
            pairs = self._areas(explanation, images, targets)
        areas, lit = np.array(pairs).T  # (N,) each
        axis = np.linspace(0, 1, min(cells, _POINTS) + 1)
        share = f"{self._params.share:.0%}"
        kinds = (
            (
                "area",
                areas,
                "share of the image",
                "Smallest share of the image, most important first, that alone reaches "
                f"{self._params.threshold:.0%} of the full image's probability; of a graph, its smallest set.",
                f"explained by {share} of the image",
            ),
            (
                "lit area",
                lit,
                "share of the pixels",
                f"Share of the pixels that show more than {LIT:.0%} of the image in that explanation: soft cells light "
                "more than their squares.",
                f"explained by {share} lit",
            ),
        )
        return Measurements(items=tuple(item for kind in kinds for item in self._items(*kind, axis, settings)))

    def _items(
        self,
        name: str,
        areas: np.ndarray,
        unit: str,
        text: str,
        explained: str,
        axis: np.ndarray,
        settings: dict[str, str],
    ) -> tuple[Measurement, Measurement]:
        """An area, and the share of the images for which `share` of the image is enough."""
        share = self._params.share
        area = Measurement(
            name=f"{name} of the minimal explanation",
            values=areas.astype(np.float32),
            better="lower",
            unit=unit,
            help=text,
            settings=settings,
        )
        enough = Measurement(
            name=explained,
            values=(areas <= share).astype(np.float32),
            better="higher",
            unit="share of images",
            help=f"Share of the images whose minimal explanation takes (lights) at most {share:.0%} of the image. "
            "The curve says it of any share.",
            settings=settings,
            curve_x=axis.astype(np.float32),
            curve_y=(areas[:, None] <= axis + _ROUNDING).astype(np.float32),  # (N, T), figure 3a before the mean
            curve_of="share of the image that is shown",
        )
        return area, enough

    def _areas(self, explanation: Artifact, images: Tensor, targets: Targets) -> list[tuple[float, float]]:
        """For each image the share of the cells that is needed, and the share of the pixels that they light."""
        heatmap = checked_heatmap(explanation, images)
        values = ranked_values(heatmap, self._params.cells)

        def area(row: int, batch: int) -> tuple[float, float]:
            score = explained_score(self._classifier, heatmap, targets, row, "softmax", batch)
            return self._area(score, images[row], values[row], batch)

        rows = self._run.progress(range(len(images)), "area of the minimal explanation")
        return [self._batch.call(partial(area, row), "area") for row in rows]

    def _area(
        self, score: Callable[[Tensor], np.ndarray], image: Tensor, values: np.ndarray, batch: int
    ) -> tuple[float, float]:
        hidden = baseline(image[None], self._params.baseline)[0]
        order = torch.from_numpy(ranks(values)).to(image.device)

        def inserted(taken: np.ndarray) -> np.ndarray:
            points = torch.from_numpy(taken).to(image.device)
            return curve(score, hidden, image, order, points, batch)

        count = smallest(inserted, values.size, self._params.step, self._params.threshold)
        mask = (order < count)[None, None].to(image)  # (1, 1, h, w)
        lit = upsample_cells(mask, (image.shape[-2], image.shape[-1])) > LIT
        return count / values.size, float(lit.float().mean())


def _smallest_set(
    graph: AttentionGraph, sufficient: tuple[tuple[int, ...], ...], size: tuple[int, int]
) -> tuple[float, float]:
    """Share of the patches, and of the pixels lit, of the sufficient set with the fewest patches; 1 without one."""
    fewest = min(map(len, sufficient), default=0)
    lit = [graph.lit_area(patches, size) for patches in sufficient if len(patches) == fewest]
    return (fewest / (graph.grid[0] * graph.grid[1]), min(lit)) if lit else (1.0, 1.0)


def smallest(inserted: Callable[[np.ndarray], np.ndarray], cells: int, step: float, threshold: float) -> int:
    """Fewest cells whose score reaches the threshold.

    The first point of a curve in steps at which the score is high enough, then refined by halving to one cell or to a
    twentieth of a step; within a step the score is taken to rise.

    Args:
        inserted: (T,) numbers of cells to (T,) scores.
        cells: all of them; their score is the full image's.
        step: share of the cells between two points of the curve.
        threshold: share of the full image's score.
    """
    taken = counts(cells, step)
    scores = inserted(taken)
    enough = threshold * scores[-1]
    first = int((scores >= enough).argmax())
    if first == 0:
        return 0  # the baseline alone suffices
    low, high = int(taken[first - 1]), int(taken[first])
    while high - low > max(1.0, step * cells / _REFINED):
        middle = (low + high) // 2
        low, high = (low, middle) if inserted(np.array([middle]))[0] >= enough else (middle, high)
    return high
