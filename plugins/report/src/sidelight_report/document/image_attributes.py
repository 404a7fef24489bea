"""The attributes that move the classifier on one image, each changed alone (StylEx, figure 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_report.document.phrases import class_name, how_set, side, where
from sidelight_report.encoding import number, numbers

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs.results import Attribute, ImageAttributes

    from sidelight_report.document.context import Context


def image_attributes_entry(found: ImageAttributes, context: Context, row: int) -> dict[str, Any]:
    """The reconstruction, and the reconstruction with each chosen attribute changed, strongest first."""
    places = [place for place, index in enumerate(found.chosen[row]) if index >= 0]
    before = found.logits_before[row]
    return {
        "kind": "image-attributes",
        "side": side(context.results, row, found.answers),
        "reconstruction": {"picture": context.picture(found.before[row])} | _says(context, row, before),
        "changes": [_change(found, context, row, place) for place in places],
    }


def _says(context: Context, row: int, logits: np.ndarray) -> dict[str, Any]:
    """What the classifier says of a picture: the scores of the classes of the question, and the likeliest class."""
    sides = context.sides(row)
    return {"scores": numbers(context.scores(logits)[sides]), "says": class_name(context.results, int(logits.argmax()))}


def _how(attribute: Attribute) -> str:
    """Where and how its coordinate is set; what has no coordinate of its own (an edit made by hand) says it itself."""
    if attribute.value is None and not attribute.shift:
        return attribute.layer
    return ", ".join(filter(None, (where(attribute), how_set(attribute, None))))


def _change(found: ImageAttributes, context: Context, row: int, place: int) -> dict[str, Any]:
    attribute = found.attributes[found.chosen[row, place]]
    after = found.logits_after[row, place]
    return {
        "name": attribute.name,
        "how": _how(attribute),
        "target": class_name(context.results, attribute.target),
        "effect": number(float(after[attribute.target] - found.logits_before[row][attribute.target]), 3),
        "flagged": attribute.flagged,
        "picture": context.picture(found.after[row, place]),
    } | _says(context, row, after)
