"""Claims that the recipe declared before the run, with their verdicts: what the page shows first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.results import survives_holm

from sidelight_report.document.attributes import attributes_by_id
from sidelight_report.encoding import number

if TYPE_CHECKING:
    from sidelight_specs.results import ClaimResult
    from sidelight_specs.results.claim import Effect

    from sidelight_report.document.context import Context

MOST_CONTROLS = 200  # marks in a plot; of more a sample, evenly spaced in their order


def declared_claims(context: Context) -> list[dict[str, Any]]:
    """Every claim in the order of the recipe."""
    claims, late = context.results.claims, context.results.declared_late
    holm = survives_holm(claims)
    return [
        _claim(name, one, context) | {"late": late.get(name, ""), "holm": holm.get(name) if len(holm) > 1 else None}
        for name, one in claims.items()
    ]


def _claim(name: str, one: ClaimResult, context: Context) -> dict[str, Any]:
    plain = ("text", "verdict", "reason", "rule", "measured", "unit", "side", "operator", "n", "sample", "control")
    return {
        "id": name,
        **{field: getattr(one, field) for field in plain},
        "threshold": None if one.threshold is None else number(one.threshold, 6),
        "p": None if one.p is None else number(one.p, 4),
        "effects": [_effect(key, effect) for key, effect in one.effects.items()],
        "pairs": _pairs(one, context),
        "links": list(dict.fromkeys(link for path in one.evidence if (link := _link(path, context)))),
        "warnings": list(one.warnings),
    }


def _effect(name: str, effect: Effect) -> dict[str, Any]:
    controls = np.zeros(0) if effect.controls is None else np.sort(effect.controls)
    if len(controls) > MOST_CONTROLS:
        controls = controls[np.linspace(0, len(controls) - 1, MOST_CONTROLS).round().astype(int)]
    return {
        "name": name,
        "value": number(effect.value, 6),
        "low": number(effect.low, 6),
        "high": number(effect.high, 6),
        "controls": [number(float(value), 4) for value in controls],
    }


def _pairs(one: ClaimResult, context: Context) -> list[dict[str, Any]]:
    if one.before is None or one.after is None:
        return []
    captions = one.captions or ("",) * len(one.before)
    return [
        {"before": context.picture(before, small=True), "after": context.picture(after, small=True), "caption": caption}
        for before, after, caption in zip(one.before, one.after, captions, strict=True)
    ]


def _link(path: str, context: Context) -> str:
    """The id of the page's part that shows a result; empty where it has none."""
    kind, _, name = path.partition("/")
    if kind == "measurements":
        return "measurements"
    if kind == "attributes" and name in (every := list(attributes_by_id(context.results))):
        return f"attributes-{every.index(name) + 1}"
    return "image-1" if kind == "explanations" and context.count else ""
