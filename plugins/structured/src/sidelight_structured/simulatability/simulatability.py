"""Metric `simulatability`: comparative queries answered from an explanation alone, and without any.

Doshi-Velez and Kim 2017 and Hase and Bansal 2020 ask whether a person who sees an explanation can predict the
classifier's answer to a changed input. Here a rule reads each kind of explanation in the place of a person, which shows
that the queries can be answered from it; three rules that see no explanation show what the queries give away by
themselves (`area` and `detail` nothing, by the way in which queries are drawn). The renderer `report/user-study` asks
people the same queries.

M is the mask of a version, 1 where it shows the image. The version that a rule puts higher is its answer:

    attention graph   max over the roots S of |S visible| / |S|, then their mean     (1: a sufficient set is whole)
    heatmap           sum of M h                                                     (h: the heatmap)
    counterfactual    sum of M |x' - x|                                              (x': the changed image)
    area              sum of M
    centre            sum of M g                                                     (g: a Gaussian in the middle)
    detail            sum of M |x - b|                                               (b: the baseline)
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import SidelightError, UserError
from sidelight_specs.digests import digest_of
from sidelight_specs.results import (
    AttentionGraph,
    ComparativeQueries,
    Counterfactual,
    Heatmap,
    Measurement,
    Measurements,
)
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.baselines import baseline
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.images import upsample_cells
from sidelight_toolkit.options import IMAGES_ON_CPU

from sidelight_structured.class_probability import ClassProbability
from sidelight_structured.igos.baseline import checked_baseline, fixed_baseline, list_images
from sidelight_structured.sag.patches import eight_bit
from sidelight_structured.simulatability.queries import QueryDrawer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Graph, Targets
    from sidelight_specs.roles import Classifier

    from sidelight_structured.params import SimulatabilityParams

    Rule: TypeAlias = Callable[[ComparativeQueries, int], np.ndarray]
    """The queries (Q) of image `row` to scores (Q, 2, ...) of their versions, compared from the left."""

CENTRE = 0.25
"""Standard deviation of the Gaussian of the rule `centre`, in sides of the image."""
DIGITS = 9
"""Sums and means that differ less are equal: float64 rounds the same values in another order otherwise."""
KINDS = ("attention-graph", "heatmap", "counterfactual")


class Simulatability(Metric):
    """Share of the queries about occluded versions that a rule answers from the explanation, and emits the queries."""

    def __init__(self, params: SimulatabilityParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def measure(self, explanation: Artifact, images: torch.Tensor, targets: Targets) -> Measurements:
        """Share of right answers for each image, from the explanation and from three properties of the versions.

        Raises:
            UserError: the explanation is about the class asked about, its patches are others, or nothing can be asked.
        """
        reader = self._reader(explanation, images)
        hidden = self._baselines(images, targets)
        queries = self._queries(images, hidden, targets)
        if not any(map(len, queries)):
            raise UserError(
                "no image has two versions of which one keeps the class and the other does not",
                "raise `sets`, lower `margin`, or choose another `baseline`",
            )
        self._run.emit("queries", ComparativeQueries.joined([one for one in queries if len(one)]))
        empty = [row for row, one in enumerate(queries) if not len(one)]
        if empty:
            self._run.warn(
                f"simulatability: nothing is asked about {list_images(empty)}: no two versions with equally many "
                "patches differ in the answer"
            )
        rules = {"the explanation": reader} | _rules_without_explanation(images, hidden)
        values = {name: [_right(one, rule, row) for row, one in enumerate(queries)] for name, rule in rules.items()}
        return Measurements(items=tuple(self._item(name, scores, queries) for name, scores in values.items()))

    def _baselines(self, images: torch.Tensor, targets: Targets) -> torch.Tensor:
        """Baseline that hides patches, (N, C, H, W) in 8 bits: as `structured/sag` with the same options."""
        p, images = self._params, eight_bit(images)
        score = ClassProbability(self._classifier, torch.from_numpy(targets.predicted).to(images.device), self._batch)
        if p.baseline == "blur":
            return eight_bit(checked_baseline(images, score, p.kernel, p.sigma, p.baseline_limit).images)
        return eight_bit(fixed_baseline(images, baseline(images, p.baseline), score, p.baseline_limit).images)

    def _queries(self, images: torch.Tensor, hidden: torch.Tensor, targets: Targets) -> list[ComparativeQueries]:
        """The queries of each image: they follow from it, the class, the options and the seed, not from its row."""
        classes = torch.from_numpy(targets.predicted).to(images.device)
        drawer = QueryDrawer(
            self._params, self._classifier, ClassProbability(self._classifier, classes, 1), self._batch
        )
        result = []
        for row in self._run.progress(range(len(images)), "drawing queries"):
            predicted = int(targets.predicted[row])
            rng = self._run.rng(f"queries {digest_of([images[row], predicted])}")
            draw = partial(drawer.draw, images[row], hidden[row], row, rng)
            result.append(self._run.cached(["queries", images[row], hidden[row], predicted], draw))
        return result

    def _reader(self, explanation: Artifact, images: torch.Tensor) -> Rule:
        """The rule that reads this kind of explanation."""
        if not isinstance(explanation, AttentionGraph | Heatmap | Counterfactual):
            raise SidelightError(f"this metric reads {', '.join(KINDS)}, not {explanation.kind}")
        if explanation.answers == "probe":
            raise UserError(
                "the explanation is about the class asked about, the queries are about the predicted one",
                "set explain.target to predicted",
            )
        if isinstance(explanation, AttentionGraph):
            self._expect_same_patches(explanation)
            return lambda queries, row: _by_graph(queries, explanation.graphs[row])
        if isinstance(explanation, Heatmap):
            return lambda queries, row: _by_weights(queries, explanation.values[row])
        change = np.abs(explanation.images - to_array(images)).sum(1)  # |x' - x|, (N, H, W)
        return lambda queries, row: _by_weights(queries, change[row])

    def _expect_same_patches(self, explanation: AttentionGraph) -> None:
        side = self._params.grid
        if explanation.grid != (side, side):
            rows, columns = explanation.grid
            raise UserError(
                f"the graph has {rows} by {columns} patches, the queries have {side} by {side}",
                "give the explainer and the metric the same `grid`",
            )
        if explanation.soft != self._params.soft:
            raise UserError(
                "the graph and the queries draw patches differently, as tents and as squares",
                "give the explainer and the metric the same `soft`",
            )

    def _item(self, name: str, scores: list[float], queries: list[ComparativeQueries]) -> Measurement:
        asked = [(score, len(one)) for score, one in zip(scores, queries, strict=True) if len(one)]
        right, count = sum(score * n for score, n in asked), sum(n for _, n in asked)
        return Measurement(
            name=f"right from {name}",
            values=np.array(scores, dtype=np.float32),
            better="higher" if name == "the explanation" else "neither",
            unit="share of questions",
            help=HELP[name],
            settings={"right": f"{right:g} of {count} questions", "baseline": self._params.baseline},
        )


HELP = {
    "the explanation": "Share of right answers to: of which of two equally large sets of patches does the classifier "
    "still say the class? By a rule that reads the explanation alone; ties count half, guessing gives .5.",
    "the area": "The same by the visible area.",
    "the centre": "The same by how much of the middle of the image is visible.",
    "the detail": "The same by how far the version is from the baseline, in intensity.",
}


def _right(queries: ComparativeQueries, rule: Rule, row: int) -> float:
    """Share of the pairs whose first version, the one that keeps the class, is put higher; ties count half."""
    if not len(queries):
        return float("nan")
    scores = rule(queries, row).reshape(len(queries), 2, -1)  # (Q, 2, D)
    return float(np.mean([0.5 if a == b else float(a > b) for a, b in ((tuple(p), tuple(q)) for p, q in scores)]))


def _by_graph(queries: ComparativeQueries, graph: Graph) -> np.ndarray:
    """(Q, 2, 2): the largest visible share of a root, then the mean over the roots; zeros without roots."""
    roots = [list(node.patches) for node in graph.nodes if node.root]
    if not roots:
        return np.zeros((len(queries), 2, 2))
    shares = np.stack([queries.visible[:, :, root].mean(2) for root in roots], axis=-1)  # |S visible| / |S|, (Q, 2, R)
    return np.stack([shares.max(-1), shares.mean(-1)], axis=-1).round(DIGITS)


def _by_weights(queries: ComparativeQueries, weights: np.ndarray) -> np.ndarray:
    """(Q, 2): sum of M w over the pixels, with w (H, W), as a share of the largest of them."""
    sums = (_masks(queries, (weights.shape[0], weights.shape[1])) * weights).sum((2, 3))
    return np.asarray((sums / (np.abs(sums).max() or 1.0)).round(DIGITS))


def _masks(queries: ComparativeQueries, size: tuple[int, int]) -> np.ndarray:
    """(Q, 2, H, W) float64 in [0, 1]: M of every version."""
    cells = torch.from_numpy(queries.visible.reshape(-1, 1, *queries.grid)).double()
    if queries.soft:
        masks = upsample_cells(cells, size)
    else:
        masks = torch.nn.functional.interpolate(cells, size, mode="nearest-exact")
    return masks.numpy().reshape(len(queries), 2, *size)


def _rules_without_explanation(images: torch.Tensor, hidden: torch.Tensor) -> dict[str, Rule]:
    """Rules that see the versions alone: how much is visible, how central, how far from the baseline."""
    detail = to_array((eight_bit(images) - hidden).abs().sum(1))  # |x - b|, (N, H, W)
    height, width = detail.shape[1:]
    y, x = np.mgrid[:height, :width]
    distance = ((y + 0.5) / height - 0.5) ** 2 + ((x + 0.5) / width - 0.5) ** 2
    centre = np.exp(-distance / (2 * CENTRE**2))
    return {
        "the area": lambda queries, _: _by_weights(queries, np.ones((height, width))),
        "the centre": lambda queries, _: _by_weights(queries, centre),
        "the detail": lambda queries, row: _by_weights(queries, detail[row]),
    }
