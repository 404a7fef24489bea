"""Images drawn anew with one true factor changed, all else the same."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results import Split
    from sidelight_specs.roles import Data


def with_factor(data: Data, split: Split, factor: str, value: float | np.ndarray) -> np.ndarray:
    """(N, C, H, W) images of a split, drawn anew with one factor at this value, or each at its own of (N,)."""
    factors = {name: split.factors[name] for name in data.factor_ranges}
    values = np.broadcast_to(np.asarray(value, dtype=np.float32), len(split)).copy()
    return data.render({**factors, factor: values})


def other_values(data: Data, split: Split, factor: str, draws: int, rows: Sequence[int]) -> np.ndarray:
    """(n, draws) float32 values of a factor for some rows of a split, each drawn from the values of the other images.

    Values equal to the image's own are left out: a factor drawn anew is a changed one. Where all images share one
    value, the ends of the factor's range stand in for the others'. What is drawn for an image depends on its row and
    the factor's name alone, so that it is the same for every model, explanation and shard.

    Args:
        data: that the split is of.
        split: with factors; its images are not read.
        factor: name.
        draws: values for each image.
        rows: of the split.
    """
    seed = int.from_bytes(blake2b(factor.encode(), digest_size=8).digest(), "big")
    lots = np.random.default_rng(seed).random((len(split), draws))[list(rows)]  # (n, draws) in [0, 1)
    known, ends = np.sort(split.factors[factor]), np.array(data.factor_ranges[factor], np.float32)
    values = np.empty(lots.shape, np.float32)
    for index, own in enumerate(split.factors[factor][list(rows)]):
        others = known[known != own]
        if not len(others):
            others = ends[ends != own] if (ends != own).any() else ends
        values[index] = others[(lots[index] * len(others)).astype(int)]
    return values
