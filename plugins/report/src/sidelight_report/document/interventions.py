"""Picture pairs of interventions: the concept image of a code, and of the code with bits flipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sidelight_report.document.phrases import class_name, side
from sidelight_report.encoding import numbers

if TYPE_CHECKING:
    from sidelight_specs.results import Intervention

    from sidelight_report.document.context import Scene


def intervention_entry(explanation: Intervention, scene: Scene, row: int) -> dict[str, Any]:
    """Entry of one image's intervention on the page."""
    shown = scene.shown_classes(row)
    before, after = explanation.logits_before[row], explanation.logits_after[row]
    return {
        "kind": "intervention",
        "side": side(scene.results, row, explanation.answers),
        "changed": bool(explanation.changed[row]),
        "bits": int(explanation.codes.shape[1]),
        "flipped": np.flatnonzero(explanation.flipped[row]).tolist(),
        "said": _said(scene, before),
        "became": _said(scene, after),
        "pictures": [scene.picture(images[row]) for images in (explanation.before, explanation.after)],
        "before": numbers(scene.scores(before)[shown]),
        "after": numbers(scene.scores(after)[shown]),
    }


def _said(scene: Scene, logits: np.ndarray) -> str:
    return "" if scene.regression else class_name(scene.results, int(logits.argmax()))
