"""Agreement of maps: rank correlation over cells of where two explanations of one image put their weight.

    r[a, b, n] = Spearman's rho over the cells of image n of |map a| and |map b|     1 the same order, 0 unrelated

Signs are left out, because maps answer different sides of the question; cells, because a map of single pixels and one
of a coarse layer would disagree by their resolution alone. Agreement is no evidence that maps are right: nothing here
knows what the classifier uses (heuristic). Rank correlation of saliency maps: Adebayo et al. 2018, section 3.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs.results import Counterfactual, Heatmap

from sidelight_report.encoding import number, numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results import Explanation, Results

CELLS = 16  # along a side, at most: finer than most layers of a network, coarser than the noise of gradients
MOST_IMAGES = 500  # compared; the first ones of a larger run


@attrs.frozen(eq=False)
class Agreement:
    """Rank correlations between the maps of one run.

    Args:
        names: explainer ids, E of them.
        rho: (N, E, E) float64; NaN where one of two maps is constant or missing.
        different: mean over pairs of two explainers on two different images, each beside the next one: what of `rho`
            comes from where things usually are; NaN for one image.
    """

    names: tuple[str, ...]
    rho: np.ndarray
    different: float

    @property
    def of_images(self) -> np.ndarray:
        """(N,) mean over the pairs; NaN where no pair compares."""
        upper = np.triu_indices(len(self.names), 1)
        return _mean(self.rho[:, upper[0], upper[1]], 1)

    def pairs(self) -> list[tuple[str, str, float]]:
        """Pairs with their mean over images, those that agree most first."""
        means = _mean(self.rho, 0)
        found = [(self.names[a], self.names[b], float(means[a, b])) for a, b in combinations(range(len(self.names)), 2)]
        return sorted((pair for pair in found if np.isfinite(pair[2])), key=lambda pair: -pair[2])

    def least(self, row: int) -> tuple[str, str]:
        """The two that agree least on one image."""
        upper = [(a, b) for a, b in combinations(range(len(self.names)), 2) if np.isfinite(self.rho[row, a, b])]
        a, b = min(upper, key=lambda pair: self.rho[row, pair[0], pair[1]])
        return self.names[a], self.names[b]


def agreement(results: Results) -> Agreement | None:
    """Agreement of all heatmaps and changes of counterfactuals; None for fewer than two of them."""
    explanations = {
        key: value for key, value in results.explanations.items() if isinstance(value, Heatmap | Counterfactual)
    }
    if len(explanations) < 2:
        return None
    count = min(len(results.targets), MOST_IMAGES)
    images = results.split.images
    cells = np.prod([min(size, CELLS) for size in images.shape[-2:]], dtype=int)
    orders = np.full((count, len(explanations), cells), np.nan)  # centred ranks of length 1
    for place, value in enumerate(explanations.values()):
        for row in range(count):
            weights = _weights(value, images, row)
            if weights is not None:
                orders[row, place] = _order(weights)
        results.let_go()
    rho = np.einsum("nac,nbc->nab", orders, orders)
    rows, others = _different(results.split.ids[:count] or tuple(map(str, range(count))))
    shifted = np.einsum("nac,nbc->nab", orders[rows], orders[others])[:, ~np.eye(len(explanations), dtype=bool)]
    return Agreement(tuple(explanations), rho, float(_mean(shifted.ravel(), 0)))


def _different(ids: Sequence[str]) -> tuple[list[int], list[int]]:
    """Rows, and for each the next row, in a circle, of another image: one image may have several questions."""
    count = len(ids)
    circles = ([(row + step) % count for step in range(1, count)] for row in range(count))
    following = [next((other for other in circle if ids[other] != ids[row]), -1) for row, circle in enumerate(circles)]
    rows = [row for row in range(count) if following[row] >= 0]
    return rows, [following[row] for row in rows]


def agreement_table(found: Agreement | None) -> dict[str, Any] | None:
    """Mean rank correlation of each pair of explainers, for the page."""
    if found is None or not found.pairs():
        return None
    return {
        "names": list(found.names),
        "rho": [numbers(row, 3) for row in _mean(found.rho, 0)],
        "different": number(found.different, 3),
        "images": len(found.rho),
    }


def _weights(explanation: Explanation, images: np.ndarray, row: int) -> np.ndarray | None:
    """(H, W) magnitudes of a map; None where there is no answer."""
    if not explanation.has_answer(row):
        return None
    if isinstance(explanation, Counterfactual):
        return np.asarray(np.abs(explanation.images[row] - images[row]).mean(0)) if explanation.converged[row] else None
    assert isinstance(explanation, Heatmap)
    return np.asarray(np.abs(explanation.values[row]))


def _order(weights: np.ndarray) -> np.ndarray:
    """Ranks of the cells' means, centred and of length 1, so that products are Spearman's rho; NaN for constants."""
    ranks = _ranks(_cells(weights))
    ranks -= ranks.mean()
    length = float(np.linalg.norm(ranks))
    return ranks / length if length > 0 else np.full_like(ranks, np.nan)


def _cells(weights: np.ndarray) -> np.ndarray:
    """(cells,) means of an (H, W) map over at most `CELLS` x `CELLS` cells."""
    rows, columns = (np.arange(size) * min(size, CELLS) // size for size in weights.shape)
    sums = np.zeros((rows[-1] + 1, columns[-1] + 1))
    np.add.at(sums, (rows[:, None], columns[None]), weights.astype(np.float64))
    return (sums / np.outer(np.bincount(rows), np.bincount(columns))).ravel()


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0; equal values share the mean of theirs."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    means = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(means[index.ravel()], dtype=np.float64)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the finite values along an axis; NaN without any."""
    finite = np.isfinite(values)
    counts = finite.sum(axis)
    return np.where(counts > 0, np.where(finite, values, 0).sum(axis) / np.maximum(counts, 1), np.nan)
