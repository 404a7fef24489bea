"""Concepts as the page shows them: "A because of B, C and D"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.results import Concepts

from sidelight_report.document.phrases import class_name, side
from sidelight_report.encoding import grid, number, numbers, saturation

if TYPE_CHECKING:
    from sidelight_report.document.context import Context

NAMED_SHARE = 0.9
"""As many concepts are named as hold this share of all that speaks for the class."""
MOST_NAMED = 5
LEAST_AGAINST = 0.1
"""A concept that speaks against the class is named from this share of what speaks for it."""
MOST_AGAINST = 2
MOST_EXAMPLES = 8
LEAST_WEIGHT, MOST_WEIGHTS = 0.25, 4
"""Classes are listed under a concept from this share of the concept's largest weight, and at most so many."""


def because(contributions: np.ndarray) -> list[int]:
    """The concepts that speak for the class, strongest first; of (n,) contributions."""
    positive = contributions.clip(0)
    order = np.argsort(-positive, kind="stable")
    before = np.cumsum(positive[order]) - positive[order]
    named = (positive[order] > 0) & (before < NAMED_SHARE * positive.sum())
    return [int(index) for index in order[named][:MOST_NAMED]]


def despite(contributions: np.ndarray) -> list[int]:
    """The concepts that speak notably against the class, strongest first; of (n,) contributions."""
    least = LEAST_AGAINST * contributions.clip(0).sum()
    order = np.argsort(contributions, kind="stable")
    against = (contributions[order] < 0) & (-contributions[order] >= least)
    return [int(index) for index in order[against][:MOST_AGAINST]]


def concepts_entry(found: Concepts, context: Context, row: int) -> dict[str, Any]:
    """What the concepts say of one image: those worth naming in full, the others as a sum."""
    contributions = found.contributions[row]
    named = {"because": because(contributions), "despite": despite(contributions)}
    shown = [index for part in named.values() for index in part]
    constant = None if found.constant is None else float(found.constant[row])
    return named | {
        "kind": "concepts",
        "side": side(context.results, row, found.answers),
        "class": _class(found, context, row),
        "named": {str(index): _named(found, context, row, index) for index in shown},
        "rest": number(float(np.delete(contributions, shown).sum())),
        "others": len(contributions) - len(shown),
        "constant": None if constant is None else number(constant),
        "total": None if constant is None else number(constant + float(contributions.sum())),
    }


def _class(found: Concepts, context: Context, row: int) -> str:
    """The class that the contributions are about."""
    targets = context.results.targets
    return class_name(context.results, int((targets.probe if found.answers == "probe" else targets.predicted)[row]))


def _named(found: Concepts, context: Context, row: int, index: int) -> dict[str, Any]:
    values = None if found.heatmaps is None else found.heatmaps[row, index]
    return {
        "name": found.names[index],
        "activation": number(float(found.activations[row, index])),
        "contribution": number(float(found.contributions[row, index])),
        "map": None
        if values is None
        else {"values": grid(values), "saturation": number(saturation(values, context.params.percentile))},
    }


def exemplar_sections(context: Context) -> list[dict[str, Any]]:
    """Every concept with the images in which it is strongest, and the classes that it speaks for and against."""
    return [
        {"name": key, "concepts": [_concept(value, context, index) for index in range(len(value.names))]}
        for key, value in context.results.explanations.items()
        if isinstance(value, Concepts) and value.exemplars is not None
    ]


def _concept(found: Concepts, context: Context, index: int) -> dict[str, Any]:
    images = () if found.exemplars is None else found.exemplars[index, :MOST_EXAMPLES]
    strengths = () if found.exemplar_activations is None else found.exemplar_activations[index, :MOST_EXAMPLES]
    return {
        "name": found.names[index],
        "pictures": [context.picture(image) for image in images],
        "strengths": numbers(strengths),
        "weights": [] if found.weights is None else _weights(found.weights[:, index], context),
    }


def _weights(weights: np.ndarray, context: Context) -> list[dict[str, Any]]:
    """The classes whose logits a concept moves most, highest weight first."""
    order = np.argsort(-np.abs(weights), kind="stable")[:MOST_WEIGHTS]
    least = LEAST_WEIGHT * np.abs(weights).max()
    notable = sorted((int(k) for k in order if abs(weights[k]) >= least > 0), key=lambda k: -weights[k])
    return [{"class": class_name(context.results, k), "weight": number(float(weights[k]), 3)} for k in notable]
