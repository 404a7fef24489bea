"""Panel of ranked attributes: for each class, those that move the classifier towards it or away from it."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs.results import Attributes
from sidelight_ui.images import data_uri

from sidelight_report.document.animations import animate, journey
from sidelight_report.document.phrases import class_name, how_far, how_set, where
from sidelight_report.encoding import number, numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sidelight_specs.results import Attribute, RecallCertificate, Results

    from sidelight_report.document.animations import Animation
    from sidelight_report.document.context import Context


PARALLEL = 0.9999  # of the cosine: float32 directions of one line, of either sign


@attrs.frozen(eq=False)
class Demonstration:
    """Images of one attribute, before and after it was changed.

    Args:
        away: True if the change moves images of the target class away from it, not others towards it.
        before, after: (M, C, H, W).
        path: (M, T, C, H, W), from before to after; None if not stored.
        probabilities: (M, 2) of the target class; None if unknown.
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


def attributes_by_id(results: Results) -> dict[str, Attributes]:
    """Attributes by the id of their finder or explainer."""
    artifacts = {**results.attributes, **results.explanations}
    return {key: value for key, value in artifacts.items() if isinstance(value, Attributes)}


def demonstrations(attributes: Attributes, index: int) -> Iterator[Demonstration]:
    """Both directions of the attribute at an index of the ranking, if images were stored."""
    if attributes.before is not None and attributes.after is not None and len(attributes.before[index]):
        path = None if attributes.paths is None else attributes.paths[index]
        probabilities = None if attributes.probabilities is None else attributes.probabilities[index]
        yield Demonstration(False, attributes.before[index], attributes.after[index], path, probabilities)
    before, after = attributes.opposite_before, attributes.opposite_after
    if before is not None and after is not None and len(before[index]):
        probabilities = None if attributes.opposite_probabilities is None else attributes.opposite_probabilities[index]
        yield Demonstration(True, before[index], after[index], None, probabilities)


def by_target(attributes: Attributes) -> dict[int, list[int]]:
    """Indices of the ranking by target class, strongest first."""
    targets = dict.fromkeys(attribute.target for attribute in attributes.attributes)
    return {t: [i for i, attribute in enumerate(attributes.attributes) if attribute.target == t] for t in targets}


def groups(attributes: Attributes) -> list[tuple[int, bool, list[int]]]:
    """Target, whether it is lowered (a regression's value can be), and the indices of these attributes."""
    parts = []
    for target, indices in by_target(attributes).items():
        lowering = [index for index in indices if attributes.is_of_value and attributes.attributes[index].effect < 0]
        raising = [index for index in indices if index not in lowering]
        parts += [(target, lowers, rows) for lowers, rows in ((False, raising), (True, lowering)) if rows]
    return parts


def by_direction(attributes: Attributes, indices: list[int]) -> list[list[int]]:
    """Attributes that move along one line, as one row each: weakest shift first; others are rows of their own."""
    rows = list[list[int]]()
    directions = attributes.directions
    for index in indices:
        row = (
            None if directions is None else next((row for row in rows if _is_parallel(directions, row[0], index)), None)
        )
        if row is None:
            rows.append([index])
        else:
            row.append(index)
    return [sorted(row, key=lambda index: _along(attributes, row[0], index)) for row in rows]


def _along(attributes: Attributes, first: int, index: int) -> float:
    """Shift of an attribute, along the direction of the first of its row."""
    shift, directions = attributes.attributes[index].shift, attributes.directions
    return (
        shift if directions is None else float(np.sign(directions[first].ravel() @ directions[index].ravel())) * shift
    )


def _is_parallel(directions: np.ndarray, one: int, other: int) -> bool:
    first, second = directions[one].ravel(), directions[other].ravel()
    return bool(abs(first @ second) > PARALLEL * np.linalg.norm(first) * np.linalg.norm(second))


def strongest(attributes: Attributes, row: list[int]) -> int:
    """Index of the shift of a row that moves the class most, plausible ones before flagged ones."""
    return max(row, key=lambda index: (not (one := attributes.attributes[index]).flagged, one.effect))


def line_name(names: Sequence[str]) -> str:
    """Name that shifts along one line share: `smiling` of `smiling +100%` and `smiling -33%`."""
    shared = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in shared).rstrip(" +-\u2212.0123456789") or names[0]


def target_name(attributes: Attributes, results: Results, target: int) -> str:
    """Name of the class by the finder's own classifier, which may differ from the explained one."""
    return attributes.class_names[target] if target < len(attributes.class_names) else class_name(results, target)


def attribute_sections(context: Context) -> list[dict[str, Any]]:
    """Ranked attributes of all attribute finders and explainers."""
    return [
        {
            "name": key,
            "drawn": attributes.drawn,
            "classes": [_class(attributes, context, key, *group) for group in groups(attributes)],
        }
        | _source(context, key)
        for key, attributes in attributes_by_id(context.results).items()
    ]


def _source(context: Context, key: str) -> dict[str, Any]:
    record = next((one for one in context.results.components if one.id == key), None)
    facts = {name: getattr(record, name, "") for name in ("summary", "paper")}
    return facts | {"limits": list(getattr(record, "limits", ()))}


def _class(
    attributes: Attributes, context: Context, key: str, target: int, lowers: bool, indices: list[int]
) -> dict[str, Any]:
    name = target_name(attributes, context.results, target)
    label = f"{key}-{name}-lower" if lowers else f"{key}-{name}"
    rows = by_direction(attributes, indices)
    shown = rows[: context.params.attributes]
    listed = [_row(attributes, context, row, f"{label}-{rank}") for rank, row in enumerate(shown, 1)]
    return {
        "class": name,
        "value": attributes.is_of_value,
        "lowers": lowers,
        "attributes": listed,
        "count": len(rows),
        "unexplained": _unexplained(attributes, indices),
        "recall": next((_recall(one) for one in attributes.certificates if one.target == target), None),
    }


def _recall(certificate: RecallCertificate) -> dict[str, Any]:
    """The estimated recall of a search that left coordinates out."""
    return {name: number(getattr(certificate, name), 3) for name in ("recall", "low", "high")} | {
        "left": certificate.left_out,
        "sampled": certificate.sampled,
        "missed": certificate.missed,
    }


def _unexplained(attributes: Attributes, indices: list[int]) -> int | None:
    """Number of images that no attribute of a class explains; None if not measured."""
    if attributes.explained is None or attributes.effects is None:
        return None
    measured = np.isfinite(attributes.effects[indices]).any(axis=0)
    return int((measured & ~attributes.explained[indices].any(axis=0)).sum())


def _row(attributes: Attributes, context: Context, row: list[int], label: str) -> dict[str, Any]:
    """One attribute; of a line, the strongest shift, and all of them as `strengths`, that one alone animated."""
    main = strongest(attributes, row)
    entry = _attribute(attributes, context, main, label)
    if len(row) < 2:
        return entry
    strengths = [
        entry if index == main else _attribute(attributes, context, index, label, animated=False) for index in row
    ]
    name = line_name([attributes.attributes[index].name for index in row])
    return (
        {"name": name, "strengths": strengths, "at": row.index(main)}
        | {key: value for key, value in entry.items() if key not in ("name", "directions")}
        | {"directions": []}
    )


def _attribute(
    attributes: Attributes, context: Context, index: int, label: str, animated: bool = True
) -> dict[str, Any]:
    attribute, is_direction = attributes.attributes[index], attributes.directions is not None
    return {
        "name": attribute.name,
        "where": "" if is_direction else where(attribute),
        "how": how_far(attribute) if is_direction else how_set(attribute, _range(attributes, attribute)),
        "effect": number(attribute.effect),  # the page rounds again, to three digits
        "flagged": attribute.flagged,
        "directions": [
            _direction(one, context, label, chosen=not is_direction, animated=animated)
            for one in demonstrations(attributes, index)
        ],
    } | _consistency(attributes, index)


def _range(attributes: Attributes, attribute: Attribute) -> tuple[float, float] | None:
    """Observed range of the coordinate; None for directions, which are no single coordinate."""
    if attributes.ranges is None or attributes.directions is not None or attribute.coordinate >= len(attributes.ranges):
        return None
    low, high = attributes.ranges[attribute.coordinate]
    return float(low), float(high)


def _consistency(attributes: Attributes, index: int) -> dict[str, Any]:
    """Images that the effect was measured on, the ratio of those moved its way, and images that it explains."""
    effects = np.zeros(0) if attributes.effects is None else attributes.effects[index]
    finite = effects[np.isfinite(effects)]
    moved = finite < 0 if attributes.is_of_value and attributes.attributes[index].effect < 0 else finite > 0
    return {
        "images": len(finite),
        "moves": number(float(moved.mean()), 4) if len(finite) else None,
        "explains": None if attributes.explained is None else int(attributes.explained[index].sum()),
    }


def _direction(shown: Demonstration, context: Context, label: str, *, chosen: bool, animated: bool) -> dict[str, Any]:
    """One demonstration; `chosen`: its images were selected by their prediction."""
    count = min(context.params.examples, len(shown.before))
    return {
        "away": shown.away,
        "chosen": chosen,
        "animation": _animation(shown, count, context, f"{label}-{'away' if shown.away else 'towards'}")
        if animated
        else None,
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
