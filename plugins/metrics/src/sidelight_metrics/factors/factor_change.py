"""Which ground-truth factors an answer changes, read by a network that was trained on true factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Counterfactual, Inversion, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.factors import factor_regressor

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_metrics.params import FactorChangeParams


class FactorChange(Metric):
    """Counterfactuals: what changed on the way from the image to the answer. Inversions: what was lost."""

    def __init__(self, params: FactorChangeParams, *, data: Data, run: Run) -> None:
        self._params, self._data, self._run = params, data, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """One number for each factor, in half-ranges of the factor; NaN where a search failed.

        How well the regressor reads each factor of images that it did not learn from is emitted as `regressor`.
        """
        del targets
        answers, valid = _answers(explanation)
        params = self._params
        reader = factor_regressor(self._data, self._run, params.images, params.steps, params.batch)
        chosen = self._chosen(reader.names)
        self._run.emit("regressor", _quality(reader.names, reader.r_squared))
        change = np.where(valid[:, None], reader.half_ranges(images, answers), np.nan).astype(np.float32)
        return Measurements(
            items=tuple(
                Measurement(
                    name=f"change of {name}",
                    values=change[:, reader.names.index(name)],
                    unit="half-ranges",
                    help=f"How much {name} grows from the image to the answer, read by a network trained on true "
                    "factors; 2 is the whole range.",
                    settings={"R2 of the reading": f"{reader.r_squared[reader.names.index(name)]:.2f}"},
                )
                for name in chosen
            )
        )

    def _chosen(self, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in self._params.factors if name not in names]
        if unknown:
            raise UserError(
                f"factor-change: the data has no factor {', '.join(unknown)}", f"the factors are: {', '.join(names)}"
            )
        return self._params.factors or names


def _answers(explanation: Artifact) -> tuple[np.ndarray, np.ndarray]:
    """(N, C, H, W) answers, and (N,) which of them count."""
    if isinstance(explanation, Counterfactual):
        return explanation.images, explanation.converged.astype(bool)
    if isinstance(explanation, Inversion):
        return explanation.reconstructions, np.ones(len(explanation.reconstructions), dtype=bool)
    raise SidelightError(f"factor-change measures counterfactuals and inversions, not {explanation.kind}")


def _quality(names: tuple[str, ...], r_squared: np.ndarray) -> Measurements:
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
