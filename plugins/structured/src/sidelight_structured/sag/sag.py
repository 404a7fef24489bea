"""Structured attention graphs: every image's sufficient explanations and what they can lose (section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs.results import AttentionGraph
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.baselines import baseline

from sidelight_structured.class_probability import ClassProbability
from sidelight_structured.igos.baseline import Baseline, checked_baseline, listed, speaking, tell
from sidelight_structured.igos.objective import Objective, Term
from sidelight_structured.masking import eight_bit
from sidelight_structured.sag.beam_search import Search
from sidelight_structured.sag.graph import attention_graph, diverse
from sidelight_structured.sag.patches import PatchScores

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Graph, Targets
    from sidelight_specs.roles import Classifier

    from sidelight_structured.params import SagParams

ORDER_TERMS = (
    Term("deletion", (0,), inserts=False, weight=1.0),
    Term("insertion", (0,), inserts=True, weight=1.0),
)


class Sag(Explainer):
    """Beam search for minimal sufficient explanations, a diverse choice of them, and the graph below."""

    def __init__(self, params: SagParams, *, classifier: Classifier, run: Run) -> None:
        self.params = params
        self.classifier = classifier
        self.run = run

    def explain(self, images: torch.Tensor, targets: Targets) -> AttentionGraph:
        """One graph for each image, for the predicted class."""
        classes = torch.from_numpy(targets.predicted).to(images.device)
        images = eight_bit(images)
        score = ClassProbability(self.classifier, classes, self.params.batch)
        baselines = eight_bit(self._baselines(images, score))
        orders = self._orders(images, baselines, score)
        rows = self.run.progress(range(len(images)), "searching")
        graphs = tuple(self._graph(images[row], baselines[row], orders[row], score, row) for row in rows)
        return AttentionGraph(
            graphs=graphs,
            grid=self._grid,
            baseline=to_array(baselines),
            soft=self.params.soft,
            eight_bit=True,
            answers="predicted",
            passes=to_array(score.passes),
        )

    @property
    def _grid(self) -> tuple[int, int]:
        return self.params.grid, self.params.grid

    def _baselines(self, images: torch.Tensor, score: ClassProbability) -> torch.Tensor:
        """(N, C, H, W) what hides; a blur that speaks for the class is strengthened, any other is warned about."""
        p = self.params
        if p.baseline == "blur":
            found = checked_baseline(images, score, p.kernel, p.sigma, p.baseline_limit)
        else:
            hidden, rows = baseline(images, p.baseline), torch.arange(len(images), device=images.device)
            found = Baseline(hidden, score.of_many(hidden, rows), torch.zeros_like(rows))
            speaks = speaking(images, found, score, p.baseline_limit)
            if speaks:
                self.run.warn(
                    f"sag: {p.baseline} alone keeps more than {p.baseline_limit:.0%} of the class's probability in "
                    f"{listed(speaks)}, so that few patches or none are enough there: choose another `baseline`"
                )
        tell("sag", self.run, to_array(found.kept), to_array(found.strengthened))
        return found.images

    def _orders(self, images: torch.Tensor, baselines: torch.Tensor, score: ClassProbability) -> list[list[int]]:
        """The patches of each image, the ones first whose hiding lowers and whose showing raises the class most.

        The integrated gradient of I-GOS at the full mask says so in a few passes.
        """
        objective = Objective(images, baselines, score, ORDER_TERMS, area=0, smoothness=0, edge=1, exponent=2)
        masks = torch.ones(len(images), 1, *self._grid, device=images.device)
        silence = torch.zeros(1, *images.shape[1:], device=images.device)
        gradient = objective.gradient(masks, self.params.order_steps, lambda _index: silence)
        return gradient.flatten(1).argsort(dim=1, descending=True, stable=True).tolist()

    def _graph(
        self, image: torch.Tensor, hidden: torch.Tensor, order: list[int], score: ClassProbability, row: int
    ) -> Graph:
        p = self.params
        confidence = PatchScores(image, hidden, self._grid, score, row, p.soft)
        found = Search(p.threshold, p.width, p.candidates, p.most).run(confidence, order)
        roots = diverse(found, p.overlap)[: p.roots]
        return attention_graph(roots, found, confidence, p.branches, p.depth)
