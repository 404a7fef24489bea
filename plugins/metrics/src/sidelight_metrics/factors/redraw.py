"""Images drawn anew with one true factor changed, all else the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sidelight_specs.results import Split
    from sidelight_specs.roles import Data


def with_factor(data: Data, split: Split, factor: str, value: float) -> np.ndarray:
    """(N, C, H, W) images of a split, drawn anew with one factor at this value."""
    factors = {name: split.factors[name] for name in data.factor_ranges}
    return data.render({**factors, factor: np.full(len(split), value, dtype=np.float32)})
