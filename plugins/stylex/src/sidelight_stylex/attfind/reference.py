"""The styles of training images: the range of every coordinate, and what pictures of the data look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import State
from sidelight_toolkit.arrays import to_array, to_tensor

if TYPE_CHECKING:
    from sidelight_specs.roles import Data, Inverter
    from torch import Tensor

    from sidelight_stylex.attfind.style_effects import Models


def training_styles(models: Models, data: Data | None, inverter: Inverter | None, count: int) -> Tensor | None:
    """(R, S) styles of the first `count` training images, inverted once and kept by `run.cached`.

    None where there is no data or no inverter to do it with, or `count` is 0.
    """
    if data is None or inverter is None or not count:
        return None

    def inverted() -> State:
        images = data.split("train").images[:count]
        latents = to_tensor(inverter.invert(to_tensor(images, models.run)).latents, models.run)
        return State(arrays={"styles": to_array(models.styles(latents))})

    return to_tensor(models.run.cached(("styles of training images", count), inverted).arrays["styles"], models.run)


def ranges_of(styles: Tensor, quantile: float) -> np.ndarray:
    """(S, 2) float32: the quantiles `quantile` and 1 - `quantile` of (N, S) styles; minimum and maximum for 0."""
    found = np.quantile(to_array(styles).astype(np.float64), [quantile, 1 - quantile], axis=0)
    return np.ascontiguousarray(found.T.astype(np.float32))
