"""Path of a search: images (CDeepEx, figure 4a) and class likelihoods (figure 4b)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.mapped import blocks
from sidelight_specs.results import Counterfactual

from sidelight_report.encoding import numbers

if TYPE_CHECKING:
    from sidelight_report.document.context import Context


def path_entry(explanation: Counterfactual, context: Context, row: int) -> dict[str, Any] | None:
    """Path of one image; images only if the search converged, because the last one is the answer."""
    if explanation.path_logits is None or context.regression:
        return None
    indices, names = _shown(explanation, row), explanation.path_names
    likelihoods = context.scores(explanation.path_logits[row])[indices]
    steps = _steps(explanation)
    entry: dict[str, Any] = {
        "steps": [steps[t] for t in indices],
        "likelihoods": [numbers(likelihoods[:, k], 4) for k in context.shown_classes(row)],
    }
    if names is not None:
        entry["names"] = [names[row][t] for t in indices]
    if explanation.path_images is not None and explanation.converged[row]:
        most = context.params.frames if names is None else len(indices)
        chosen = np.unique(np.linspace(0, len(indices) - 1, most).round().astype(int))
        pictures = explanation.path_images[row]
        entry["frames"] = [{"at": int(at), "picture": context.picture(pictures[indices[at]])} for at in chosen]
    return entry


def _shown(explanation: Counterfactual, row: int) -> list[int]:
    """Indices of the shown path: all of it; with named changes, the start and every named change."""
    assert explanation.path_logits is not None
    steps = range(explanation.path_logits.shape[1])
    if explanation.path_names is None:
        return list(steps)
    return [t for t in steps if t == 0 or explanation.path_names[row][t]]


def mean_path(explanation: Any, context: Context) -> dict[str, Any] | None:
    """Mean likelihoods over all images along the search: predicted class, probe, highest other."""
    if not isinstance(explanation, Counterfactual) or explanation.path_logits is None or context.regression:
        return None
    targets, count = context.results.targets, len(explanation.path_logits)
    series = np.zeros((3, explanation.path_logits.shape[1]))  # sums over images
    first = 0
    for part in blocks(explanation.path_logits):
        likelihoods = context.scores(part)  # (n, T, K) float64
        rows = np.arange(len(part))
        sides = [side[first : first + len(part)] for side in (targets.predicted, targets.probe)]
        first += len(part)
        for line, side in zip(series, sides, strict=False):
            line += likelihoods[rows, :, side].sum(axis=0)
        for side in sides:
            likelihoods[rows, :, side] = 0.0
        series[2] += likelihoods.max(axis=-1).sum(axis=0)
    return {"steps": _steps(explanation), "likelihoods": [numbers(line / count, 4) for line in series], "count": count}


def _steps(explanation: Counterfactual) -> list[int]:
    assert explanation.path_logits is not None
    if explanation.path_steps is None:
        return list(range(explanation.path_logits.shape[1]))
    return [int(step) for step in explanation.path_steps]
