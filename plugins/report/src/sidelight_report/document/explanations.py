"""One explanation of one image, as JSON values.

A kind with a section of its own is registered here and in `web/kinds.js`; every other kind is drawn by its blocks.
"""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.blocks import Picture, Plot
from sidelight_specs.results import (
    AttentionGraph,
    Attributes,
    Concepts,
    Counterfactual,
    Explanation,
    Heatmap,
    ImageAttributes,
    Intervention,
    Inversion,
)

from sidelight_report.document.attention_graphs import graph_entry
from sidelight_report.document.blocks import encode_blocks, view
from sidelight_report.document.concepts import concepts_entry
from sidelight_report.document.image_attributes import image_attributes_entry
from sidelight_report.document.interventions import intervention_entry
from sidelight_report.document.phrases import class_name, side
from sidelight_report.document.search_paths import path_entry
from sidelight_report.encoding import grid, number, numbers, saturation

if TYPE_CHECKING:
    from sidelight_report.document.context import Context

LEAST_DIFFERENCE = 0.05  # of the intensity range: smaller differences are not magnified into vivid colours


def encode(explanation: Any, context: Context, row: int) -> dict[str, Any]:
    """Entry of `explanation` of image `row`; `kind` says how it is drawn. Without an answer, the reason."""
    if isinstance(explanation, Explanation) and not explanation.has_answer(row):
        return {"kind": "blocks", "what": explanation.kind, "error": ""} | {
            "side": side(context.results, row, explanation.answers),
            "blocks": encode_blocks([explanation.reason()], context, row),
        }
    return encode_kind(explanation, context, row)


@singledispatch
def encode_kind(explanation: Any, context: Context, row: int) -> dict[str, Any]:
    """Entry of a kind; any without a section of its own is drawn by its blocks."""
    answers = getattr(explanation, "answers", "")
    return view(explanation, context, row) | {"side": side(context.results, row, answers) if answers else ""}


@encode_kind.register(Heatmap)
def _heatmap(explanation: Heatmap, context: Context, row: int) -> dict[str, Any]:
    values = explanation.values[row]
    return {
        "kind": "heatmap",
        "side": side(context.results, row, explanation.answers),
        "answers": explanation.answers,
        "signed": explanation.signed,
        "resolution": list(explanation.resolution) if explanation.resolution else None,
        "values": grid(values),
        "saturation": number(saturation(values, context.params.percentile)),
    }


@encode_kind.register(Counterfactual)
def _counterfactual(explanation: Counterfactual, context: Context, row: int) -> dict[str, Any]:
    """Image and difference only if the search converged: a failed search is no answer."""
    shown = context.shown_classes(row)
    after = context.scores(explanation.logits_after[row])
    entry = {
        "kind": "counterfactual",
        "side": side(context.results, row, explanation.answers),
        "converged": bool(explanation.converged[row]),
        "before": numbers(context.scores(explanation.logits_before[row])[shown]),
        "after": numbers(after[shown]),
        "constraints": _constraints(explanation, row),
        "tolerance": number(explanation.tolerance),
        "path": path_entry(explanation, context, row),
        "third": _third(context, row, after),
    }
    if entry["converged"]:
        entry["picture"] = context.picture(explanation.images[row])
        entry["difference"] = grid(_difference(explanation, context, row))
        entry["saturation"] = number(_shared_saturation(context, row))
        if explanation.generated is not None:
            entry["generated"] = [context.picture(image) for image in explanation.generated[row]]
        if explanation.generated_logits is not None:
            entry["alone"] = [numbers(context.scores(one)[shown]) for one in explanation.generated_logits[row]]
    return entry


def _difference(explanation: Counterfactual, context: Context, row: int) -> np.ndarray:
    """(H, W), added (positive) and removed (negative) intensity, mean over the channels."""
    return np.asarray((explanation.images[row] - context.results.split.images[row]).mean(axis=0))


def _shared_saturation(context: Context, row: int) -> float:
    """One scale for all differences of an image, so that they compare by eye."""
    saturations = [
        saturation(_difference(explanation, context, row), context.params.percentile)
        for explanation in context.results.explanations.values()
        if isinstance(explanation, Counterfactual) and explanation.converged[row]
    ]
    return max([LEAST_DIFFERENCE, *saturations])


def _constraints(explanation: Counterfactual, row: int) -> list[dict[str, Any]]:
    return [
        {"name": name, "violation": number(float(v[row])), "holds": bool(v[row] <= explanation.tolerance)}
        for name, v in explanation.constraints.items()
    ]


def _third(context: Context, row: int, after: np.ndarray) -> str | None:
    """A class that is likelier than both sides of the question, or None."""
    likeliest = int(after.argmax())
    return None if context.regression or likeliest in context.sides(row) else class_name(context.results, likeliest)


@encode_kind.register(AttentionGraph)
def _graph(explanation: AttentionGraph, context: Context, row: int) -> dict[str, Any]:
    entry = graph_entry(explanation, row, context.results.split.images.shape[-2:])
    if explanation.baseline is not None:
        entry["baseline"] = context.picture(explanation.baseline[row], exact=True)
    return entry | {"side": side(context.results, row, explanation.answers)}


@encode_kind.register(Inversion)
def _inversion(explanation: Inversion, context: Context, row: int) -> dict[str, Any]:
    """The reconstruction alone: the image stands beside it on the card."""
    caption = f"mean squared error {explanation.error[row]:#.3g}"
    blocks = [Picture(explanation.reconstructions[row].clip(0, 1), caption)]
    return {"kind": "blocks", "what": explanation.kind, "error": "", "side": "reconstruction"} | {
        "blocks": encode_blocks(blocks, context, row)
    }


@encode_kind.register(Attributes)
def _attributes(explanation: Attributes, context: Context, row: int) -> dict[str, Any]:
    """The effects on this image; pictures and ranking stand in the panel of attributes."""
    means = np.array([attribute.effect for attribute in explanation.attributes])
    effects = means if explanation.effects is None else explanation.effects[:, row]
    names = tuple(attribute.name for attribute in explanation.attributes)
    plot = Plot(names, {"effect": effects}, "Effect of each attribute on the logit.", style="bar")
    return {"kind": "blocks", "what": explanation.kind, "error": ""} | {
        "side": f"attributes {side(context.results, row, explanation.answers)}",
        "blocks": encode_blocks([plot], context, row),
    }


encode_kind.register(Concepts, concepts_entry)
encode_kind.register(Intervention, intervention_entry)
encode_kind.register(ImageAttributes, image_attributes_entry)
