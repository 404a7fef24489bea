"""Use of a factor by where an explanation points: its mass in the factor's region, against the region's area.

    q_p    = m_p / sum_q m_q                          share of the explanation's mass at pixel p
    mass   = sum_p q_p w_p,   area = mean_p w_p       of the region w (`regions`)
    use    = (mass - area) / max(area, 1 - area)

use is 0 of a map that says nothing special: uniform, 0 everywhere, and on average of noise, because it is linear in the
mass. It lies between -1 and 1; no map has more than one that lies wholly in the region, as the region's own mask does,
which has 1 where the region is at most half of the image. Other corrections for chance fail: the logarithm of
mass / area is endless for a map that avoids the region, Cohen's kappa, (mass - area) / (1 - area), falls to -11 for a
background of .92, and a scale of its own below 0 makes noise negative in small regions.

m is |v| of a signed heatmap, because evidence against a class is use as well, and v - min v of one that only ranks. Of
an attention graph it is how often its roots show a pixel; of concepts the |heatmap| of each, which are weighted by
their |contribution|.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sidelight_specs.results import AttentionGraph, Concepts, Heatmap


def excess_mass(maps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N,) use of (N, H, W) maps, none negative, for (N, H, W) regions; NaN of an image without a region."""
    maps, weights = maps.astype(np.float64), weights.astype(np.float64)
    total, area = maps.sum(axis=(1, 2)), weights.mean(axis=(1, 2))
    mass = np.divide((maps * weights).sum(axis=(1, 2)), total, out=area.copy(), where=total > 0)
    is_region = (weights.max(axis=(1, 2)) > 0) & (area < 1)
    use: np.ndarray = np.where(is_region, (mass - area) / np.maximum(area, 1 - area), np.nan)
    return use


def heatmap_mass(heatmap: Heatmap) -> np.ndarray:
    """(N, H, W) m of heatmaps."""
    values = heatmap.values
    mass: np.ndarray = np.abs(values) if heatmap.signed else values - values.min(axis=(1, 2), keepdims=True)
    return mass


def graph_mass(graphs: AttentionGraph, size: tuple[int, int]) -> np.ndarray:
    """(N, H, W) m of attention graphs: the mean over the roots of the mask that was scored."""
    maps = np.zeros((len(graphs.graphs), *size), np.float32)
    for index, graph in enumerate(graphs.graphs):
        roots = [node.patches for node in graph.nodes if node.root]
        for patches in roots:
            maps[index] += graphs.alpha(patches, size) / len(roots)
    return maps


def concept_use(concepts: Concepts, weights: np.ndarray) -> np.ndarray:
    """(N,) mean of the concepts' use, each weighted by what its ablation takes from the score; 0 where that is nothing.

    Args:
        concepts: with heatmaps.
        weights: (N, H, W) regions.
    """
    assert concepts.heatmaps is not None
    effects = np.abs(concepts.contributions).astype(np.float64)  # of the ablation of each concept, (N, n)
    uses = np.stack([excess_mass(np.abs(maps), weights) for maps in concepts.heatmaps.swapaxes(0, 1)], axis=1)  # (N, n)
    return weighted_mean(uses, effects)


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N,) mean over the second axis of (N, n) values; 0 where all weights are 0."""
    total = weights.sum(axis=1)
    mean: np.ndarray = np.divide((values * weights).sum(axis=1), total, out=np.zeros(len(total)), where=total > 0)
    return mean
