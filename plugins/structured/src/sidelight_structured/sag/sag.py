"""Structured attention graphs (SAG): sufficient sets of patches, and the loss of confidence without each patch.

Li Fuxin et al. 2021, From Heatmaps to Structured Explanations of Image Classifiers, section 4 (Shitole, Li, Kahng,
Tadepalli and Fern 2021, One Explanation is Not Enough). For each image:

1. a baseline hides patches, and the integrated gradient of I-GOS puts them in order;
2. a diverse beam search finds minimal sufficient explanations, MSEs: sets of patches that keep the prediction, of
   which none can be left out (4.1);
3. a diverse choice of MSEs, no two of which share many patches, becomes the roots;
4. every node's children drop the patch that costs most confidence (4.2).
"""

from __future__ import annotations

from collections import deque
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any

import networkx
import numpy as np
import torch
from sidelight_specs.results import AttentionGraph, Graph, GraphNode
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.baselines import baseline
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU

from sidelight_structured.class_probability import ClassProbability
from sidelight_structured.igos.baseline import (
    NO_ANSWER,
    checked_baseline,
    fixed_baseline,
    list_images,
    report_baseline,
)
from sidelight_structured.igos.igos import Objective, Term
from sidelight_structured.sag.beam_search import BeamSearch
from sidelight_structured.sag.patches import PatchScores, eight_bit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier

    from sidelight_structured.params import SagParams
    from sidelight_structured.sag.patches import PatchSet

ORDER_TERMS = (
    Term("deletion", (0,), inserts=False, weight=1.0),
    Term("insertion", (0,), inserts=True, weight=1.0),
)

EXACT = 100
"""Sets of which the largest diverse choice is found exactly; the time doubles with every 10 to 20 more."""


class Sag(Explainer):
    """Beam search for minimal sufficient explanations, a diverse choice of them, and the graph below."""

    def __init__(self, params: SagParams, *, classifier: Classifier, run: Run) -> None:
        self._params = params
        self._classifier = classifier
        self._run = run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def explain(self, images: torch.Tensor, targets: Targets) -> AttentionGraph:
        """One graph for each image, for the predicted class; none where its blur says too much of the class."""
        classes = torch.from_numpy(targets.predicted).to(images.device)
        images = eight_bit(images)  # as a page shows them, so that captions are true of the pictures
        score = ClassProbability(self._classifier, classes, self._batch)
        hidden, answered = self._baselines(images, score)
        baselines = eight_bit(hidden)
        chosen = torch.from_numpy(answered).to(images.device)
        chosen_score = ClassProbability(self._classifier, classes[chosen], self._batch)
        orders = iter(self._patch_orders(images[chosen], baselines[chosen], chosen_score))
        score.passes[chosen] += chosen_score.passes
        items = [
            {
                "image": to_array(images[row]),
                "baseline": to_array(baselines[row]),
                "class": int(targets.predicted[row]),
                "order": next(orders),
            }
            for row in np.flatnonzero(answered).tolist()
        ]
        found, graphs = iter(self._run.map(self.search, items, "photographs")), []
        for row in range(len(images)):
            one = next(found, None) if answered[row] else None  # a trial may search few
            if one is None:
                confidence = PatchScores(images[row], baselines[row], self._grid, score, row, self._params.soft)
                graphs.append(Graph(nodes=(), probability=confidence.full))
            else:
                graphs.append(one.graphs[0])
                score.passes[row] += float(np.asarray(one.passes)[0])
        empty = [row for row, graph in enumerate(graphs) if answered[row] and not graph.nodes]
        if empty:
            self._run.warn(
                f"sag: {self._params.passes} passes were too few to find an explanation of {list_images(empty)}: raise "
                "`passes`"
            )
        return AttentionGraph(
            graphs=tuple(graphs),
            grid=self._grid,
            baseline=to_array(baselines),
            soft=self._params.soft,
            eight_bit=True,
            answers="predicted",
            passes=to_array(score.passes),
            answered=answered,
            no_answer=NO_ANSWER,
        )

    def search(self, item: dict[str, Any]) -> AttentionGraph:
        """The graph of one photograph, a piece of the explanation that a worker may compute.

        Args:
            item: image and baseline (C, H, W), rounded to 8 bits; class; order of the patches.
        """
        image, hidden = (to_tensor(item[name], self._run) for name in ("image", "baseline"))
        score = ClassProbability(self._classifier, torch.tensor([item["class"]]).to(image.device), self._batch)
        confidence = PatchScores(image, hidden, self._grid, score, 0, self._params.soft)
        ticks = self._run.progress(range(self._params.passes), "searching")
        graph = self._graph(confidence, item["order"], ticks)
        deque(ticks, maxlen=0)  # ends the display
        return AttentionGraph(graphs=(graph,), grid=self._grid, passes=to_array(score.passes))

    @property
    def _grid(self) -> tuple[int, int]:
        return self._params.grid, self._params.grid

    def _baselines(self, images: torch.Tensor, score: ClassProbability) -> tuple[torch.Tensor, np.ndarray]:
        """Baselines (N, C, H, W), and (N,) bool: whether an image gets an answer.

        An informative blur is strengthened, and has no answer where that does not help; any other baseline is taken as
        it is, with a warning.
        """
        p = self._params
        if p.baseline == "blur":
            result = checked_baseline(images, score, p.kernel, p.sigma, p.baseline_limit)
            answered = to_array(result.hides)
        else:
            result = fixed_baseline(images, baseline(images, p.baseline), score, p.baseline_limit)
            informative, answered = np.flatnonzero(~to_array(result.hides)), np.ones(len(images), dtype=bool)
            if len(informative):
                self._run.warn(
                    f"sag: {p.baseline} alone keeps more than {p.baseline_limit:.0%} of the class's probability in "
                    f"{list_images(informative)}, so that few patches or none are enough there: choose another "
                    "`baseline`"
                )
        report_baseline("sag", self._run, to_array(result.probability), to_array(result.strengthened), answered)
        return result.images, answered

    def _patch_orders(self, images: torch.Tensor, baselines: torch.Tensor, score: ClassProbability) -> list[list[int]]:
        """Patches of each image, first those that lower the class most when hidden and raise it most when shown.

        The integrated gradient of I-GOS at the full mask, M = 1, estimates both in a few passes.
        """
        if not len(images):
            return []
        objective = Objective(images, baselines, score, ORDER_TERMS, area=0, smoothness=0, edge=1, exponent=2)
        masks = torch.ones(len(images), 1, *self._grid, device=images.device)  # M = 1, one cell for each patch
        no_noise = torch.zeros(1, *images.shape[1:], device=images.device)
        gradient = objective.gradient(masks, self._params.order_steps, lambda _index: no_noise)  # (N, 1, rows, columns)
        # hiding a patch lowers M from 1: a positive gradient is a loss of the class
        return gradient.flatten(1).argsort(dim=1, descending=True, stable=True).tolist()

    def _graph(self, confidence: PatchScores, order: list[int], ticks: Iterator[int]) -> Graph:
        p = self._params
        left = p.passes

        def counted(sets: Iterable[PatchSet]) -> dict[PatchSet, float]:
            nonlocal left
            scores = confidence(sets)
            left -= len(scores)
            deque(islice(ticks, len(scores)), maxlen=0)  # one step of the progress for each pass
            return scores

        explanations = BeamSearch(
            counted,
            order,
            threshold=p.threshold,
            width=p.width,
            candidates=p.candidates,
            overlap=p.overlap,
            passes=p.passes,
        ).run()
        deque(islice(ticks, left), maxlen=0)  # passes that the search did not need
        roots = diverse(explanations, p.overlap)[: p.roots]
        return attention_graph(roots, explanations, confidence, p.branches, p.depth)


def diverse(explanations: Sequence[PatchSet], overlap: int) -> tuple[PatchSet, ...]:
    """The largest choice of sets of which no two share more than `overlap` patches; exactly, for up to `EXACT` sets.

    Of equally large choices the one with the fewest patches is taken. The order given is kept. Sets after the first
    `EXACT` join where they fit: give the smallest first.
    """
    first = explanations[:EXACT]
    # a maximum clique of the graph whose edges join compatible sets; one more set outweighs any difference in size
    heaviest = 1 + sum(len(patches) for patches in first)
    compatible = networkx.Graph()
    compatible.add_nodes_from((i, {"weight": heaviest - len(patches)}) for i, patches in enumerate(first))
    pairs = combinations(range(len(first)), 2)
    compatible.add_edges_from((i, j) for i, j in pairs if len(first[i] & first[j]) <= overlap)
    clique, _ = networkx.max_weight_clique(compatible)
    chosen = [first[i] for i in sorted(clique)]
    for patches in explanations[EXACT:]:
        if all(len(patches & other) <= overlap for other in chosen):
            chosen.append(patches)
    return tuple(chosen)


def attention_graph(
    roots: Sequence[PatchSet], explanations: Sequence[PatchSet], confidence: PatchScores, branches: int, depth: int
) -> Graph:
    """The graph below `roots` (section 4.2): children drop the patch that costs most, equal sets are one node.

    Args:
        roots: the explanations to show.
        explanations: all minimal sufficient explanations of the search.
        confidence: scores sets of patches.
        branches: children of a node.
        depth: patches dropped in all.
    """
    children: dict[PatchSet, tuple[PatchSet, ...]] = dict.fromkeys(roots, ())
    level = list(roots)
    for _ in range(depth):
        below: dict[PatchSet, None] = {}  # a dict keeps the order, a set would not
        for node in level:  # a level holds the sets that lack the same number of patches
            children[node] = _most_damaging(node, confidence, branches)
            below.update(dict.fromkeys(children[node]))
        level = [node for node in below if node not in children]
        children.update((node, ()) for node in level)
    index = {node: number for number, node in enumerate(children)}
    values = confidence(children)
    nodes = tuple(
        GraphNode(
            patches=tuple(sorted(node)),
            confidence=values[node],
            root=node in roots,
            children=tuple(index[child] for child in below),
        )
        for node, below in children.items()
    )
    sufficient = tuple(tuple(sorted(patches)) for patches in explanations)
    return Graph(nodes=nodes, probability=confidence.full, sufficient=sufficient)


def _most_damaging(node: PatchSet, confidence: PatchScores, branches: int) -> tuple[PatchSet, ...]:
    smaller = confidence(node - {patch} for patch in sorted(node) if len(node) > 1)
    return tuple(sorted(smaller, key=lambda rest: (smaller[rest], sorted(rest)))[:branches])
