"""LPIPS between images and their counterfactuals or reconstructions (Zhang et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs.results import Counterfactual, Inversion, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.perceptual import lite0_distance, lpips_distance

from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.params import COMPARED_ON_CPU

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from torch import Tensor

    from sidelight_metrics.params import LpipsParams


class Lpips(Metric):
    """One perceptual distance for each image."""

    def __init__(self, params: LpipsParams, *, run: Run) -> None:
        self._params, self._run = params, run
        self._batch = Batch(params.batch, run, COMPARED_ON_CPU)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`LPIPS`, or `perceptual distance` with another network; never another network than the one named.

        Raises:
            UserError: the network is not on this machine.
        """
        del targets
        others = to_tensor(_images_of(explanation), self._run)
        is_lpips = self._params.network == "lpips"
        distance = (lpips_distance if is_lpips else lite0_distance)(self._run.device)

        def of_rows(rows: slice) -> torch.Tensor:
            with torch.no_grad():
                return distance.between(distance.features(images[rows]), distance.features(others[rows]))

        values = self._batch.each(of_rows, len(images), "comparing")
        return Measurements(
            items=(
                Measurement(
                    name="LPIPS" if is_lpips else "perceptual distance",
                    values=to_array(torch.cat(values)),
                    better="lower",
                    unit="distance",
                    help=f"Perceptual distance to the counterfactual or reconstruction: {distance.name}.",
                ),
            )
        )


def _images_of(explanation: Artifact) -> np.ndarray:
    result = expect_kind(explanation, Counterfactual, Inversion)
    return result.images if isinstance(result, Counterfactual) else result.reconstructions
