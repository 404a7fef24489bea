"""Limits of a run's explanations, as their descriptors say them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sidelight_report.document.context import Context

_EXPLAINING = ("explainer", "attribute_finder")


def limits(context: Context) -> list[dict[str, Any]]:
    """Each limit once, with the ids of the components that it holds for; those that hold for most come first."""
    holds = dict[str, dict[str, None]]()  # in order; a finder and an explainer may share an id
    for record in context.results.components:
        for text in record.limits if record.role in _EXPLAINING else ():
            holds.setdefault(text, {})[record.id] = None
    return [{"text": text, "of": list(ids)} for text, ids in sorted(holds.items(), key=lambda item: -len(item[1]))]
