"""Accuracy of the classifiers, overall and on the probe class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_specs.results import Measurements

from sidelight_report.document.phrases import class_name
from sidelight_report.encoding import number

if TYPE_CHECKING:
    from sidelight_report.document.context import Context

ACCURACY = "accuracy"


def accuracies(context: Context) -> dict[str, Any]:
    """One row for each classifier and split with an emitted accuracy."""
    probe = _probe_class(context)
    names = [ACCURACY] if probe is None else [ACCURACY, f"accuracy on {probe}", f"false positives of {probe}"]
    measured = [
        (*owner, item)
        for name, item in context.results.emitted.items()
        if (owner := _classifier_and_split(context, name))
    ]
    rows = [
        {"classifier": classifier, "split": split, "values": [_value(item, name) for name in names]}
        for classifier, split, item in measured
        if isinstance(item, Measurements) and _value(item, ACCURACY) is not None
    ]
    return {"names": names, "rows": rows}


def about(context: Context, explainer: str) -> str:
    """Classifier of an explainer and its accuracy, if several classifiers are explained."""
    classifier = classifier_of(context, "explainers", explainer)
    explained = {classifier_of(context, "explainers", key) for key in context.results.explanations}
    if classifier is None or len(explained.intersection(_classifiers(context))) < 2:
        return ""
    table = accuracies(context)
    row = next((row for row in table["rows"] if (row["classifier"], row["split"]) == (classifier, "test")), None)
    known = [] if row is None else list(zip(table["names"], row["values"], strict=True))[:2]
    facts = [f"{name} {value:.0%}" for name, value in known[-1:] if value is not None]
    return ", ".join([f"classifier {classifier}", *facts])


def _classifiers(context: Context) -> list[str]:
    return [record.id for record in context.results.components if record.role == "classifier"]


def classifier_of(context: Context, section: str, component: str) -> str | None:
    """Id of the classifier that the recipe wires to a component of a section."""
    chosen = context.results.recipe.get(section, {})
    needs = chosen.get(component, {}).get("needs", {}) if isinstance(chosen, dict) else {}
    return needs.get("classifier")


def _probe_class(context: Context) -> str | None:
    """Probe class of all questions; None if they differ or only ask about the predicted class."""
    targets = context.results.targets
    probes = set(targets.probe.tolist())
    if context.regression or len(probes) != 1 or (targets.probe == targets.predicted).all():
        return None
    return class_name(context.results, probes.pop())


def _classifier_and_split(context: Context, name: str) -> tuple[str, str] | None:
    """Classifier and split of a by-product `ID/accuracy` (of the test split) or `ID/accuracy on SPLIT`."""
    owner, _, what = name.partition("/")
    if owner not in _classifiers(context):
        return None
    if what == ACCURACY:
        return owner, "test"
    return (owner, what.removeprefix(f"{ACCURACY} on ")) if what.startswith(f"{ACCURACY} on ") else None


def _value(measured: Measurements, name: str) -> float | None:
    return next((number(item.value, 4) for item in measured.items if item.name == name), None)
