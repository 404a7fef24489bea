"""The path of a search: its images (CDeepEx, figure 4a) and class likelihoods (figure 4b)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.results import Counterfactual

from sidelight_report.encoding import numbers

if TYPE_CHECKING:
    from sidelight_report.scene import Scene


def path_entry(explanation: Counterfactual, scene: Scene, row: int) -> dict[str, Any] | None:
    """The path of one image; its pictures only where the search converged, because the last one is the answer."""
    if explanation.path_logits is None or scene.regression:
        return None
    likelihoods = scene.scores(explanation.path_logits[row])
    steps = _steps(explanation)
    entry: dict[str, Any] = {
        "steps": steps,
        "likelihoods": [numbers(likelihoods[:, k], 4) for k in scene.shown_classes(row)],
    }
    if explanation.path_images is not None and explanation.converged[row]:
        chosen = np.unique(np.linspace(0, len(steps) - 1, scene.params.frames).round().astype(int))
        entry["frames"] = [{"at": int(t), "picture": scene.picture(explanation.path_images[row, t])} for t in chosen]
    return entry


def mean_path(explanation: Any, scene: Scene) -> dict[str, Any] | None:
    """Mean likelihoods along the search over all images: predicted class, probe, and the highest of the others."""
    if not isinstance(explanation, Counterfactual) or explanation.path_logits is None or scene.regression:
        return None
    likelihoods = scene.scores(explanation.path_logits)
    rows = np.arange(len(likelihoods))
    predicted = likelihoods[rows, :, scene.results.targets.predicted].mean(axis=0)
    probe = likelihoods[rows, :, scene.results.targets.probe].mean(axis=0)
    others = likelihoods.copy()
    others[rows, :, scene.results.targets.predicted] = 0.0
    others[rows, :, scene.results.targets.probe] = 0.0
    series = [predicted, probe, others.max(axis=-1).mean(axis=0)]
    return {"steps": _steps(explanation), "likelihoods": [numbers(line, 4) for line in series], "count": len(rows)}


def _steps(explanation: Counterfactual) -> list[int]:
    assert explanation.path_logits is not None
    if explanation.path_steps is None:
        return list(range(explanation.path_logits.shape[1]))
    return [int(step) for step in explanation.path_steps]
