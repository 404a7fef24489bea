"""Figure 6: change of true factors between the concept images before and after a flip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Intervention, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.factors import factor_regressor

from sidelight_intervention.metrics import select_factors

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from sidelight_toolkit.factors import FactorRegressor
    from torch import Tensor

    from sidelight_intervention.params import FlipFactorsParams


class FlipFactors(Metric):
    """g(psi) - g(phi') in true factors, of the flips that turn one of two classes into the other.

    The sign is that of the change from the first class to the second, so that flips of both directions add up. A
    network trained on true factors reads them off the concept images.
    """

    def __init__(self, params: FlipFactorsParams, *, data: Data, run: Run) -> None:
        self._params, self._data, self._run = params, data, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`flipped: F` of each factor F, one value for each image, NaN where the flip does not change the class.

        Raises:
            UserError: the classifier has not two classes, or the data no such factor.
        """
        del images, targets
        if not isinstance(explanation, Intervention):
            raise SidelightError(f"flip-factors measures interventions, not {explanation.kind}")
        count = explanation.logits_before.shape[1]
        if count != 2:
            raise UserError(
                f"flip-factors compares two classes, the classifier has {count}", "use a classifier of two classes"
            )
        reader = factor_regressor(self._data, self._run, self._params.reader_images, self._params.reader_steps)
        before, after = explanation.logits_before.argmax(1), explanation.logits_after.argmax(1)
        sign = np.where(before == after, np.nan, after - before)  # towards the second class: +1, -1, or NaN
        change = reader.half_ranges(explanation.before, explanation.after) * sign[:, None]  # (N, F)
        between = _between(reader.half_ranges(explanation.before[:1], explanation.before), before == 1)
        names = select_factors("flip-factors", self._params.factors, reader.names)
        columns = [reader.names.index(name) for name in names]
        return Measurements(
            items=tuple(_measurement(reader, column, change[:, column], between[column]) for column in columns)
        )


def _measurement(reader: FactorRegressor, column: int, change: np.ndarray, between: float) -> Measurement:
    name, valid = reader.names[column], change[np.isfinite(change)]
    settings = {
        "R2 of the reading": f"{reader.r_squared[column]:.2f}",
        "flips that change the class": f"{len(valid)} of {len(change)}",
        "between the classes before": f"{between:+.2f}",
    }
    return Measurement(
        name=f"flipped: {name}",
        values=change.astype(np.float32),
        unit="half-ranges",
        help=f"How much {name} grows in the concept image when a flip turns the first class into the second, read "
        "by a network trained on true factors; 2 is the whole range.",
        settings=settings,
    )


def _between(factors: np.ndarray, is_second: np.ndarray) -> np.ndarray:
    """(F,): mean of the second class's concept images minus that of the first's; NaN without both."""
    if is_second.all() or not is_second.any():
        return np.full(factors.shape[1], np.nan)
    return np.asarray(factors[is_second].mean(0) - factors[~is_second].mean(0))
