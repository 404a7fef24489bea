"""I-GOS and iGOS++: the smallest smooth mask that decides a prediction, optimised by integrated gradients.

Li Fuxin, Qi, Khorram, Shitole, Tadepalli, Kahng and Fern 2021, From Heatmaps to Structured Explanations of Image
Classifiers, section 3 (I-GOS: Qi, Khorram and Li 2020; iGOS++: Khorram, Lawson and Li 2021). Equation 2:

    min over M of  f_c(Phi(I, M)) - f_c(Phi(I, 1 - M)) + lambda_1 mean|1 - M| + lambda_2 BTV(M)

Symbols: I (N, C, H, W) images, I0 baselines, M (N, K, h, w) masks, K = 1 for I-GOS (which has no second term) and 2
for iGOS++, f_c the class probability, Phi(I, M) = I M + I0 (1 - M), w in (0, 1] the S points of the integrated
gradient, BTV the bilateral total variation with edge width sigma and exponent beta. T counts class-score terms.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from attrs import frozen
from sidelight_specs.results import Heatmap
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import Batch, each_batch, slices
from sidelight_toolkit.curves import counts
from sidelight_toolkit.images import upsample_cells
from sidelight_toolkit.options import IMAGES_ON_CPU
from sidelight_toolkit.seeding import generator

from sidelight_structured.class_probability import ClassProbability, blend
from sidelight_structured.igos.baseline import NO_ANSWER, checked_baseline, report_baseline
from sidelight_structured.igos.optimizers import LineSearch, Momentum
from sidelight_structured.igos.report import curves_report, mask_curves, terms_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier

    from sidelight_structured.params import IgosParams, IgosPlusPlusParams, IntegratedMaskParams, MaskParams

CELLS_PER_UNIT_STEP = 25.0
"""A cell's gradient falls with the number of cells, so the longest step of the line search grows with it."""


@frozen
class Term:
    """One class-score term of equation 2.

    Args:
        name: the term in reports.
        masks: indices of the masks whose product hides (deletion) or shows (insertion) the image.
        inserts: False for deletion, +f_c(Phi(I, M)); True for insertion, -f_c(Phi(I, 1 - M)).
        weight: its factor.
    """

    name: str
    masks: tuple[int, ...]
    inserts: bool
    weight: float

    @property
    def sign(self) -> float:
        """Signed weight of f_c in the objective, which is minimised."""
        return -self.weight if self.inserts else self.weight


def similarity(images: torch.Tensor, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """exp(-|dI|^2 / sigma^2) between vertical and horizontal neighbours: 1 inside an even region, 0 across an edge.

    Args:
        images: (N, C, H, W) in [0, 1].
        sigma: the difference of colour that counts as an edge, in the images' unit.

    Returns:
        (N, 1, H-1, W) and (N, 1, H, W-1).
    """
    vertical = (images[..., 1:, :] - images[..., :-1, :]).square().mean(1, keepdim=True)
    horizontal = (images[..., :, 1:] - images[..., :, :-1]).square().mean(1, keepdim=True)
    return torch.exp(-vertical / sigma**2), torch.exp(-horizontal / sigma**2)


def total_variation(
    masks: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor] | None = None, exponent: float = 2.0
) -> torch.Tensor:
    """Total variation of each mask; bilateral with weights from `similarity` (section 3.3, trick 3).

    The same weights hold for both directions. Means over neighbours, so that masks of all sizes compare.

    Returns:
        (N,) sum of the two directions' means of weight * |dM|^beta.
    """
    vertical = (masks[..., 1:, :] - masks[..., :-1, :]).abs().pow(exponent)
    horizontal = (masks[..., :, 1:] - masks[..., :, :-1]).abs().pow(exponent)
    if weights is not None:
        vertical, horizontal = vertical * weights[0], horizontal * weights[1]
    return vertical.mean((1, 2, 3)) + horizontal.mean((1, 2, 3))


@frozen(eq=False, slots=False)
class Objective:
    """Equation 2 for N images at once, each with masks of its own.

    Args:
        images: I, (N, C, H, W) in [0, 1].
        baselines: I0, (N, C, H, W).
        score: f_c.
        terms: the T class-score terms.
        area: lambda_1, the weight of mean |1 - M|.
        smoothness: lambda_2, the weight of the mean of plain variation on the mask's grid and bilateral variation
            on the image's.
        edge: sigma of the bilateral weights, in the images' unit; None for plain variation on the mask's grid alone.
        exponent: beta of the total variation.
    """

    images: torch.Tensor
    baselines: torch.Tensor
    score: ClassProbability
    terms: tuple[Term, ...]
    area: float
    smoothness: float
    edge: float | None
    exponent: float

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.images.shape[-2], self.images.shape[-1]

    def regulariser(self, masks: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """g(M) of the masks (B, K, h, w) of the images `rows` (B,), to (B,)."""
        mask = masks.prod(1, keepdim=True)  # M = M_deletion * M_insertion, (B, 1, h, w)
        variation = total_variation(mask, exponent=self.exponent)
        if self.edge is not None:
            weights = similarity(self.images[rows], self.edge)
            bilateral = total_variation(upsample_cells(mask, self.size), weights, self.exponent)
            variation = 0.5 * (variation + bilateral)
        return self.area * (1 - mask).mean((1, 2, 3)) + self.smoothness * variation

    def value(self, masks: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Equation 2 on the plain masked images, w = 1 and without noise: (B, K, h, w) to (B,)."""
        return self.regulariser(masks, rows) + self.scores(masks, rows) @ self._signs

    def scores(self, masks: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """f_c in every term on the plain masked images: (B, K, h, w) to (B, T)."""
        scores = torch.zeros(len(rows), len(self.terms), device=masks.device)

        def of_batch(batch: slice) -> None:
            index, terms, _ = self._evaluations(batch, len(rows), points=1)
            image, mask = rows[index], self._pixel_masks(masks[index], terms)
            scores[index, terms] = self.score.of(blend(self.images[image], self.baselines[image], mask), image)

        each_batch(of_batch, len(rows) * len(self.terms), self.score.batch, "masked images")
        return scores

    def gradient(self, masks: torch.Tensor, points: int, noise: Callable[[int], torch.Tensor]) -> torch.Tensor:
        """The integrated gradient (N, K, h, w) at regular points w = 1/S ... S/S of every term."""
        w = torch.arange(1, points + 1, device=masks.device) / points
        return self.integrated(masks, w.expand(len(self.terms), points), noise)[0]

    def integrated(
        self, masks: torch.Tensor, w: torch.Tensor, noise: Callable[[int], torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradient of equation 2 whose class-score terms are integrated from the baseline to the masked image.

        d/dM of each term is the mean over w of df_c(Phi(I + noise, w M)) / dM (section 3.2), with fresh noise at
        every w (section 3.3, trick 2).

        Args:
            masks: (N, K, h, w) of all images.
            w: (T, S) integration points of each term.
            noise: index of a (term, point) pair, below T S, to noise (1, C, H, W), the same for all images.

        Returns:
            (N, K, h, w), and the mean over w of each term's f_c, (N, T).
        """
        points = w.shape[1]
        total, scores = self._regulariser_gradient(masks), torch.zeros(len(masks), len(self.terms), device=masks.device)

        def of_batch(batch: slice) -> None:
            rows, terms, point = self._evaluations(batch, len(masks), points)
            leaf = masks[rows].detach().requires_grad_(True)  # a copy of M for each evaluation, (B, K, h, w)
            mask = w[terms, point][:, None, None, None] * self._pixel_masks(leaf, terms)  # w M, (B, 1, H, W)
            noisy = self.images[rows] + _noise_batch(noise, batch, len(masks))
            score = self.score.with_gradient(blend(noisy, self.baselines[rows], mask), rows)  # f_c, (B,)
            (gradient,) = torch.autograd.grad((self._signs[terms] * score).sum() / points, leaf)
            total.index_add_(0, rows, gradient)  # sums over terms and over w; a batch can hold an image many times
            scores.index_put_((rows, terms), score.detach() / points, accumulate=True)

        each_batch(of_batch, len(masks) * len(self.terms) * points, self.score.batch, "gradients of masks")
        return total, scores

    def _regulariser_gradient(self, masks: torch.Tensor) -> torch.Tensor:
        if not (self.area or self.smoothness):
            return torch.zeros_like(masks)  # saves the memory of a graph over all images
        leaf = masks.detach().requires_grad_(True)
        rows = torch.arange(len(masks), device=masks.device)
        (gradient,) = torch.autograd.grad(self.regulariser(leaf, rows).sum(), leaf)
        return gradient

    def _evaluations(self, batch: slice, count: int, points: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Indices (B,) of image, term and point of a batch of evaluations.

        All T S N evaluations form one line, number = (term * S + point) * N + image, cut into batches without regard
        to its three axes: memory depends on the batch alone, and no batch but the last is smaller. Images
        run fastest, so that neighbours share their noise, which is then drawn once.
        """
        number = torch.arange(batch.start, batch.stop, device=self.images.device)
        evaluation = number // count  # term * S + point
        return number % count, evaluation // points, evaluation % points

    def _pixel_masks(self, masks: torch.Tensor, terms: torch.Tensor) -> torch.Tensor:
        """M or 1 - M at the image's size, (B, 1, H, W), of masks (B, K, h, w) in the terms (B,)."""
        used = torch.where(self._uses[terms][:, :, None, None], masks, torch.ones_like(masks))  # 1: not in the term
        mask = upsample_cells(used.prod(1, keepdim=True), self.size)
        return torch.where(self._inserts[terms][:, None, None, None], 1 - mask, mask)

    @cached_property
    def _uses(self) -> torch.Tensor:
        """(T, K) bool: the masks of each term."""
        count = 1 + max(index for term in self.terms for index in term.masks)
        uses = [[index in term.masks for index in range(count)] for term in self.terms]
        return torch.tensor(uses, device=self.images.device)

    @cached_property
    def _inserts(self) -> torch.Tensor:
        return torch.tensor([term.inserts for term in self.terms], device=self.images.device)

    @cached_property
    def _signs(self) -> torch.Tensor:
        return torch.tensor([term.sign for term in self.terms], device=self.images.device)


def _noise_batch(noise: Callable[[int], torch.Tensor], batch: slice, count: int) -> torch.Tensor:
    """(B, C, H, W): the noise of a batch of evaluations, drawn once for the `count` neighbours that share it."""
    indices = [number // count for number in range(batch.start, batch.stop)]  # on the host, which would wait for others
    drawn = {index: noise(index) for index in dict.fromkeys(indices)}
    return torch.cat([drawn[index] for index in indices])


class MaskExplainer(Explainer):
    """Optimisation of masks by equation 2; methods differ in the number of masks, the terms and the step rule."""

    name: ClassVar[str]
    masks: ClassVar[int] = 1

    def __init__(self, params: MaskParams, *, classifier: Classifier, run: Run) -> None:
        self._params = params
        self._classifier = classifier
        self._run = run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    @abstractmethod
    def terms(self) -> tuple[Term, ...]:
        """The class-score terms of the objective."""

    @abstractmethod
    def _optimise(self, objective: Objective) -> tuple[torch.Tensor, torch.Tensor]:
        """The masks (N, K, h, w), and f_c of every term at every step, (N, steps, T)."""

    @property
    def _edge(self) -> float | None:
        """Edge width of the bilateral variation; None: plain variation."""
        return None

    def _sizes(self, image: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """The sizes of the mask, the coarsest first; each gets an equal number of the steps."""
        size = min(self._params.size, *image)
        return ((size, size),)

    def explain(self, images: torch.Tensor, targets: Targets) -> Heatmap:
        """Heatmaps with the values 1 - M: 1 where hiding the image lowers the class most.

        An image whose baseline keeps its class has no answer: zeros, and NaN in the by-products. The others do not
        depend on it.

        By-products: `terms`, the class probability in every term, at every step and at the end; `curves`, insertion
        and deletion by the mask's own cells, with their areas; `baseline`, the class probability on the blurred image,
        and how often it was blurred more.
        """
        params, run = self._params, self._run
        classes = torch.from_numpy(targets.predicted).to(images.device)
        batches = slices(len(images), params.images_at_once)
        results = [self._explain_batch(images[batch], classes[batch]) for batch in batches]
        values, passes, finals, steps, curves, probability, strengthened, answered = map(
            np.concatenate, zip(*results, strict=True)
        )
        size = self._sizes((images.shape[-2], images.shape[-1]))[-1]  # the finest, that of the result
        if size[0] < params.size:
            run.warn(f"{self.name}: the mask has {size[0]} rows and columns, as many as the image, not {params.size}")
        report_baseline(self.name, run, probability, strengthened, answered)
        reported = [(term.name, term.inserts, term.weight) for term in self._weighted_terms()]
        run.emit("terms", terms_report(reported, finals, steps))
        run.emit("curves", curves_report(curves, size, params.curve_step))
        return Heatmap(
            values=values,
            signed=False,
            resolution=size,
            answers="predicted",
            passes=passes,
            answered=answered,
            no_answer=NO_ANSWER,
        )

    def _weighted_terms(self) -> tuple[Term, ...]:
        return tuple(term for term in self.terms() if term.weight > 0)

    def _explain_batch(self, images: torch.Tensor, classes: torch.Tensor) -> tuple[np.ndarray, ...]:
        """Results of the images that are optimised side by side, in the order that `explain` unpacks.

        Values (N, H, W), passes (N,), f_c of the final mask (N, T) and at every step (N, steps, T), curves (N, 2, P),
        then the class probability on the baseline (N,), how often it was strengthened (N,) and whether it hides the
        class (N,): the other images are not optimised.
        """
        p, score = self._params, ClassProbability(self._classifier, classes, self._batch)
        hidden = checked_baseline(images, score, p.kernel, p.sigma, p.baseline_limit)
        size = images.shape[-2], images.shape[-1]
        count, terms = len(images), len(self._weighted_terms())  # N, T
        points = len(counts(math.prod(self._sizes(size)[-1]), p.curve_step))  # P
        values, passes = np.zeros((count, *size), dtype=np.float32), to_array(score.passes)
        shapes = (count, terms), (count, p.steps, terms), (count, 2, points)
        finals, steps, curves = (np.full(shape, np.nan, dtype=np.float32) for shape in shapes)
        if hidden.hides.any():
            rows = to_array(hidden.hides)
            chosen = images[hidden.hides], hidden.images[hidden.hides], classes[hidden.hides]
            values[rows], finals[rows], steps[rows], curves[rows], optimisation = self._explain_rows(*chosen)
            passes[rows] += optimisation
        facts = (hidden.probability, hidden.strengthened, hidden.hides)
        return values, passes, finals, steps, curves, *map(to_array, facts)

    def _explain_rows(
        self, images: torch.Tensor, baselines: torch.Tensor, classes: torch.Tensor
    ) -> tuple[np.ndarray, ...]:
        """Values, f_c of the final mask and at every step, curves and passes of n images, shapes as above."""
        p, score = self._params, ClassProbability(self._classifier, classes, self._batch)
        objective = Objective(
            images, baselines, score, self._weighted_terms(), p.area, p.smoothness, self._edge, p.exponent
        )
        masks, steps = self._optimise(objective)
        passes = score.passes.clone()  # of the optimisation, not of the reports below
        with torch.no_grad():
            finals = objective.scores(masks, torch.arange(len(images), device=images.device))
            mask = masks.prod(1)  # (n, h, w)
            curves = mask_curves(score, images, baselines, mask, p.curve_step)
        values = 1 - upsample_cells(mask[:, None], objective.size).squeeze(1)  # 1 - M
        return to_array(values), to_array(finals), to_array(steps), curves, to_array(passes)


class IntegratedMaskExplainer(MaskExplainer):
    """Masks by integrated gradients, coarse to fine: I-GOS and iGOS++."""

    coarse: ClassVar[tuple[tuple[int, int], ...]]
    """(size, coarse): a mask larger than `size` begins with `coarse` cells a side; the first that applies."""
    _params: IntegratedMaskParams

    @property
    def _edge(self) -> float | None:
        return self._params.edge if self._params.variation == "bilateral" else None

    def _optimise(self, objective: Objective) -> tuple[torch.Tensor, torch.Tensor]:
        """The masks are means over the last steps."""
        sizes, curves, steps = self._sizes(objective.size), [], self._params.steps
        masks = torch.ones(len(objective.images), self.masks, *sizes[0], device=objective.images.device)  # M = 1: I
        rule, total = self._step_rule(objective, sizes[0]), torch.zeros(())
        first = self._first_averaged(len(sizes))
        for step in self._run.progress(range(steps), "optimising"):
            size = sizes[step * len(sizes) // steps]
            if masks.shape[-2:] != size:  # coarse to fine; the rule's running means belong to the old grid
                masks, rule = refine(masks, size), self._step_rule(objective, size)
            gradient, scores = objective.integrated(masks, self._points(step, objective), self._noise(step, objective))
            masks = rule.step(masks, gradient)
            if step >= first:  # the mean of the last masks: random w and noise make each step a sample
                total = total.to(masks) + masks
            curves.append(scores)
        return total / (steps - first), torch.stack(curves, 1)

    def _first_averaged(self, sizes: int) -> int:
        """The first step whose masks are averaged: a ratio of those at the final size, the last step at least."""
        steps = self._params.steps
        at_final_size = steps - -(-steps * (sizes - 1) // sizes)
        return min(steps - 1, steps - int(self._params.averaged * at_final_size))

    def _sizes(self, image: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        final = min(self._params.size, *image)
        default = next((coarse for size, coarse in self.coarse if final > size), final)
        coarse = default if self._params.coarse is None else self._params.coarse
        sizes = (coarse, final) if coarse < final else (final,)
        return tuple((size, size) for size in sizes)

    def _step_rule(self, objective: Objective, size: tuple[int, int]) -> Momentum | LineSearch:
        if self._params.rule == "momentum":
            return Momentum(self._params.length, self._params.momentum)

        def value(masks: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return objective.value(masks, rows)

        return LineSearch(value, first=size[0] * size[1] / CELLS_PER_UNIT_STEP)

    def _points(self, step: int, objective: Objective) -> torch.Tensor:
        """(T, S) stratified samples w: one in each of S equal parts of (0, 1]; two then do for the whole integral."""
        terms, points = len(objective.terms), self._params.integration_steps
        source = generator(self._run, f"points {step}", self._run.device)
        drawn = torch.rand(terms, points, generator=source, device=source.device)
        return ((torch.arange(points, device=source.device) + 1 - drawn) / points).to(objective.images.device)

    def _noise(self, step: int, objective: Objective) -> Callable[[int], torch.Tensor]:
        """Noise of one step, the same for all images, so that no image depends on its neighbours."""
        images = objective.images

        def noise(index: int) -> torch.Tensor:
            source = generator(self._run, f"noise {step} {index}", self._run.device)
            drawn = torch.randn(1, *images.shape[1:], generator=source, device=source.device)
            return (self._params.noise * drawn).to(images.device)

        return noise


def refine(masks: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(N, K, h, w) masks on a finer grid."""
    fine = upsample_cells(masks.flatten(0, 1)[:, None], size)
    return fine.view(*masks.shape[:2], *size)


class Igos(IntegratedMaskExplainer):
    """I-GOS: one mask, deletion alone; with insertion too it is iGOS+ (one mask, no product)."""

    name = "igos"
    coarse = ((56, 28), (14, 14))
    _params: IgosParams

    def terms(self) -> tuple[Term, ...]:
        """Deletion, and insertion where it has a weight."""
        return (
            Term("deletion", (0,), inserts=False, weight=self._params.deletion),
            Term("insertion", (0,), inserts=True, weight=self._params.insertion),
        )


class IgosPlusPlus(IntegratedMaskExplainer):
    """iGOS++: a deletion and an insertion mask, each alone and their product in both; the product is the answer."""

    name = "igos++"
    masks = 2
    coarse = ((56, 28),)
    _params: IgosPlusPlusParams

    def terms(self) -> tuple[Term, ...]:
        """Deletion and insertion of the product and of each mask alone, halved because each counts twice."""
        deletion, insertion = self._params.deletion / 2, self._params.insertion / 2
        return (
            Term("deletion of both", (0, 1), inserts=False, weight=deletion),
            Term("insertion of both", (0, 1), inserts=True, weight=insertion),
            Term("deletion", (0,), inserts=False, weight=deletion),
            Term("insertion", (1,), inserts=True, weight=insertion),
        )
