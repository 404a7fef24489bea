"""Photographs of things, cut out and laid on photographed backgrounds: objects whose pixels are known.

Every image is composed from factors, so that any one of them can be changed alone. No cut-out is in two splits.
`aligned` and `confounds` tie a background or another factor to a class, the shortcut of Beery et al. 2018 (cows on
beaches) and Sagawa et al. 2020 (waterbirds on water).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs import SidelightError, UserError
from sidelight_specs.lazy import LazyImages
from sidelight_specs.results import Split
from sidelight_specs.roles import Data

from sidelight_images.composition import Composition
from sidelight_images.cutout_factors import as_table, draw_cutouts, factor_levels, factor_ranges
from sidelight_images.facts import folder_fingerprint
from sidelight_images.stamps import list_cutouts, mask_names, split_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_specs import Run

    from sidelight_images.params import CutoutsParams


class CutoutImages(Data):
    """Images composed when they are indexed."""

    def __init__(self, params: CutoutsParams, *, run: Run) -> None:
        self._params, self._run = params, run
        # functions that remember, and no attributes: the guard of a run looks through these around every step
        self._listed = cache(lambda: list_cutouts(params))
        self._composition = cache(lambda: Composition(params, self._listed()))

    @property
    def splits(self) -> tuple[str, ...]:
        """`train`, `validation`, `test`; where a factor is tied also `test-decorrelated` and `test-conflicting`."""
        return tuple(split_sizes(self._params))

    @property
    def factor_ranges(self) -> Mapping[str, tuple[float, float]]:
        """Those of `factor_levels` are numbers of a list, the rest are measures (`docs/reference/images.md`)."""
        return factor_ranges(self._params, self._listed())

    @property
    def factor_levels(self) -> Mapping[str, tuple[str, ...]]:
        """Cut-outs and backgrounds by name, and what is there or not."""
        return factor_levels(self._params, self._listed())

    def split(self, name: str) -> Split:
        """(N, 3, size, size) images, unread; masks where nothing is trained."""
        if name not in self.splits:
            raise UserError(f'there is no split "{name}"', f"use one of: {', '.join(self.splits)}")
        listed, size = self._listed(), self._params.size
        labels, factors = draw_cutouts(self._params, listed, name)
        rows = self._rows(factors)
        images: Any = LazyImages(  # stands for an array
            (len(rows), 3, size, size),
            lambda row: self._composition().compose(rows[row]),
            progress=self._run.progress,
        )
        grounds = tuple(listed.backgrounds)
        ids = tuple(
            f"{name}-{row}-{listed.entries[int(value['cut-out'])].path.stem}-on-{grounds[int(value['background'])]}"
            for row, value in enumerate(rows)
        )
        masks = {}
        if name != "train":
            drawn = [self._composition().masks(row) for row in rows]
            masks = {part: np.array([each[part] for each in drawn]) for part in mask_names(self._params)}
        return Split(images=images, labels=labels, class_names=listed.classes, ids=ids, factors=factors, masks=masks)

    def render(self, factors: Mapping[str, np.ndarray]) -> np.ndarray:
        """(N, 3, size, size) float32 images of these factors, each name to (N,); values are clipped to their ranges.

        Raises:
            SidelightError: a factor is missing, unknown or not finite.
        """
        return np.array([self._composition().compose(row) for row in self._rows(factors)])

    def fingerprint(self) -> str:
        """Paths, sizes and times of change of the files that images are made of."""
        return folder_fingerprint(self._listed().files)

    def _rows(self, factors: Mapping[str, np.ndarray]) -> list[dict[str, float]]:
        """One mapping of factors to values for each image."""
        ranges = self.factor_ranges
        try:
            table = as_table(factors, ranges)
        except ValueError as error:
            raise SidelightError(f"images/cutouts: {error}") from error
        return [dict(zip(ranges, row, strict=True)) for row in table.tolist()]
