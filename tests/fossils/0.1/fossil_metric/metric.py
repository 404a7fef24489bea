"""How concentrated a heatmap is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Heatmap, Measurement, Measurements
from sidelight_specs.roles import Metric

if TYPE_CHECKING:
    import torch
    from sidelight_specs import Artifact, Run
    from sidelight_specs.results import Targets

    from fossil_metric import MetricParams


class Metric(Metric):
    """The smallest share of pixels that together hold `mass` of the heatmap's absolute total."""

    def __init__(self, params: MetricParams, *, run: Run) -> None:
        self._params = params

    def measure(self, explanation: Artifact, images: torch.Tensor, targets: Targets) -> Measurements:
        """One share for each image; NaN for a heatmap that is zero everywhere."""
        if not isinstance(explanation, Heatmap):
            raise TypeError(f"metric measures heatmaps, not a {type(explanation).__name__}")
        values = np.abs(explanation.values).reshape(len(explanation.values), -1).astype(np.float64)
        ordered = -np.sort(-values, axis=1)
        reached = ordered.cumsum(1) >= self._params.mass * ordered.sum(1, keepdims=True)
        shares = (reached.argmax(1) + 1) / values.shape[1]
        shares[ordered[:, 0] == 0] = np.nan
        found = Measurement(
            name="metric",
            values=shares.astype(np.float32),
            better="lower",
            unit="share of pixels",
            help=f"The smallest share of pixels that hold {self._params.mass:.0%} of the heatmap's absolute values.",
            settings={"mass": str(self._params.mass)},
        )
        return Measurements(items=(found,))
