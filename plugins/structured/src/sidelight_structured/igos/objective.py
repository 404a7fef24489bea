"""What a mask is optimised for: deletion and insertion terms by integrated gradients, and the regulariser (eq. 2)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from attrs import frozen
from sidelight_toolkit.batching import slices

from sidelight_structured.class_probability import ClassProbability
from sidelight_structured.masking import blend, similarity, total_variation, upsample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@frozen
class Term:
    """One class-score term of the objective.

    Args:
        name: how reports call it.
        masks: indices of the masks whose product hides (deletion) or shows (insertion) the image.
        inserts: False lowers f_c(Phi(I, M)); True raises f_c(Phi(I, 1 - M)).
        weight: its factor.
    """

    name: str
    masks: tuple[int, ...]
    inserts: bool
    weight: float

    @property
    def sign(self) -> float:
        """What the score is multiplied by in an objective that is minimised."""
        return -self.weight if self.inserts else self.weight


@frozen(eq=False, slots=False)
class Objective:
    """The objective of N images at once; every image has its own.

    Args:
        images: (N, C, H, W) in [0, 1].
        baselines: (N, C, H, W).
        score: f_c.
        terms: the T class-score terms.
        area: lambda_1, the weight of mean |1 - M|.
        smoothness: lambda_2, the weight of the mean of plain variation on the mask's grid and bilateral variation
            on the image's.
        edge: sigma of the bilateral weights, in the images' unit.
        exponent: beta of the total variation.
    """

    images: torch.Tensor
    baselines: torch.Tensor
    score: ClassProbability
    terms: tuple[Term, ...]
    area: float
    smoothness: float
    edge: float
    exponent: float

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.images.shape[-2], self.images.shape[-1]

    def regulariser(self, masks: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """g(M) of the product of the masks: (B, M, h, w) to (B,)."""
        mask = masks.prod(1, keepdim=True)
        weights = similarity(self.images[rows], self.edge)
        bilateral = total_variation(upsample(mask, self.size), weights, self.exponent)
        plain = total_variation(mask, exponent=self.exponent)
        return self.area * (1 - mask).mean((1, 2, 3)) + self.smoothness * 0.5 * (plain + bilateral)

    def value(self, masks: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """The objective on the plain masked images, without noise or integration: (B, M, h, w) to (B,)."""
        return self.regulariser(masks, rows) + self.scores(masks, rows) @ self._signs

    def scores(self, masks: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """f_c of every term on the plain masked images: (B, M, h, w) to (B, T)."""
        found = torch.zeros(len(rows), len(self.terms), device=masks.device)
        for which, terms, _ in self._evaluations(len(rows), 1):
            kept, shown = self._kept(masks[which], terms), rows[which]
            found[which, terms] = self.score.of(blend(self.images[shown], self.baselines[shown], kept), shown)
        return found

    def gradient(self, masks: torch.Tensor, steps: int, noise: Callable[[int], torch.Tensor]) -> torch.Tensor:
        """The integrated gradient (N, M, h, w) with the regular points w = 1/S ... S/S of every term."""
        shares = torch.arange(1, steps + 1, device=masks.device) / steps
        return self.integrated(masks, shares.expand(len(self.terms), steps), noise)[0]

    def integrated(
        self, masks: torch.Tensor, shares: torch.Tensor, noise: Callable[[int], torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The gradient with integrated class-score terms (section 3.2).

        The mean over w of f_c's gradient where the image is w I + (1 - w) I0, with fresh noise at every w
        (section 3.3, trick 2).

        Args:
            masks: (N, M, h, w) of all images.
            shares: (T, S) the values of w for each term.
            noise: index of an evaluation, below T S, to noise (1, C, H, W), the same for all images.

        Returns:
            (N, M, h, w), and the mean over w of each term's f_c, (N, T).
        """
        points = shares.shape[1]
        total, scores = self._regulariser_gradient(masks), torch.zeros(len(masks), len(self.terms), device=masks.device)
        for rows, terms, point in self._evaluations(len(masks), points):
            part = masks[rows].detach().requires_grad_(True)
            kept = shares[terms, point][:, None, None, None] * self._kept(part, terms)
            noisy = self.images[rows] + _stacked(noise, terms * points + point)
            score = self.score.with_gradient(blend(noisy, self.baselines[rows], kept), rows)
            (found,) = torch.autograd.grad((self._signs[terms] * score).sum() / points, part)
            total.index_add_(0, rows, found)
            scores.index_put_((rows, terms), score.detach() / points, accumulate=True)
        return total, scores

    def _regulariser_gradient(self, masks: torch.Tensor) -> torch.Tensor:
        if not (self.area or self.smoothness):  # nor does it then take memory for all images at once
            return torch.zeros_like(masks)
        leaves = masks.detach().requires_grad_(True)
        every = torch.arange(len(masks), device=masks.device)
        (gradient,) = torch.autograd.grad(self.regulariser(leaves, every).sum(), leaves)
        return gradient

    def _evaluations(self, count: int, points: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Images, terms and points of everything to evaluate, a batch of the classifier's at a time."""
        terms = len(self.terms)
        for part in slices(count * terms * points, self.score.batch):
            number = torch.arange(part.start, part.stop, device=self.images.device)
            evaluation = number // count
            yield number % count, evaluation // points, evaluation % points

    def _kept(self, masks: torch.Tensor, terms: torch.Tensor) -> torch.Tensor:
        """The share of the image that each term keeps, (B, 1, H, W), for masks (B, M, h, w) and terms (B,)."""
        used = torch.where(self._uses[terms][:, :, None, None], masks, torch.ones_like(masks))
        mask = upsample(used.prod(1, keepdim=True), self.size)
        return torch.where(self._inserts[terms][:, None, None, None], 1 - mask, mask)

    @cached_property
    def _uses(self) -> torch.Tensor:
        """(T, M) bool: the masks of each term."""
        count = 1 + max(index for term in self.terms for index in term.masks)
        uses = [[index in term.masks for index in range(count)] for term in self.terms]
        return torch.tensor(uses, device=self.images.device)

    @cached_property
    def _inserts(self) -> torch.Tensor:
        return torch.tensor([term.inserts for term in self.terms], device=self.images.device)

    @cached_property
    def _signs(self) -> torch.Tensor:
        return torch.tensor([term.sign for term in self.terms], device=self.images.device)


def _stacked(noise: Callable[[int], torch.Tensor], indices: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W): the noise of a batch of evaluations, neighbours of which often share it."""
    drawn = {index: noise(index) for index in dict.fromkeys(indices.tolist())}
    return torch.cat([drawn[index] for index in indices.tolist()])
