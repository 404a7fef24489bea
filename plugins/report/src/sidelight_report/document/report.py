"""The report as JSON values; `web/document.d.ts` has its types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_specs.recipe_yaml import recipe_text
from sidelight_specs.results import Counterfactual

from sidelight_report.document import by_products, concepts, measurements
from sidelight_report.document.accuracies import about, accuracies
from sidelight_report.document.agreement import agreement_table
from sidelight_report.document.answer import answer
from sidelight_report.document.attributes import attribute_sections
from sidelight_report.document.declared_claims import declared_claims
from sidelight_report.document.explanations import encode
from sidelight_report.document.judges import judges
from sidelight_report.document.overview import is_shown, overviews
from sidelight_report.document.phrases import class_name, page_title, question
from sidelight_report.document.search_paths import mean_path
from sidelight_report.encoding import number, numbers

if TYPE_CHECKING:
    from sidelight_specs.results.run import ComponentRecord

    from sidelight_report.document.context import Context


def document(context: Context) -> dict[str, Any]:
    """All of the report."""
    results = context.results
    emitted = {name: item for name, item in results.emitted.items() if not is_shown(name, item, context)}
    return {
        "first": context.params.first,
        "name": results.name,
        "title": page_title(results, context.params.title),
        "claims": declared_claims(context),
        "answer": answer(context),
        "agreement": agreement_table(context.agreement),
        "task": results.predictions.task,
        "total": len(results.targets),
        "explainers": _explainers(context),
        "images": [card(context, row) for row in range(context.count)],
        "overview": overviews(context),
        "accuracies": accuracies(context),
        "table": measurements.table(context),
        "charts": measurements.charts(context),
        "paths": _paths(context),
        "attributes": attribute_sections(context),
        "exemplars": concepts.exemplar_sections(context),
        "emitted": [{"name": name} | by_products.by_product(item, context) for name, item in emitted.items()],
        "components": [_component(record) for record in results.components],
        "recipe": recipe_text(results.recipe),
        "environment": {key: str(value) for key, value in results.environment.items()},
        "warnings": list(results.warnings),
    }


def card(context: Context, row: int) -> dict[str, Any]:
    """One image with every explanation of it, in recipe order."""
    results = context.results
    entries = [
        {"explainer": key, "measures": measurements.of_image(context, key, row), "passes": _passes(value, row)}
        | _both_sides(encode(value, context, row) | _judges(value, key, context, row), key, context, row)
        for key, value in results.explanations.items()
    ]
    return {
        "question": question(results, row),
        "id": results.split.ids[row] if results.split.ids else f"image {row + 1}",
        "label": _label(context, row),
        "misclassified": bool(context.misclassified[row]),
        "picture": context.picture(results.split.images[row], exact=context.composes),
        "classes": context.class_entries(row),
        "scores": numbers(context.before(row)[context.shown_classes(row)]),
        "reconstruction": None if results.inversion is None else encode(results.inversion, context, row),
        "explanations": entries,
    }


def _both_sides(entry: dict[str, Any], explainer: str, context: Context, row: int) -> dict[str, Any]:
    """An entry, with that of the true class beside it where the image is misclassified; one scale for both heatmaps."""
    if row not in context.results.contested or explainer not in context.counterparts:
        return entry
    other = encode(context.counterparts[explainer], context, row)
    if entry["kind"] == "heatmap" == other["kind"]:
        entry["saturation"] = other["saturation"] = max(entry["saturation"], other["saturation"])
    about = ["predicted", "expected"]
    if context.counterparts[explainer].answers == "predicted":
        about.reverse()
    counterpart = {"explainer": explainer, "measures": [], "passes": None, "about": about[1]} | other
    return entry | {"about": about[0], "counterpart": counterpart}


def _judges(explanation: Any, explainer: str, context: Context, row: int) -> dict[str, Any]:
    """Independent classifiers' answers to a counterfactual; a failed search has none."""
    if not isinstance(explanation, Counterfactual) or not explanation.converged[row]:
        return {}
    return {"judges": judges(context, explainer, row)}


def _label(context: Context, row: int) -> str | None:
    labels, names = context.results.split.labels, context.results.split.class_names
    if labels is None:
        return None
    if context.regression:
        return f"{float(labels[row]):.3g}"
    index = int(labels[row])
    return names[index] if 0 <= index < len(names) else class_name(context.results, index)


def _passes(explanation: Any, row: int) -> float | None:
    passes = getattr(explanation, "passes", None)
    return None if passes is None else number(float(passes[row]), 4)


def _explainers(context: Context) -> list[dict[str, Any]]:
    records = {record.id: record for record in context.results.components if record.role == "explainer"}
    return [
        {"id": key, "kind": explanation.kind}
        | {name: getattr(records.get(key), name, "") for name in ("use", "summary", "paper")}
        | {"about": about(context, key), "limits": list(records[key].limits) if key in records else []}
        for key, explanation in context.results.explanations.items()
    ]


def _paths(context: Context) -> list[dict[str, Any]]:
    paths = {key: mean_path(value, context) for key, value in context.results.explanations.items()}
    return [{"name": key} | path for key, path in paths.items() if path is not None]


def _component(record: ComponentRecord) -> dict[str, Any]:
    names = ("id", "role", "use", "summary", "paper", "distribution", "version", "card")
    return {name: getattr(record, name) for name in names} | {"limits": list(record.limits)}
