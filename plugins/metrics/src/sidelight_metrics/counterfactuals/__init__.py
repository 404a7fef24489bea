"""What the metrics of counterfactuals share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.results import Counterfactual

if TYPE_CHECKING:
    from sidelight_specs.artifacts import Artifact


def counterfactual(explanation: Artifact) -> Counterfactual:
    """The explanation, known to be a counterfactual.

    Raises:
        SidelightError: it is of another kind.
    """
    if not isinstance(explanation, Counterfactual):
        raise SidelightError(f"this metric measures counterfactuals, not a {explanation.kind!r}")
    return explanation


def of_answers(values: np.ndarray, explanation: Counterfactual) -> np.ndarray:
    """(N,) float32 values, NaN where the search failed: a failed search has no answer to be described."""
    return np.where(explanation.converged, values, np.nan).astype(np.float32)
