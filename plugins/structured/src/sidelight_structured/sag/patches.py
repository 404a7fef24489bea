"""Confidence of sets of visible patches: f_c(Phi(I, M)) / f_c(I), M being 1 on the patches of the set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.batching import slices
from sidelight_toolkit.images import upsample_cells
from torch.nn import functional

from sidelight_structured.class_probability import blend

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_structured.class_probability import ClassProbability

PatchSet = frozenset[int]
"""Indices of visible patches, row-major over the grid."""


def eight_bit(images: torch.Tensor) -> torch.Tensor:
    """Images in [0, 1] rounded to 8 bits a channel."""
    return (images * 255).round() / 255


class PatchScores:
    """Confidences of one image's sets of patches; each distinct set is scored once.

    The scored images are rounded to 8 bits, as a page shows them: rounding alone moves confidences by some .03 on
    EfficientNet-Lite0, whose answer to a smooth blur depends on its last bits.

    Args:
        image: (C, H, W) in [0, 1].
        baseline: (C, H, W), shown in the other patches.
        grid: rows and columns of patches.
        score: f_c of the images that `row` belongs to.
        row: index of the image among those of `score`.
        soft: bilinear borders between patches, which then overlap like tents; hard squares otherwise.
    """

    def __init__(
        self,
        image: torch.Tensor,
        baseline: torch.Tensor,
        grid: tuple[int, int],
        score: ClassProbability,
        row: int,
        soft: bool,
    ) -> None:
        self.grid = grid
        self._image = _levels(image)
        self._baseline = _levels(baseline)
        self._like = image
        self._score = score
        self._row = row
        self._soft = soft
        self._known: dict[PatchSet, float] = {}
        everything = PatchSet(range(grid[0] * grid[1]))
        self.full = self._probabilities([everything])[0]
        self._known[everything] = 1.0

    def __call__(self, sets: Iterable[PatchSet]) -> dict[PatchSet, float]:
        """Confidence of each set; new sets are scored in batches."""
        wanted = list(sets)
        new = [patches for patches in dict.fromkeys(wanted) if patches not in self._known]
        if new:
            # a confidence: f_c(Phi(I, M)) / f_c(I)
            self._known.update(zip(new, (value / self.full for value in self._probabilities(new)), strict=True))
        return {patches: self._known[patches] for patches in wanted}

    def visible(self, sets: list[PatchSet]) -> torch.Tensor:
        """Images (B, C, H, W), rounded to 8 bits, in which only these patches show."""
        cells = torch.zeros(len(sets), 1, *self.grid, dtype=torch.float64)  # float32 would round pixels both ways
        for mask, patches in zip(cells, sets, strict=True):
            mask.view(-1)[list(patches)] = 1
        size = (self._image.shape[-2], self._image.shape[-1])
        masks = upsample_cells(cells, size) if self._soft else functional.interpolate(cells, size, mode="nearest-exact")
        return (blend(self._image, self._baseline, masks).round() / 255).to(self._like)  # round(I M + I0 (1 - M))

    def _probabilities(self, sets: list[PatchSet]) -> list[float]:
        probabilities: list[float] = []
        for batch in slices(len(sets), self._score.at_once):
            images = self.visible(sets[batch])
            rows = torch.full((len(images),), self._row, device=images.device)
            probabilities += self._score.of_many(images, rows).tolist()
        return probabilities


def _levels(images: torch.Tensor) -> torch.Tensor:
    """Images in [0, 1] as levels 0 to 255, float64 on the CPU, because not every device has float64."""
    return (images * 255).round().cpu().double()
