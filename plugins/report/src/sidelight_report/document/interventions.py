"""Picture pairs of interventions: the concept image of a code, and of the code with bits flipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sidelight_report.document.phrases import class_name, side
from sidelight_report.encoding import numbers

if TYPE_CHECKING:
    from sidelight_specs.results import Intervention

    from sidelight_report.document.context import Context


def intervention_entry(explanation: Intervention, context: Context, row: int) -> dict[str, Any]:
    """Entry of one image's intervention on the page."""
    shown = context.shown_classes(row)
    before, after = explanation.logits_before[row], explanation.logits_after[row]
    return {
        "kind": "intervention",
        "side": side(context.results, row, explanation.answers),
        "changed": bool(explanation.changed[row]),
        "bits": int(explanation.codes.shape[1]),
        "flipped": np.flatnonzero(explanation.flipped[row]).tolist(),
        "said": _likeliest(context, before),
        "became": _likeliest(context, after),
        "pictures": [context.picture(images[row]) for images in (explanation.before, explanation.after)],
        "before": numbers(context.scores(before)[shown]),
        "after": numbers(context.scores(after)[shown]),
    }


def _likeliest(context: Context, logits: np.ndarray) -> str:
    return "" if context.regression else class_name(context.results, int(logits.argmax()))
