"""What a mask is optimised for: deletion and insertion terms by integrated gradients, and the regulariser (eq. 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from attrs import frozen
from sidelight_toolkit.batching import slices

from sidelight_structured.masking import blend, similarity, total_variation, upsample
from sidelight_structured.scoring import ClassProbability

if TYPE_CHECKING:
    from collections.abc import Callable


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

    def kept(self, masks: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """The share of the image that is kept, (B, 1, H, W), for masks (B, M, h, w)."""
        mask = upsample(masks[:, list(self.masks)].prod(1, keepdim=True), size)
        return 1 - mask if self.inserts else mask


@frozen(eq=False)
class Objective:
    """The objective of N images at once; every image has its own.

    Args:
        images: (N, C, H, W) in [0, 1].
        baselines: (N, C, H, W).
        score: f_c.
        terms: the class-score terms.
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
        total = self.regulariser(masks, rows)
        for term in self.terms:
            sign = -term.weight if term.inserts else term.weight
            total = total + sign * self._scores(term, masks, rows)
        return total

    def _scores(self, term: Term, masks: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        parts = []
        for part in slices(len(rows), self.score.batch):
            kept = term.kept(masks[part], self.size)
            parts.append(self.score.of(blend(self.images[rows[part]], self.baselines[rows[part]], kept), rows[part]))
        return torch.cat(parts)

    def gradient(self, masks: torch.Tensor, steps: int, noise: Callable[[int], torch.Tensor]) -> torch.Tensor:
        """The gradient with integrated class-score terms (section 3.2).

        The mean over w = 1/S ... S/S of f_c's gradient where the image is w I + (1 - w) I0, with fresh noise at
        every w (section 3.3, trick 2).

        Args:
            masks: (N, M, h, w) of all images.
            steps: S.
            noise: index of an evaluation to noise (1, C, H, W), the same for all images.

        Returns:
            (N, M, h, w).
        """
        masks = masks.detach().requires_grad_(True)
        every = torch.arange(len(masks), device=masks.device)
        (total,) = torch.autograd.grad(self.regulariser(masks, every).sum(), masks)
        for number, term in enumerate(self.terms):
            for step in range(steps):
                total += self._score_gradient(term, masks, (step + 1) / steps, noise(number * steps + step)) / steps
        return total

    def _score_gradient(self, term: Term, masks: torch.Tensor, share: float, noise: torch.Tensor) -> torch.Tensor:
        sign = -term.weight if term.inserts else term.weight
        total = torch.zeros_like(masks)
        every = torch.arange(len(masks), device=masks.device)
        for part in slices(len(masks), self.score.batch):
            kept = share * term.kept(masks[part], self.size)
            shown = blend(self.images[part] + noise, self.baselines[part], kept)
            score = sign * self.score.with_gradient(shown, every[part]).sum()
            total += torch.autograd.grad(score, masks)[0]
        return total
