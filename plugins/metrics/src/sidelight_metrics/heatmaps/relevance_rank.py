"""How precisely an explanation marks a region that is known to decide, as a printed character that a class bears."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.results import AttentionGraph, Heatmap, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array

from sidelight_metrics.segments import patches, regions_of

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.results.graph import Graph
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_metrics.params import RegionCoverParams


class RegionCover(Metric):
    """A region of any shape against the pixels that a heatmap or the roots of an attention graph put first."""

    def __init__(self, params: RegionCoverParams, *, data: Data, run: Run) -> None:
        self._params, self._data, self._run = params, data, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`largest values in the region` and `area that covers the region`; NaN where an image has no region.

        Raises:
            UserError: the data's split lacks the explained images or the region.
            SidelightError: the explanation is neither a heatmap nor an attention graph of these images.
        """
        del targets
        values = importance(explanation, (len(images), images.shape[-2], images.shape[-1]))
        masks = regions_of("region-cover", self._data, self._params.split, self._params.region, to_array(images))
        found = [precision(map_, mask) for map_, mask in zip(values, masks, strict=True)]
        areas = [covering(map_, mask, self._params.cover) for map_, mask in zip(values, masks, strict=True)]
        settings = {"region": self._params.region}
        return Measurements(
            items=(
                Measurement(
                    name="largest values in the region",
                    values=np.array(found, dtype=np.float32),
                    better="higher",
                    unit="share of the region's area",
                    help="Of as many largest values as the region has pixels, the share inside it; ties count in part.",
                    settings=settings,
                ),
                Measurement(
                    name="area that covers the region",
                    values=np.array(areas, dtype=np.float32),
                    better="lower",
                    unit="share of the image",
                    help="Share of the pixels, most important first and with all that tie, until "
                    f"{self._params.cover:.0%} of the region are among them.",
                    settings=settings,
                ),
            )
        )


def importance(explanation: Artifact, shape: tuple[int, int, int]) -> np.ndarray:
    """(N, H, W) what ranks the pixels: a heatmap's values, or how many roots of the graph show a pixel."""
    if isinstance(explanation, Heatmap):
        values = explanation.values
    elif isinstance(explanation, AttentionGraph):
        values = np.stack([_shown(graph, explanation.grid, shape[1:]) for graph in explanation.graphs])
    else:
        raise SidelightError(f"this metric measures heatmaps and attention graphs, not a {explanation.kind!r}")
    if values.shape != shape:
        raise SidelightError(f"maps of shape {values.shape} do not fit images of shape {shape}")
    return values


def _shown(graph: Graph, grid: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """(H, W) the number of roots that show each pixel."""
    masks = patches(*size, grid[0])
    roots = [node.patches for node in graph.nodes if node.root]
    counts: np.ndarray = np.zeros(size, dtype=np.float32)
    for root in roots:
        counts = counts + masks[list(root)].any(axis=0)
    return counts


def precision(values: np.ndarray, mask: np.ndarray) -> float:
    """The expected share of the region's pixels among the largest values, ties broken by lot; NaN without a region."""
    count = int(mask.sum())
    if not count:
        return float("nan")
    last = np.partition(values.ravel(), -count)[-count]
    above, level = values > last, values == last
    drawn = (count - above.sum()) / level.sum()
    return float((mask[above].sum() + drawn * mask[level].sum()) / count)


def covering(values: np.ndarray, mask: np.ndarray, cover: float) -> float:
    """Share of the pixels that are as large as the value down to which `cover` of the region lies; NaN without one."""
    inside = np.sort(values[mask])[::-1]
    if not len(inside):
        return float("nan")
    lowest = inside[int(np.ceil(cover * len(inside))) - 1]
    return float((values >= lowest).mean())
