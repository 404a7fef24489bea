"""One explanation of one image, as the page gets it. Kinds that a stranger adds fall back to a plain notice."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.results import (
    AttentionGraph,
    Attributes,
    Concepts,
    Counterfactual,
    Heatmap,
    ImageAttributes,
    Intervention,
    Inversion,
)

from sidelight_report.document.attention_graphs import graph_entry
from sidelight_report.document.concepts import concepts_entry
from sidelight_report.document.image_attributes import image_attributes_entry
from sidelight_report.document.interventions import intervention_entry
from sidelight_report.document.phrases import class_name, side
from sidelight_report.document.search_paths import path_entry
from sidelight_report.encoding import grid, number, numbers, saturation

if TYPE_CHECKING:
    from sidelight_report.document.context import Scene

LEAST_DIFFERENCE = 0.05
"""Differences smaller than this share of the intensity range are not magnified into vivid colours."""


@singledispatch
def encode(explanation: Any, scene: Scene, row: int) -> dict[str, Any]:
    """What the page needs to draw `explanation` of image `row`; always holds `kind`."""
    del scene, row
    return {"kind": "unknown", "what": str(getattr(explanation, "kind", "") or type(explanation).__name__)}


@encode.register(Heatmap)
def _heatmap(explanation: Heatmap, scene: Scene, row: int) -> dict[str, Any]:
    values = explanation.values[row]
    return {
        "kind": "heatmap",
        "side": side(scene.results, row, explanation.answers),
        "answers": explanation.answers,
        "signed": explanation.signed,
        "resolution": list(explanation.resolution) if explanation.resolution else None,
        "values": grid(values),
        "saturation": number(saturation(values, scene.params.percentile)),
    }


@encode.register(Counterfactual)
def _counterfactual(explanation: Counterfactual, scene: Scene, row: int) -> dict[str, Any]:
    """The image and the difference are given only where the search converged: a failed search is no answer."""
    shown = scene.shown_classes(row)
    after = scene.scores(explanation.logits_after[row])
    entry = {
        "kind": "counterfactual",
        "side": side(scene.results, row, explanation.answers),
        "converged": bool(explanation.converged[row]),
        "before": numbers(scene.scores(explanation.logits_before[row])[shown]),
        "after": numbers(after[shown]),
        "constraints": _constraints(explanation, row),
        "tolerance": number(explanation.tolerance),
        "path": path_entry(explanation, scene, row),
        "third": _third(scene, row, after),
    }
    if entry["converged"]:
        entry["picture"] = scene.picture(explanation.images[row])
        entry["difference"] = grid(_difference(explanation, scene, row))
        entry["saturation"] = number(_shared_saturation(scene, row))
    return entry


def _difference(explanation: Counterfactual, scene: Scene, row: int) -> np.ndarray:
    """(H, W) what the answer adds (positive) and removes (negative), the mean over the channels."""
    return np.asarray((explanation.images[row] - scene.results.split.images[row]).mean(axis=0))


def _shared_saturation(scene: Scene, row: int) -> float:
    """One scale for all differences of an image, so that they compare by eye."""
    answers = [
        saturation(_difference(explanation, scene, row), scene.params.percentile)
        for explanation in scene.results.explanations.values()
        if isinstance(explanation, Counterfactual) and explanation.converged[row]
    ]
    return max([LEAST_DIFFERENCE, *answers])


def _constraints(explanation: Counterfactual, row: int) -> list[dict[str, Any]]:
    return [
        {"name": name, "violation": number(float(v[row])), "holds": bool(v[row] <= explanation.tolerance)}
        for name, v in explanation.constraints.items()
    ]


def _third(scene: Scene, row: int, after: np.ndarray) -> str | None:
    """The class that is likelier than both sides of the question, or None."""
    likeliest = int(after.argmax())
    return None if scene.regression or likeliest in scene.sides(row) else class_name(scene.results, likeliest)


@encode.register(Inversion)
def _inversion(explanation: Inversion, scene: Scene, row: int) -> dict[str, Any]:
    return {
        "kind": "inversion",
        "picture": scene.picture(explanation.reconstructions[row]),
        "error": number(float(explanation.error[row])),
    }


@encode.register(AttentionGraph)
def _graph(explanation: AttentionGraph, scene: Scene, row: int) -> dict[str, Any]:
    entry = graph_entry(explanation, row, scene.results.split.images.shape[-2:])
    if explanation.baseline is not None:
        entry["baseline"] = scene.picture(explanation.baseline[row])
    return entry | {"side": side(scene.results, row, explanation.answers)}


@encode.register(Concepts)
def _concepts(explanation: Concepts, scene: Scene, row: int) -> dict[str, Any]:
    return concepts_entry(explanation, scene, row)


@encode.register(Attributes)
def _attributes(explanation: Attributes, scene: Scene, row: int) -> dict[str, Any]:
    effects = None if explanation.effects is None else explanation.effects[:, row]
    return {
        "kind": "attributes",
        "side": side(scene.results, row, explanation.answers),
        "names": [attribute.name for attribute in explanation.attributes],
        "effects": numbers([a.effect for a in explanation.attributes] if effects is None else effects),
    }


@encode.register(Intervention)
def _intervention(explanation: Intervention, scene: Scene, row: int) -> dict[str, Any]:
    return intervention_entry(explanation, scene, row)


@encode.register(ImageAttributes)
def _image_attributes(explanation: ImageAttributes, scene: Scene, row: int) -> dict[str, Any]:
    return image_attributes_entry(explanation, scene, row)
