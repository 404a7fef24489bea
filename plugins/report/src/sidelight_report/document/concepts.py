"""Concepts of one image in words, "A because of B, C and D", and the catalogue of all concepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.results import Concepts

from sidelight_report.document.phrases import class_name, side
from sidelight_report.encoding import grid, number, numbers, saturation

if TYPE_CHECKING:
    from sidelight_report.document.context import Context

NAMED_SHARE = 0.9  # concepts are named until they hold this share of the positive contributions
MOST_NAMED = 5
LEAST_AGAINST = 0.1  # of the positive contributions, for a concept against the class to be named
MOST_AGAINST = 2
MOST_EXAMPLES = 8
LEAST_WEIGHT, MOST_WEIGHTS = 0.25, 4  # of a concept's largest weight, for a class to be listed; and how many


def because(contributions: np.ndarray) -> list[int]:
    """Indices of the concepts for the class, strongest first, of (n,) contributions."""
    positive = contributions.clip(0)
    order = np.argsort(-positive, kind="stable")
    before = np.cumsum(positive[order]) - positive[order]
    named = (positive[order] > 0) & (before < NAMED_SHARE * positive.sum())
    return [int(index) for index in order[named][:MOST_NAMED]]


def despite(contributions: np.ndarray) -> list[int]:
    """Indices of notable concepts against the class, strongest first, of (n,) contributions."""
    least = LEAST_AGAINST * contributions.clip(0).sum()
    order = np.argsort(contributions, kind="stable")
    against = (contributions[order] < 0) & (-contributions[order] >= least)
    return [int(index) for index in order[against][:MOST_AGAINST]]


def concepts_entry(explanation: Concepts, context: Context, row: int) -> dict[str, Any]:
    """Entry of one image: notable concepts in full, the others as a sum."""
    contributions = explanation.contributions[row]
    named = {"because": because(contributions), "despite": despite(contributions)}
    shown = [index for indices in named.values() for index in indices]
    constant = None if explanation.constant is None else float(explanation.constant[row])
    return named | {
        "kind": "concepts",
        "side": side(context.results, row, explanation.answers),
        "class": _class(explanation, context, row),
        "named": {str(index): _named(explanation, context, row, index) for index in shown},
        "rest": number(float(np.delete(contributions, shown).sum())),
        "others": len(contributions) - len(shown),
        "constant": None if constant is None else number(constant),
        "total": None if constant is None else number(constant + float(contributions.sum())),
    }


def _class(explanation: Concepts, context: Context, row: int) -> str:
    """Name of the explained class."""
    targets = context.results.targets
    return class_name(
        context.results, int((targets.probe if explanation.answers == "probe" else targets.predicted)[row])
    )


def _named(explanation: Concepts, context: Context, row: int, index: int) -> dict[str, Any]:
    values = None if explanation.heatmaps is None else explanation.heatmaps[row, index]
    if values is not None and not values.any():  # it does not fire here, or none was asked for: it has no place
        values = None
    return {
        "name": explanation.names[index],
        "activation": number(float(explanation.activations[row, index])),
        "contribution": number(float(explanation.contributions[row, index])),
        "map": None
        if values is None
        else {"values": grid(values), "saturation": number(saturation(values, context.params.percentile))},
    }


def exemplar_sections(context: Context) -> list[dict[str, Any]]:
    """Every concept with its strongest images and its notable class weights."""
    return [
        {"name": key, "concepts": [_concept(value, context, index) for index in range(len(value.names))]}
        for key, value in context.results.explanations.items()
        if isinstance(value, Concepts) and value.exemplars is not None
    ]


def _concept(explanation: Concepts, context: Context, index: int) -> dict[str, Any]:
    images = () if explanation.exemplars is None else explanation.exemplars[index, :MOST_EXAMPLES]
    strengths = (
        () if explanation.exemplar_activations is None else explanation.exemplar_activations[index, :MOST_EXAMPLES]
    )
    return {
        "name": explanation.names[index],
        "pictures": [context.picture(image) for image in images],
        "strengths": numbers(strengths),
        "weights": [] if explanation.weights is None else _weights(explanation.weights[:, index], context),
    }


def _weights(weights: np.ndarray, context: Context) -> list[dict[str, Any]]:
    """Classes with the largest weights of a concept, highest first."""
    order = np.argsort(-np.abs(weights), kind="stable")[:MOST_WEIGHTS]
    least = LEAST_WEIGHT * np.abs(weights).max()
    notable = sorted((int(k) for k in order if abs(weights[k]) >= least > 0), key=lambda k: -weights[k])
    return [{"class": class_name(context.results, k), "weight": number(float(weights[k]), 3)} for k in notable]
