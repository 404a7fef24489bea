"""The attributes that move the classifier on one image, each changed alone (StylEx, figure 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_report.document.phrases import class_name, how_set, side, where
from sidelight_report.encoding import number, numbers

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs.results import Attribute, ImageAttributes

    from sidelight_report.document.context import Context


def image_attributes_entry(explanation: ImageAttributes, context: Context, row: int) -> dict[str, Any]:
    """The image that is changed, and the same with each chosen attribute changed, strongest first.

    That is the reconstruction; or the image itself, and then what the generator alone makes of it stands beside.
    """
    ranks = [rank for rank, chosen in enumerate(explanation.chosen[row]) if chosen >= 0]
    before = explanation.logits_before[row]
    alone = explanation.reconstructions
    return {
        "kind": "image-attributes",
        "side": side(context.results, row, explanation.answers),
        "alone": None if alone is None else context.picture(alone[row]),
        "reconstruction": {"picture": context.picture(explanation.before[row])} | _scores(context, row, before),
        "changes": [_change(explanation, context, row, rank) for rank in ranks],
    }


def _scores(context: Context, row: int, logits: np.ndarray) -> dict[str, Any]:
    """Scores of the classes of the question, and the likeliest class."""
    sides = context.sides(row)
    return {"scores": numbers(context.scores(logits)[sides]), "says": class_name(context.results, int(logits.argmax()))}


def _description(attribute: Attribute) -> str:
    """Coordinate and change in words; an edit made by hand has none and describes itself in `layer`."""
    if attribute.value is None and not attribute.shift:
        return attribute.layer
    return ", ".join(filter(None, (where(attribute), how_set(attribute, None))))


def _change(explanation: ImageAttributes, context: Context, row: int, rank: int) -> dict[str, Any]:
    attribute = explanation.attributes[explanation.chosen[row, rank]]
    after = explanation.logits_after[row, rank]
    return {
        "name": attribute.name,
        "how": _description(attribute),
        "target": class_name(context.results, attribute.target),
        "effect": number(float(after[attribute.target] - explanation.logits_before[row][attribute.target]), 3),
        "flagged": attribute.flagged,
        "picture": context.picture(explanation.after[row, rank]),
    } | _scores(context, row, after)
