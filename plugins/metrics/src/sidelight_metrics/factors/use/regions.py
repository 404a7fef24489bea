"""Region of a true factor: the pixels that show it, by a mask of the data or by drawing the image anew.

    d_p = mean over draws u' of sum_c |x_cp(u') - x_cp(u)|        change of pixel p by the factor, all else the same
    w_p = d_p / max_q d_q                                         weight of the pixel, in [0, 1]; of a mask 0 or 1

A factor that changes nearly every pixel, such as a tint, has no region.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.digests import digest_of
from sidelight_specs.results import Split, State

from sidelight_metrics.factors.redraw import other_values, with_factor
from sidelight_metrics.segments import first_rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sidelight_specs import Run
    from sidelight_specs.roles import Data

GLOBAL = 0.9  # share of the pixels from which on what changes is no region of the image
PROBED = 16  # images by which this is told
LEAST = 0.01  # of the largest change in the image: a pixel that changes less does not show the factor


class Region(NamedTuple):
    """Region of a factor in some images.

    Attributes:
        weights: (N, H, W) float32 in [0, 1]; None where the factor has no region.
        source: `mask NAME`, or `redrawn`, in words for settings.
        cannot: why there is no region, as a sentence; empty where there is one.
    """

    weights: np.ndarray | None
    source: str = ""
    cannot: str = ""


class Regions:
    """Regions of the factors of images of a split."""

    def __init__(self, data: Data, split: str, masks: Mapping[str, str], draws: int, run: Run) -> None:
        self._data, self._name, self._masks, self._draws, self._run = data, split, masks, draws, run

    @cached_property
    def split(self) -> Split:
        """The split of the explained images; its masks may take longer than a heatmap, so what they tell is cached."""
        return self._data.split(self._name)

    def rows(self, images: np.ndarray) -> list[int]:
        """Rows of explained images in the split; -1 for one that it lacks."""

        def search() -> State:
            return State(arrays={"rows": np.array(first_rows_of(self.split, images), np.int64)})

        found = self._run.cached(("rows", self._name, digest_of(images)), search)
        return [int(row) for row in found.arrays["rows"]]

    def known_rows(self, images: np.ndarray) -> list[int]:
        """As `rows`; raises a `UserError` for an image that the split lacks."""
        rows = self.rows(images)
        if -1 in rows:
            raise UserError(
                f'factor-use: the split "{self._name}" lacks image {rows.index(-1)} of those explained',
                "set `split` to the explained split, and name its data with `needs: {data: ID}`",
            )
        return rows

    def of(self, factor: str, rows: Sequence[int]) -> Region:
        """The region of a factor in the images of these rows."""
        mask = self._masks.get(factor, factor)
        masks = self._run.cached(("masks", self._name, list(rows)), lambda: self._masks_of(rows)).arrays
        if mask in masks:
            return Region(masks[mask].astype(np.float32), f"mask {mask}")
        share = self._share_changed(factor)
        if share == 0:
            return Region(None, cannot=f"no pixel changes with {factor}")
        if share >= GLOBAL:
            return Region(None, cannot=f"{factor} has no region: it changes {share:.0%} of the pixels")
        key = ("region", self._name, factor, self._draws, list(rows))
        found = self._run.cached(key, lambda: State(arrays={"weights": self._weights(factor, rows)}))
        return Region(found.arrays["weights"], "pixels that change with it")

    def _masks_of(self, rows: Sequence[int]) -> State:
        """(N, H, W) bool by name."""
        return State(arrays={name: masks[list(rows)] for name, masks in self.split.masks.items()})

    def _share_changed(self, factor: str) -> float:
        """Share of the pixels of the split's first images that show the factor in any draw."""

        def probe() -> State:
            rows = range(min(PROBED, len(self.split)))
            changes = self._changes(factor, rows)
            pixels = np.max([np.abs(change).max(axis=1) for change in changes], axis=0)  # (n, H, W)
            changed = pixels > LEAST * pixels.max(axis=(1, 2), keepdims=True)
            return State(arrays={"share": np.array([changed.mean()], np.float32)})

        key = ("share of pixels", self._name, factor, self._draws)
        return float(self._run.cached(key, probe).arrays["share"][0])

    def _weights(self, factor: str, rows: Sequence[int]) -> np.ndarray:
        """(N, H, W) float32 w; 0 everywhere in an image that no draw changes."""
        amount = np.mean([np.abs(change).sum(axis=1) for change in self._changes(factor, rows)], axis=0)  # d
        largest = amount.max(axis=(1, 2), keepdims=True)
        weights: np.ndarray = np.divide(amount, largest, out=np.zeros_like(amount), where=largest > 0)
        return weights.astype(np.float32)

    def _changes(self, factor: str, rows: Sequence[int]) -> list[np.ndarray]:
        """For each draw (N, C, H, W) x(u') - x(u)."""
        values = other_values(self._data, self.split, factor, self._draws, rows)  # u', (N, draws)
        split = self.split.take(list(rows))
        own = with_factor(self._data, split, factor, split.factors[factor])
        return [with_factor(self._data, split, factor, drawn) - own for drawn in values.T]
