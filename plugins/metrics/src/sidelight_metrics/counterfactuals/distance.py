"""Size of a counterfactual's change: norms over all channels and pixels, and the share of pixels left as they were.

L1 = sum |x' - x|,   L2 = sqrt(sum (x' - x)^2),   L-infinity = max |x' - x|      in brightness, lower is better
sparsity = share of the pixels p with max_c |x'_cp - x_cp| < threshold           higher is better
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Counterfactual, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array

from sidelight_metrics.counterfactuals import converged_only
from sidelight_metrics.kinds import expect_kind

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from torch import Tensor

    from sidelight_metrics.params import DistanceParams


class Distance(Metric):
    """Norms of the change, and its sparsity."""

    def __init__(self, params: DistanceParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`L1`, `L2`, `L-infinity` and `sparsity`; NaN where the search failed."""
        result, threshold = expect_kind(explanation, Counterfactual), self._params.threshold
        change = np.abs(result.images.astype(np.float64) - to_array(images))  # (N, C, H, W)
        flat = change.reshape(len(change), -1)
        unchanged = (change.max(axis=1) < threshold).mean(axis=(1, 2))
        norms = {"L1": flat.sum(1), "L2": np.sqrt((flat**2).sum(1)), "L-infinity": flat.max(1)}
        items = [
            Measurement(
                name=name,
                values=converged_only(values, result),
                better="lower",
                unit="brightness",
                help=f"{name} norm of the change over all channels and pixels; failed searches left out.",
            )
            for name, values in norms.items()
        ]
        sparsity = Measurement(
            name="sparsity",
            values=converged_only(unchanged, result),
            better="higher",
            unit="share of pixels",
            help="Pixels none of whose channels changes by the threshold or more; failed searches left out.",
            settings={"threshold": f"{threshold:g}"},
        )
        return Measurements(items=(*items, sparsity))
