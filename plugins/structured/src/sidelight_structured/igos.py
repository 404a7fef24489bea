"""I-GOS and iGOS++: masks optimised by integrated gradients (section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices
from sidelight_toolkit.seeding import generator

from sidelight_structured.baseline import checked_baseline
from sidelight_structured.line_search import LineSearch
from sidelight_structured.masking import upsample
from sidelight_structured.objective import Objective, Term
from sidelight_structured.scoring import ClassProbability

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier

    from sidelight_structured.params import IgosPlusPlusParams, MaskParams

CELLS_PER_UNIT_STEP = 25.0
"""A cell's share of the gradient falls with the number of cells, so the first step grows with it."""


class MaskExplainer(Explainer):
    """The optimisation that I-GOS and iGOS++ share; they differ in masks and terms."""

    masks = 1

    def __init__(self, params: MaskParams, *, classifier: Classifier, run: Run) -> None:
        self.params = params
        self.classifier = classifier
        self.run = run

    def terms(self) -> tuple[Term, ...]:
        """The class-score terms of the objective."""
        return (Term("deletion", (0,), inserts=False, weight=self.params.deletion),)

    def explain(self, images: torch.Tensor, targets: Targets) -> Heatmap:
        """Heatmaps whose value is 1 - M: 1 where hiding the image lowers the class most."""
        classes = torch.from_numpy(targets.predicted).to(images.device)
        values, passes = [], []
        for part in slices(len(images), self.params.images_at_once):
            mask, score = self._optimise(images[part], classes[part])
            values.append(1 - upsample(mask, (images.shape[-2], images.shape[-1])).squeeze(1))
            passes.append(score.passes)
        return Heatmap(
            values=to_array(torch.cat(values)),
            signed=False,
            resolution=(self.params.size, self.params.size),
            answers="predicted",
            passes=to_array(torch.cat(passes)),
        )

    def _optimise(self, images: torch.Tensor, classes: torch.Tensor) -> tuple[torch.Tensor, ClassProbability]:
        score = ClassProbability(self.classifier, classes, self.params.batch)
        objective = self._objective(images, score)
        size = min(self.params.size, *images.shape[-2:])
        masks = torch.ones(len(images), self.masks, size, size, device=images.device)
        search = LineSearch(self._value_of(objective), first=size * size / CELLS_PER_UNIT_STEP)
        for number in self.run.progress(range(self.params.steps), "optimising"):
            noise = self._noise(number, images)
            gradient = objective.gradient(masks, self.params.integration_steps, noise)
            masks = search.step(masks, gradient)
        return masks.prod(1, keepdim=True), score

    def _objective(self, images: torch.Tensor, score: ClassProbability) -> Objective:
        p = self.params
        baselines, _ = checked_baseline(images, score, p.kernel, p.sigma, p.baseline_limit)
        return Objective(images, baselines, score, self.terms(), p.area, p.smoothness, p.edge, p.exponent)

    def _value_of(self, objective: Objective) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        def value(masks: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return objective.value(masks, rows)

        return value

    def _noise(self, step: int, images: torch.Tensor) -> Callable[[int], torch.Tensor]:
        """Noise of one optimisation step, drawn once for all images so that neighbours do not matter."""
        source = generator(self.run, f"noise {step}")
        drawn: dict[int, torch.Tensor] = {}

        def noise(index: int) -> torch.Tensor:
            if index not in drawn:
                drawn.clear()
                drawn[index] = self.params.noise * torch.randn(1, *images.shape[1:], generator=source)
            return drawn[index].to(images.device)

        return noise


class Igos(MaskExplainer):
    """I-GOS: one mask, deletion alone."""


class IgosPlusPlus(MaskExplainer):
    """iGOS++: a deletion and an insertion mask, each alone and their product in both; the product is the answer."""

    masks = 2
    params: IgosPlusPlusParams

    def terms(self) -> tuple[Term, ...]:
        """Deletion and insertion of the product and of each mask alone, halved because each counts twice."""
        deletion, insertion = self.params.deletion / 2, self.params.insertion / 2
        return (
            Term("deletion of both", (0, 1), inserts=False, weight=deletion),
            Term("insertion of both", (0, 1), inserts=True, weight=insertion),
            Term("deletion", (0,), inserts=False, weight=deletion),
            Term("insertion", (1,), inserts=True, weight=insertion),
        )
