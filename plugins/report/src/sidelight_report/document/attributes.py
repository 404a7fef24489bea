"""The panel of ranked attributes: for each class what moves the classifier towards it, and away from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs.results import Attributes
from sidelight_ui.images import data_uri

from sidelight_report.document.animations import animate, journey
from sidelight_report.document.phrases import class_name, how_far, how_set, where
from sidelight_report.encoding import number, numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.results import Attribute, Results

    from sidelight_report.document.animations import Animation
    from sidelight_report.document.context import Context


@attrs.frozen(eq=False)
class Demonstration:
    """Images of one attribute, before and after it was changed.

    Args:
        away: whether the target class was taken away from images that had it, rather than given to others.
        before, after: (M, C, H, W).
        path: (M, T, C, H, W), from before to after; None where none was kept.
        probabilities: (M, 2) of the target class; None where unknown.
    """

    away: bool
    before: np.ndarray
    after: np.ndarray
    path: np.ndarray | None
    probabilities: np.ndarray | None

    def animation(self, count: int) -> Animation:
        """The first images, moving together."""
        shown = range(min(count, len(self.before)))
        return animate([self.journey(m) for m in shown])

    def journey(self, m: int) -> list[np.ndarray]:
        """The frames of one image."""
        return journey(self.before[m], self.after[m], None if self.path is None else self.path[m])


def found_by(results: Results) -> dict[str, Attributes]:
    """Attributes by the id of the finder, or explainer, that gave them."""
    found = {**results.attributes, **results.explanations}
    return {key: value for key, value in found.items() if isinstance(value, Attributes)}


def demonstrations(found: Attributes, place: int) -> Iterator[Demonstration]:
    """Both directions of the attribute at a place in the ranking, as far as images were kept."""
    if found.before is not None and found.after is not None and len(found.before[place]):
        path = None if found.paths is None else found.paths[place]
        chances = None if found.probabilities is None else found.probabilities[place]
        yield Demonstration(False, found.before[place], found.after[place], path, chances)
    before, after = found.opposite_before, found.opposite_after
    if before is not None and after is not None and len(before[place]):
        chances = None if found.opposite_probabilities is None else found.opposite_probabilities[place]
        yield Demonstration(True, before[place], after[place], None, chances)


def by_target(found: Attributes) -> dict[int, list[int]]:
    """The places of the ranking that belong to each target class, strongest first."""
    targets = dict.fromkeys(attribute.target for attribute in found.attributes)
    return {t: [i for i, attribute in enumerate(found.attributes) if attribute.target == t] for t in targets}


def target_name(found: Attributes, results: Results, target: int) -> str:
    """The class by the finder's own classifier, which may not be the one that the run explains."""
    return found.class_names[target] if target < len(found.class_names) else class_name(results, target)


def attribute_sections(context: Context) -> list[dict[str, Any]]:
    """Ranked attributes of every attribute finder and of every explainer that gives some."""
    return [
        {"name": key, "classes": [_class(found, context, key, *item) for item in by_target(found).items()]}
        | _source(context, key)
        for key, found in found_by(context.results).items()
    ]


def _source(context: Context, key: str) -> dict[str, str]:
    record = next((one for one in context.results.components if one.id == key), None)
    return {name: getattr(record, name, "") for name in ("summary", "paper")}


def _class(found: Attributes, context: Context, key: str, target: int, places: list[int]) -> dict[str, Any]:
    name = target_name(found, context.results, target)
    shown = places[: context.params.attributes]
    listed = [_attribute(found, context, place, f"{key}-{name}-{rank}") for rank, place in enumerate(shown, 1)]
    return {"class": name, "attributes": listed, "count": len(places), "unexplained": _unexplained(found, places)}


def _unexplained(found: Attributes, places: list[int]) -> int | None:
    """Images that no attribute of a class explains; None where the finder does not say."""
    if found.explained is None or found.effects is None:
        return None
    measured = np.isfinite(found.effects[places]).any(axis=0)
    return int((measured & ~found.explained[places].any(axis=0)).sum())


def _attribute(found: Attributes, context: Context, place: int, label: str) -> dict[str, Any]:
    attribute, along = found.attributes[place], found.directions is not None
    return {
        "name": attribute.name,
        "where": "" if along else where(attribute),
        "how": how_far(attribute) if along else how_set(attribute, _range(found, attribute)),
        "effect": number(attribute.effect),  # the page rounds again, to three digits
        "flagged": attribute.flagged,
        "directions": [_direction(one, context, label, chosen=not along) for one in demonstrations(found, place)],
    } | _consistency(found, place)


def _range(found: Attributes, attribute: Attribute) -> tuple[float, float] | None:
    """The values of the coordinate that were seen; nothing for directions, which are no coordinate."""
    if found.ranges is None or found.directions is not None or attribute.coordinate >= len(found.ranges):
        return None
    low, high = found.ranges[attribute.coordinate]
    return float(low), float(high)


def _consistency(found: Attributes, place: int) -> dict[str, Any]:
    """Images that the effect was measured on, the share on which it raises the logit, and the images it explains."""
    effects = np.zeros(0) if found.effects is None else found.effects[place]
    known = effects[np.isfinite(effects)]
    return {
        "images": len(known),
        "raises": number(float((known > 0).mean()), 4) if len(known) else None,
        "explains": None if found.explained is None else int(found.explained[place].sum()),
    }


def _direction(shown: Demonstration, context: Context, label: str, chosen: bool) -> dict[str, Any]:
    """One demonstration; `chosen` says that its images were selected by the classifier's answer."""
    count = min(context.params.examples, len(shown.before))
    return {
        "away": shown.away,
        "chosen": chosen,
        "animation": _animation(shown, count, context, f"{label}-{'away' if shown.away else 'towards'}"),
        "examples": [
            {
                "before": context.picture(shown.before[m], small=True),
                "after": context.picture(shown.after[m], small=True),
                "probabilities": None if shown.probabilities is None else numbers(shown.probabilities[m]),
            }
            for m in range(count)
        ],
    }


def _animation(shown: Demonstration, count: int, context: Context, label: str) -> dict[str, Any]:
    made = shown.animation(count)
    return {
        "src": data_uri(made.content),
        "width": made.width,
        "height": made.height,
        "crisp": context.crisp(shown.before.shape[-1], shown.before.shape[-2], small=True),
        "file": context.keep(label, made.content),
    }
