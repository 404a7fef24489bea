"""Relevance rank accuracy (Arras et al. 2022): does an explanation rank the pixels of a known region first?

    precision = |top_K(v) in R| / K,  K = |R|                      higher is better
    covering  = min { |top_k(v)| / HW : top_k(v) holds `cover` of R }      lower is better

v is what ranks the pixels, R the region, such as the character that a class bears in `images/printed`. In recipes the
metric is `region-cover`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.results import AttentionGraph, Heatmap, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array

from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.segments import patches, regions_of

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.results.graph import Graph
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_metrics.params import RegionCoverParams


class RelevanceRank(Metric):
    """A region of any shape against the pixels that a heatmap, or the roots of an attention graph, rank first."""

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
        pairs = list(zip(values, masks, strict=True))
        precisions = [precision(map_, mask) for map_, mask in pairs]
        areas = [covering(map_, mask, self._params.cover) for map_, mask in pairs]
        settings = {"region": self._params.region}
        return Measurements(
            items=(
                Measurement(
                    name="largest values in the region",
                    values=np.array(precisions, dtype=np.float32),
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
    """(N, H, W) values that rank the pixels: the heatmap's, or the number of the graph's roots that show a pixel."""
    result = expect_kind(explanation, Heatmap, AttentionGraph)
    if isinstance(result, Heatmap):
        values = result.values
    else:
        values = np.stack([_root_counts(graph, result.grid, shape[1:]) for graph in result.graphs])
    if values.shape != shape:
        raise SidelightError(f"maps of shape {values.shape} do not fit images of shape {shape}")
    return values


def _root_counts(graph: Graph, grid: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """(H, W) number of roots that show each pixel."""
    # patches count as squares here, although the explainer shows them with soft borders (see docs/reference/metrics.md)
    masks = patches(*size, grid[0])
    roots = [node.patches for node in graph.nodes if node.root]
    counts: np.ndarray = np.zeros(size, dtype=np.float32)
    for root in roots:
        counts = counts + masks[list(root)].any(axis=0)
    return counts


def precision(values: np.ndarray, mask: np.ndarray) -> float:
    """Expected share of the region's pixels among the largest values, ties broken by lot; NaN without a region."""
    count = int(mask.sum())
    if not count:
        return float("nan")
    last = np.partition(values.ravel(), -count)[-count]  # the K-th largest value
    above, level = values > last, values == last
    drawn = (count - above.sum()) / level.sum()  # probability that a pixel at this value is among the K
    return float((mask[above].sum() + drawn * mask[level].sum()) / count)


def covering(values: np.ndarray, mask: np.ndarray, cover: float) -> float:
    """Share of the pixels at or above the value down to which `cover` of the region lies; NaN without one."""
    inside = np.sort(values[mask])[::-1]
    if not len(inside):
        return float("nan")
    lowest = inside[int(np.ceil(cover * len(inside))) - 1]
    return float((values >= lowest).mean())
