"""Sets of visible patches and what the classifier says of them, each set asked once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from sidelight_structured.masking import blend, levels, upsample

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_structured.class_probability import ClassProbability

PatchSet = frozenset[int]
"""Indices of visible patches, row-major over the grid."""


class PatchScores:
    """The class's probability of one image when only some patches of it are visible, relative to the full image's.

    What is scored are 8-bit pictures, the ones that a page shows: rounding alone moves confidences by some .03 on
    EfficientNet-Lite0, whose answer to a smooth blur depends on its last bits.

    Args:
        image: (C, H, W) in [0, 1].
        baseline: (C, H, W), shown in the other patches.
        grid: rows and columns of patches.
        score: f_c of the images that `row` belongs to.
        row: which of the images this is.
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
        self._image = levels(image)
        self._baseline = levels(baseline)
        self._like = image
        self._score = score
        self._row = row
        self._soft = soft
        self._known: dict[PatchSet, float] = {}
        self.full = self._probabilities([PatchSet(range(self.count))])[0]

    @property
    def count(self) -> int:
        """The number of patches."""
        return self.grid[0] * self.grid[1]

    @property
    def evaluations(self) -> int:
        """How many distinct sets have been scored."""
        return len(self._known)

    def __call__(self, sets: Iterable[PatchSet]) -> dict[PatchSet, float]:
        """Confidence of each set: its probability over the full image's. New sets are scored in batches, once."""
        asked = list(sets)
        new = [patches for patches in dict.fromkeys(asked) if patches not in self._known]
        if new:
            self._known.update(zip(new, (value / self.full for value in self._probabilities(new)), strict=True))
        return {patches: self._known[patches] for patches in asked}

    def visible(self, sets: list[PatchSet]) -> torch.Tensor:
        """Images (B, C, H, W), rounded to 8 bits, in which only these patches show."""
        masks = torch.zeros(len(sets), 1, *self.grid, dtype=torch.float64)  # in float32, pixels would round both ways
        for mask, patches in zip(masks, sets, strict=True):
            mask.view(-1)[list(patches)] = 1
        size = (self._image.shape[-2], self._image.shape[-1])
        kept = upsample(masks, size) if self._soft else functional.interpolate(masks, size, mode="nearest-exact")
        return (blend(self._image, self._baseline, kept).round() / 255).to(self._like)  # round(I M + I0 (1 - M))

    def _probabilities(self, sets: list[PatchSet]) -> list[float]:
        found: list[float] = []
        for start in range(0, len(sets), self._score.batch):
            shown = self.visible(sets[start : start + self._score.batch])
            rows = torch.full((len(shown),), self._row, device=shown.device)
            found += self._score.of_many(shown, rows).tolist()
        return found
