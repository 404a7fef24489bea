"""Ground-truth factors that survive reconstruction by a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.results import Inversion, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_tensor
from sidelight_toolkit.factors import factor_regressor

from sidelight_metrics.statistics import fisher_interval

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data, Inverter
    from torch import Tensor

    from sidelight_metrics.params import FactorRecoveryParams


class FactorRecovery(Metric):
    """Reads every factor off images of a split and off their reconstructions, by a network trained on true factors."""

    def __init__(self, params: FactorRecoveryParams, *, inverter: Inverter, data: Data, run: Run) -> None:
        self._params, self._inverter, self._data, self._run = params, inverter, data, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`recovery of` each factor: the correlation, over the images, of the two readings.

        Raises:
            SidelightError: the explanation is no inversion.
        """
        del images, targets
        if not isinstance(explanation, Inversion):
            raise SidelightError(f"factor-recovery measures inversions, not a {explanation.kind!r}")
        params = self._params
        reader = factor_regressor(self._data, self._run, params.images, params.steps, params.batch)
        originals = to_tensor(self._data.split(params.split).images[: params.count], self._run)
        again = self._inverter.invert(originals).reconstructions
        read, reread = reader.read(originals), reader.read(again)
        found = [_correlation(read[:, column], reread[:, column]) for column in range(len(reader.names))]
        return Measurements(
            items=tuple(
                Measurement(
                    name=f"recovery of {name}",
                    values=np.array([found[column]], dtype=np.float32),
                    limits=fisher_interval(found[column], len(read)),
                    better="higher",
                    unit="correlation",
                    help=f"Whether {name} is the same in image and reconstruction, read by a network trained on true "
                    "factors; 1 where it always is.",
                    settings={
                        "images": str(len(read)),
                        "split": params.split,
                        "R2 of the reading": f"{reader.r_squared[column]:.2f}",
                    },
                )
                for column, name in enumerate(reader.names)
            )
        )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's; NaN where either is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
