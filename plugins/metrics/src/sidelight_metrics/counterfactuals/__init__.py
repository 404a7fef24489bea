"""Metrics of counterfactuals, none of which trusts the explanation's own logits: the classifier is run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sidelight_specs.results import Counterfactual


def converged_only(values: np.ndarray, explanation: Counterfactual) -> np.ndarray:
    """(N,) float32 values, NaN where the search failed: a failed search has no result to describe."""
    return np.where(explanation.converged, values, np.nan).astype(np.float32)
