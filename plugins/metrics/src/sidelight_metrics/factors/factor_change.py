"""Change of the true factors from an image to its counterfactual or reconstruction.

    change of f = (r_f(x') - r_f(x)) / half-range of f       in half-ranges, signed; 2 is the whole range

r_f reads factor f off an image: a network trained on images whose true factors are known (`sidelight_toolkit.factors`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Counterfactual, Inversion, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.factors import factor_regressor

from sidelight_metrics.kinds import expect_kind

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_metrics.params import FactorChangeParams


class FactorChange(Metric):
    """Factors that a counterfactual changes, or that an inversion loses."""

    def __init__(self, params: FactorChangeParams, *, data: Data, run: Run) -> None:
        self._params, self._data, self._run = params, data, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`change of` each factor; NaN where a search failed.

        The regressor's R squared on images that it did not learn from is emitted as `regressor`.
        """
        del targets
        result = expect_kind(explanation, Counterfactual, Inversion)
        if isinstance(result, Counterfactual):
            others, valid = result.images, result.converged.astype(bool)
        else:
            others, valid = result.reconstructions, np.ones(len(result.reconstructions), dtype=bool)
        params = self._params
        reader = factor_regressor(self._data, self._run, params.images, params.steps, params.batch)
        names = self._checked_names(reader.names)
        self._run.emit("regressor", _quality(reader.names, reader.r_squared))
        change = np.where(valid[:, None], reader.half_ranges(images, others), np.nan).astype(np.float32)  # (N, F)
        items = []
        for name in names:
            column = reader.names.index(name)
            items.append(
                Measurement(
                    name=f"change of {name}",
                    values=change[:, column],
                    unit="half-ranges",
                    help=f"How much {name} grows from the image to the answer, read by a network trained on true "
                    "factors; 2 is the whole range.",
                    settings={"R2 of the reading": f"{reader.r_squared[column]:.2f}"},
                )
            )
        return Measurements(items=tuple(items))

    def _checked_names(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """The factors that the options name, or all."""
        unknown = [name for name in self._params.factors if name not in known]
        if unknown:
            raise UserError(
                f"factor-change: the data has no factor {', '.join(unknown)}", f"name some of: {', '.join(known)}"
            )
        return self._params.factors or known


def _quality(names: tuple[str, ...], r_squared: np.ndarray) -> Measurements:
    """R squared of each factor, best first."""
    order = np.argsort(-np.nan_to_num(r_squared))
    return Measurements(
        items=tuple(
            Measurement(
                name=names[i],
                values=r_squared[i : i + 1],
                better="higher",
                unit="R squared",
                help=f"How well {names[i]} is read off images that the regressor did not learn from; 1 is perfect.",
            )
            for i in order
        )
    )
