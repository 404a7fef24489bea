"""How much of the image a counterfactual changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array

from sidelight_metrics.counterfactuals import counterfactual, of_answers

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from torch import Tensor

    from sidelight_metrics.params import DistanceParams


class Distance(Metric):
    """Norms of the change over all channels and pixels, and the share of pixels left as they were."""

    def __init__(self, params: DistanceParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`L1`, `L2`, `L-infinity` and `sparsity`; NaN where the search failed."""
        found, threshold = counterfactual(explanation), self._params.threshold
        change = np.abs(found.images.astype(np.float64) - to_array(images))
        flat = change.reshape(len(change), -1)
        kept = (change.max(axis=1) < threshold).mean(axis=(1, 2))
        norms = {"L1": flat.sum(1), "L2": np.sqrt((flat**2).sum(1)), "L-infinity": flat.max(1)}
        items = [
            Measurement(
                name=name,
                values=of_answers(values, found),
                better="lower",
                unit="brightness",
                help=f"{name} norm of the change over all channels and pixels; failed searches left out.",
            )
            for name, values in norms.items()
        ]
        sparsity = Measurement(
            name="sparsity",
            values=of_answers(kept, found),
            better="higher",
            unit="share of pixels",
            help="Pixels none of whose channels changes by the threshold or more; failed searches left out.",
            settings={"threshold": f"{threshold:g}"},
        )
        return Measurements(items=(*items, sparsity))
