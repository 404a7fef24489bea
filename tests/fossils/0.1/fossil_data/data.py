"""Bars on a dark ground: class 0 lies, class 1 stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Split
from sidelight_specs.roles import Data

if TYPE_CHECKING:
    from sidelight_specs import Run

    from fossil_data import DataParams


class Data(Data):
    """Images are (N, 1, size, size). The factor `brightness` and the mask `bar` are known exactly."""

    splits = ("train", "test")

    def __init__(self, params: DataParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def split(self, name: str) -> Split:
        """`train` or `test`, drawn anew and always alike."""
        if name not in self.splits:
            raise UserError(f"there is no split {name!r}", f"Choose one of {', '.join(self.splits)}.")
        rng, count, size = self._run.rng(name), self._params.count, self._params.size
        labels = np.arange(count) % 2
        brightness = rng.uniform(0.5, 1.0, count).astype(np.float32)
        starts = rng.integers(0, size - size // 4, count)
        masks = np.zeros((count, size, size), dtype=bool)
        for mask, label, start in zip(masks, labels, starts, strict=True):
            lines = slice(start, start + size // 4)
            mask[(slice(None), lines) if label else lines] = True
        return Split(
            images=(masks * brightness[:, None, None])[:, None].astype(np.float32),
            labels=labels.astype(np.int64),
            class_names=("lying", "standing"),
            ids=tuple(f"{name}-{row}" for row in range(count)),
            factors={"brightness": brightness},
            masks={"bar": masks},
        )
