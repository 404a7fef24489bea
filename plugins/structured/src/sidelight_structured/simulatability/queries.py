"""Comparative queries: pairs of occluded versions of an image, of which the classifier still says the class of one.

Shitole et al. 2021, One Explanation is Not Enough, ask users which of two sets of patches N1, N2 that no explanation
shows gets the higher confidence, f_c(N1) > f_c(N2); Li Fuxin et al. 2021, section 4.2, report the result. Hase and
Bansal 2020 call the task counterfactual simulation.

A pair is balanced: both versions show equally many patches and the same area, in exactly one of them the class stays
the classifier's answer, and its probability is clearly higher there. In half of an image's pairs that version is
farther from the baseline, in half the other one: a question is about which parts are visible, not about how much. No
explanation takes part in the drawing, so that all explanations of an image are asked the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.digests import digest_of
from sidelight_specs.results import ComparativeQueries
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches, slices

from sidelight_structured.sag.patches import PatchScores

if TYPE_CHECKING:
    from sidelight_specs.roles import Classifier
    from sidelight_toolkit.batching import Batch

    from sidelight_structured.class_probability import ClassProbability
    from sidelight_structured.params import SimulatabilityParams
    from sidelight_structured.sag.patches import PatchSet

SHARES = np.arange(1, 10) / 10
"""Shares of the patches that versions show: somewhere between, an image goes from lost to kept."""


class QueryDrawer:
    """Draws the pairs of one image after the other.

    Args:
        params: options of the metric.
        classifier: answers about the versions.
        score: f_c of the explained images.
        batch: versions in one pass.
    """

    def __init__(
        self, params: SimulatabilityParams, classifier: Classifier, score: ClassProbability, batch: Batch
    ) -> None:
        self._params, self._classifier, self._score, self._batch = params, classifier, score, batch

    def draw(
        self, image: torch.Tensor, baseline: torch.Tensor, row: int, rng: np.random.Generator
    ) -> ComparativeQueries:
        """At most `queries` pairs of an image (C, H, W) over its baseline; none where no size of set is undecided.

        Args:
            image: in [0, 1], rounded to 8 bits here.
            baseline: (C, H, W), in 8 bits.
            row: index of the image among those of `score`.
            rng: a stream for this image.
        """
        grid = (self._params.grid, self._params.grid)
        patches = PatchScores(image, baseline, grid, self._score, row, self._params.soft)
        predicted = int(self._score.classes[row])
        sets = _random_sets(grid, self._params.soft, self._params.sets, rng)
        logits, detail = self._judged(patches, sets)
        pairs = _pairs(sets, logits, predicted, self._params.margin * patches.full, detail, self._params.queries, rng)
        flat = [sets[index] for pair in pairs for index in pair]
        return self._scored(image, patches, flat, predicted)

    def _judged(self, patches: PatchScores, sets: list[PatchSet]) -> tuple[torch.Tensor, np.ndarray]:
        """(S, K) class logits of versions x, and (S,) their distance from the baseline, sum |x - b|; in batches."""
        nothing = patches.visible([frozenset()])
        logits, details = [], []
        with torch.no_grad():
            for rows in slices(len(sets), self._batch.rows("versions")):
                versions = patches.visible(sets[rows])
                logits.append(in_batches(self._classifier.class_logits, versions, self._batch, "versions"))
                details.append((versions - nothing).abs().sum((1, 2, 3)))
        return torch.cat(logits), to_array(torch.cat(details))

    def _scored(
        self, image: torch.Tensor, patches: PatchScores, sets: list[PatchSet], predicted: int
    ) -> ComparativeQueries:
        """The pairs with the answers to the very pixels that are stored; `sets` holds two for each pair."""
        count, cells = len(sets) // 2, patches.grid[0] * patches.grid[1]
        shape = tuple(image.shape)
        levels = [(patches.visible(sets[i : i + 1]) * 255).round().byte().cpu() for i in range(len(sets))]
        versions = torch.cat(levels) if levels else torch.zeros(0, *shape, dtype=torch.uint8)
        exact = (versions.double() / 255).to(image)  # (2 Q, C, H, W), as a page shows them
        scores = (
            in_batches(self._classifier.class_logits, exact, self._batch, "versions") if count else torch.zeros(0, 1)
        )
        probabilities = scores.softmax(-1)
        visible = np.zeros((2 * count, cells), dtype=bool)
        for mask, chosen in zip(visible, sets, strict=True):
            mask[list(chosen)] = True
        of_class = probabilities[:, predicted] if count else torch.zeros(0)
        answers = to_array(scores.argmax(-1)).reshape(count, 2)
        queries = ComparativeQueries(
            image=(digest_of(image),) * count,
            versions=versions.numpy().reshape(count, 2, *shape),
            visible=visible.reshape(count, 2, cells),
            grid=patches.grid,
            soft=self._params.soft,
            baseline=self._params.baseline,
            predicted=np.full(count, predicted, dtype=np.int64),
            answers=answers,
            probability=np.full(count, patches.full, dtype=np.float32).clip(0, 1),
            probabilities=to_array(of_class).reshape(count, 2),
        )
        # another batch may round the last bit of a tie otherwise
        same = (answers[:, 0] == predicted) & (answers[:, 1] != predicted)
        return queries.select(np.flatnonzero(same))


def _random_sets(grid: tuple[int, int], soft: bool, each: int, rng: np.random.Generator) -> list[PatchSet]:
    """`each` random sets for every share, smallest first; those of one share have the same area to the last pixel.

    A tent at the border has half the area of others, one in a corner a quarter: every set takes the share of each sort.
    """
    rows, columns = np.mgrid[: grid[0], : grid[1]]
    sort = np.isin(rows, (0, grid[0] - 1)).astype(int) + np.isin(columns, (0, grid[1] - 1))  # borders that it lies at
    sorts = [np.flatnonzero(sort == number) for number in np.unique(sort)] if soft else [np.arange(sort.size)]
    sizes = dict.fromkeys(tuple(int(np.rint(share * len(of_sort))) for of_sort in sorts) for share in SHARES)
    return [
        frozenset(
            int(i) for of_sort, count in zip(sorts, counts, strict=True) for i in rng.permutation(of_sort)[:count]
        )
        for counts in sizes
        if 0 < sum(counts) < sort.size
        for _ in range(each)
    ]


def _pairs(
    sets: list[PatchSet],
    logits: torch.Tensor,
    predicted: int,
    margin: float,
    detail: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> list[tuple[int, int]]:
    """At most `count` pairs (kept, lost) of sets of one size, each set in at most one of them.

    The kept version has more detail in every other pair, less in the rest; they end where one sort is used up.

    Args:
        sets: S sets of visible patches.
        logits: (S, K), of the versions that show them.
        predicted: the class X of the whole image.
        margin: least difference of the class's probability.
        detail: (S,), of the versions.
        count: pairs at most.
        rng: a stream for the pairing.
    """
    kept = to_array(logits.argmax(-1) == predicted)  # (S,) bool: the network still says X
    probability = to_array(logits.softmax(-1)[:, predicted])
    sizes = np.array([len(one) for one in sets])
    clear = kept[:, None] & ~kept & (sizes[:, None] == sizes) & (probability[:, None] - probability >= margin)  # (S, S)
    more = detail[:, None] > detail
    sorts = [rng.permutation(np.argwhere(clear & side)).tolist() for side in (more, ~more)]
    pairs: list[tuple[int, int]] = []
    used: set[int] = set()
    begin = int(rng.integers(2))
    while len(pairs) < count:
        sort = sorts[(begin + len(pairs)) % 2]
        while sort and not used.isdisjoint(sort[-1]):
            sort.pop()
        if not sort:
            break
        first, second = sort.pop()
        pairs.append((first, second))
        used |= {first, second}
    return pairs[: len(pairs) // 2 * 2]
