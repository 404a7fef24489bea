"""LPIPS between images and what was made of them (Zhang et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs import SidelightError
from sidelight_specs.results import Counterfactual, Inversion, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_stylegan2.perceptual import lite0_distance, lpips_distance
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import slices

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from torch import Tensor

    from sidelight_stylex.params import LpipsParams


class Lpips(Metric):
    """How far counterfactuals or reconstructions look from the explained images."""

    def __init__(self, params: LpipsParams, *, run: Run) -> None:
        self._params, self._run = params, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """One distance for each image; never another network's than the one that was asked for.

        Raises:
            UserError: the network is not on this machine.
        """
        del targets
        others = to_tensor(_made(explanation), self._run)
        distance = {"lpips": lpips_distance, "efficientnet-lite": lite0_distance}[self._params.network](
            self._run.device
        )
        found = []
        with torch.no_grad():
            for part in self._run.progress(list(slices(len(images), self._params.batch)), "comparing"):
                found.append(distance.between(distance.features(images[part]), distance.features(others[part])))
        return Measurements(
            items=(
                Measurement(
                    name="LPIPS" if self._params.network == "lpips" else "perceptual distance",
                    values=to_array(torch.cat(found)),
                    better="lower",
                    unit="distance",
                    help=f"Distance of the image and what was made of it, as a network sees them: {distance.what}.",
                ),
            )
        )


def _made(explanation: Artifact) -> np.ndarray:
    if isinstance(explanation, Counterfactual):
        return explanation.images
    if isinstance(explanation, Inversion):
        return explanation.reconstructions
    raise SidelightError(f"lpips measures counterfactuals and inversions, not a {explanation.kind!r}")
