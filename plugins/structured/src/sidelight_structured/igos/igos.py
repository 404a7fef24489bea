"""I-GOS and iGOS++: masks optimised by integrated gradients (section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices
from sidelight_toolkit.seeding import generator

from sidelight_structured.class_probability import ClassProbability
from sidelight_structured.igos.baseline import checked_baseline, tell
from sidelight_structured.igos.line_search import LineSearch
from sidelight_structured.igos.objective import Objective, Term
from sidelight_structured.igos.optimizers import Momentum
from sidelight_structured.igos.report import curves_report, mask_curves, terms_report
from sidelight_structured.masking import upsample

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier

    from sidelight_structured.params import IgosPlusPlusParams, MaskParams

CELLS_PER_UNIT_STEP = 25.0
"""A cell's share of the gradient falls with the number of cells, so the line search's first step grows with it."""


class MaskExplainer(Explainer):
    """The optimisation that I-GOS and iGOS++ share; they differ in masks and terms."""

    name: ClassVar[str]
    masks = 1

    def __init__(self, params: MaskParams, *, classifier: Classifier, run: Run) -> None:
        self.params = params
        self.classifier = classifier
        self.run = run

    def terms(self) -> tuple[Term, ...]:
        """The class-score terms of the objective."""
        return (Term("deletion", (0,), inserts=False, weight=self.params.deletion),)

    def _weighted_terms(self) -> tuple[Term, ...]:
        return tuple(term for term in self.terms() if term.weight > 0)

    def explain(self, images: torch.Tensor, targets: Targets) -> Heatmap:
        """Heatmaps whose value is 1 - M: 1 where hiding the image lowers the class most.

        The class's probability in every term, at every step and at the end, is emitted as `terms`; insertion and
        deletion by the mask's own cells, with their areas, as `curves`; what the class keeps on the blurred image, and
        how often that was blurred more, as `baseline`.
        """
        classes = torch.from_numpy(targets.predicted).to(images.device)
        found = [
            self._explained(images[part], classes[part]) for part in slices(len(images), self.params.images_at_once)
        ]
        values, passes, finals, steps, curves, kept, strengthened = (
            np.concatenate(parts) for parts in zip(*found, strict=True)
        )
        size = self._sizes((images.shape[-2], images.shape[-1]))[-1]
        if size[0] < self.params.size:
            self.run.warn(
                f"{self.name}: the mask has {size[0]} rows and columns, as many as the image, not {self.params.size}"
            )
        tell(self.name, self.run, kept, strengthened)
        self.run.emit("terms", terms_report(self._weighted_terms(), finals, steps))
        self.run.emit("curves", curves_report(curves, size, self.params.curve_step))
        return Heatmap(values=values, signed=False, resolution=size, answers="predicted", passes=passes)

    def _explained(self, images: torch.Tensor, classes: torch.Tensor) -> tuple[np.ndarray, ...]:
        """Values (N, H, W), passes (N,), what every term reached (N, T) and reaches (N, steps, T), curves (N, 2, P).

        Then what the class keeps on the baseline (N,), and how often that was strengthened (N,).
        """
        p, score = self.params, ClassProbability(self.classifier, classes, self.params.batch)
        hidden = checked_baseline(images, score, p.kernel, p.sigma, p.baseline_limit)
        terms = self._weighted_terms()
        objective = Objective(images, hidden.images, score, terms, p.area, p.smoothness, p.edge, p.exponent)
        masks, steps = self._optimise(objective)
        passes = score.passes.clone()  # what is reported below costs a little more, but finds nothing
        with torch.no_grad():
            finals = objective.scores(masks, torch.arange(len(images), device=images.device))
            mask = masks.prod(1)
            curves = mask_curves(objective, mask, self.params.curve_step)
        values = 1 - upsample(mask[:, None], objective.size).squeeze(1)
        told = to_array(hidden.kept), to_array(hidden.strengthened)
        return to_array(values), to_array(passes), to_array(finals), to_array(steps), curves, *told

    def _optimise(self, objective: Objective) -> tuple[torch.Tensor, torch.Tensor]:
        """The masks (N, M, h, w), means over the last steps, and every term's f_c at every step, (N, steps, T)."""
        sizes, curves = self._sizes(objective.size), []
        masks = torch.ones(len(objective.images), self.masks, *sizes[0], device=objective.images.device)
        rule, mean = self._rule(objective, sizes[0]), RunningMean()
        first = self._first_averaged(len(sizes))
        for number in self.run.progress(range(self.params.steps), "optimising"):
            size = sizes[number * len(sizes) // self.params.steps]
            if masks.shape[-2:] != size:
                masks, rule = refined(masks, size), self._rule(objective, size)
            gradient, scores = objective.integrated(
                masks, self._points(number, objective), self._noise(number, objective)
            )
            masks = rule.step(masks, gradient)
            if number >= first:
                mean.add(masks)
            curves.append(scores)
        return mean.value, torch.stack(curves, 1)

    def _first_averaged(self, sizes: int) -> int:
        """The first step whose masks are averaged: a share of those at the final size, the last one at least."""
        steps = self.params.steps
        at_final_size = steps - -(-steps * (sizes - 1) // sizes)
        return min(steps - 1, steps - int(self.params.averaged * at_final_size))

    def _sizes(self, image: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """The sizes of the mask, the coarsest first; each gets an equal share of the steps."""
        final = min(self.params.size, *image)
        coarse = self.params.coarse
        sizes = (coarse, final) if coarse is not None and coarse < final else (final,)
        return tuple((size, size) for size in sizes)

    def _rule(self, objective: Objective, size: tuple[int, int]) -> Momentum | LineSearch:
        if self.params.rule == "momentum":
            return Momentum(self.params.length, self.params.momentum)

        def value(masks: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return objective.value(masks, rows)

        return LineSearch(value, first=size[0] * size[1] / CELLS_PER_UNIT_STEP)

    def _points(self, step: int, objective: Objective) -> torch.Tensor:
        """(T, S) one point w at random in each of S equal parts of (0, 1]: S points then do for the whole integral."""
        terms, points = len(objective.terms), self.params.integration_steps
        drawn = torch.rand(terms, points, generator=generator(self.run, f"points {step}"))
        return ((torch.arange(points) + 1 - drawn) / points).to(objective.images.device)

    def _noise(self, step: int, objective: Objective) -> Callable[[int], torch.Tensor]:
        """Noise of one step, the same for all images, so that an image's neighbours do not matter."""
        images = objective.images

        def noise(index: int) -> torch.Tensor:
            source = generator(self.run, f"noise {step} {index}")
            return (self.params.noise * torch.randn(1, *images.shape[1:], generator=source)).to(images.device)

        return noise


class RunningMean:
    """The mean of the tensors that were added."""

    def __init__(self) -> None:
        self._sum, self._count = torch.zeros(()), 0

    def add(self, values: torch.Tensor) -> None:
        """Count `values` in."""
        self._sum, self._count = values + self._sum.to(values), self._count + 1

    @property
    def value(self) -> torch.Tensor:
        """Their mean."""
        return self._sum / self._count


def refined(masks: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(N, M, h, w) masks on a finer grid."""
    fine = upsample(masks.flatten(0, 1)[:, None], size)
    return fine.view(*masks.shape[:2], *size)


class Igos(MaskExplainer):
    """I-GOS: one mask, deletion alone."""

    name = "igos"


class IgosPlusPlus(MaskExplainer):
    """iGOS++: a deletion and an insertion mask, each alone and their product in both; the product is the answer."""

    name = "igos++"
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
