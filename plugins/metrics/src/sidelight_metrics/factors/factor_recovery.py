"""True factors that survive reconstruction by a generator.

    recovery of f = Pearson's r, over unseen images x, of r_f(x) and r_f(G(E(x)))      1 is best, higher is better

r_f reads factor f off an image: a network trained on images whose true factors are known (`sidelight_toolkit.factors`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Inversion, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_tensor
from sidelight_toolkit.factors import factor_regressor

from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.statistics import fisher_interval

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data, Inverter
    from torch import Tensor

    from sidelight_metrics.params import FactorRecoveryParams


class FactorRecovery(Metric):
    """Correlation of each factor as read off images of a split and off their reconstructions."""

    def __init__(self, params: FactorRecoveryParams, *, inverter: Inverter, data: Data, run: Run) -> None:
        self._params, self._inverter, self._data, self._run = params, inverter, data, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`recovery of` each factor, on the first `count` images of the split; the explanation's own are not used."""
        del images, targets
        expect_kind(explanation, Inversion)
        params = self._params
        reader = factor_regressor(self._data, self._run, params.images, params.steps, params.batch)
        originals = to_tensor(self._data.split(params.split).read(count=params.count).images, self._run)
        reconstructions = self._inverter.invert(originals).reconstructions
        before, after = reader.read(originals), reader.read(reconstructions)  # (n, F)
        items = []
        for column, name in enumerate(reader.names):
            correlation = _correlation(before[:, column], after[:, column], reader.levels[column])
            items.append(
                Measurement(
                    name=f"recovery of {name}",
                    values=np.array([correlation], dtype=np.float32),
                    whole=True,
                    limits=fisher_interval(correlation, len(before)),
                    better="higher",
                    unit="correlation",
                    help=f"Whether {name} is the same in image and reconstruction, read by a network trained on true "
                    "factors; 1 where it always is.",
                    settings={
                        "images": str(len(before)),
                        "split": params.split,
                        "R2 of the reading": f"{reader.r_squared[column]:.2f}",
                    },
                )
            )
        return Measurements(items=tuple(items))


def _correlation(one: np.ndarray, other: np.ndarray, levels: int) -> float:
    """Pearson's, of (N,) readings; of several levels, of their indicators. NaN where either is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    if levels > 2:  # levels have no order
        one, other = ((values[:, None] == np.arange(levels)).astype(float) for values in (one, other))  # (N, L)
        one, other = ((values - values.mean(0)).ravel() for values in (one, other))
    return float(np.corrcoef(one, other)[0, 1])
