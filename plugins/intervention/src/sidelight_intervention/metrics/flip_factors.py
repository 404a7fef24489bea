"""Change of true factors between the concept images before and after a flip (figure 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Intervention, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.factors import factor_regressor

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

    The sign is that of the change from the first class to the second, so that flips of both ways add up. A network
    trained on true factors reads them off the pictures.
    """

    def __init__(self, params: FlipFactorsParams, *, data: Data, run: Run) -> None:
        self.params, self.data, self.run = params, data, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`flipped: F` of each factor F, one value for each image, NaN where the flip does not change the class.

        Raises:
            UserError: the classifier has not two classes, or the data no such factor.
        """
        del images, targets
        if not isinstance(explanation, Intervention):
            raise SidelightError(f"flip-factors measures interventions, not {explanation.kind}")
        classes = explanation.logits_before.shape[1]
        if classes != 2:
            raise UserError(f"flip-factors compares two classes, the classifier has {classes}", "choose two")
        reader = factor_regressor(self.data, self.run, self.params.reader_images, self.params.reader_steps)
        said, became = explanation.logits_before.argmax(1), explanation.logits_after.argmax(1)
        towards_second = np.where(said == became, np.nan, became - said)  # +1, -1, or NaN
        change = reader.half_ranges(explanation.before, explanation.after) * towards_second[:, None]
        between = _between(reader.half_ranges(explanation.before[:1], explanation.before), said == 1)
        places = [reader.names.index(name) for name in self._chosen(reader.names)]
        return Measurements(
            items=tuple(self._item(reader, place, change[:, place], between[place]) for place in places)
        )

    def _chosen(self, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in self.params.factors if name not in names]
        if unknown:
            raise UserError(f"flip-factors: no factor {', '.join(unknown)}", f"name one of {', '.join(names)}")
        return self.params.factors or names

    def _item(self, reader: FactorRegressor, place: int, change: np.ndarray, between: float) -> Measurement:
        name, valid = reader.names[place], change[np.isfinite(change)]
        settings = {
            "R2 of the reading": f"{reader.r_squared[place]:.2f}",
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


def _between(read: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(F,): mean of the second class's pictures minus that of the first's; NaN without both."""
    if second.all() or not second.any():
        return np.full(read.shape[1], np.nan)
    return np.asarray(read[second].mean(0) - read[~second].mean(0))
