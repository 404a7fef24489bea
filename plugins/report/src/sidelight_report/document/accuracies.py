"""How good the classifiers are, and how good they are at the class that is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_specs.results import Measurements

from sidelight_report.document.phrases import class_name
from sidelight_report.encoding import number

if TYPE_CHECKING:
    from sidelight_report.document.context import Scene

ACCURACY = "accuracy"


def accuracies(scene: Scene) -> dict[str, Any]:
    """One row for each classifier and split of which an accuracy was emitted; empty rows where there is none."""
    asked = _asked(scene)
    names = [ACCURACY] if asked is None else [ACCURACY, f"accuracy on {asked}", f"false positives of {asked}"]
    found = [(*place, measured) for name, measured in scene.results.emitted.items() if (place := _place(scene, name))]
    rows = [
        {"classifier": classifier, "split": split, "values": [_value(measured, name) for name in names]}
        for classifier, split, measured in found
        if isinstance(measured, Measurements) and _value(measured, ACCURACY) is not None
    ]
    return {"names": names, "rows": rows}


def about(scene: Scene, explainer: str) -> str:
    """Which classifier an explainer explains, and how good it is, where a recipe has several; else nothing."""
    classifier = _wired(scene, explainer)
    if classifier is None or len(_classifiers(scene)) < 2:
        return ""
    table = accuracies(scene)
    row = next((row for row in table["rows"] if (row["classifier"], row["split"]) == (classifier, "test")), None)
    known = [] if row is None else list(zip(table["names"], row["values"], strict=True))[:2]
    facts = [f"{name} {value:.0%}" for name, value in known[-1:] if value is not None]
    return ", ".join([f"classifier {classifier}", *facts])


def _classifiers(scene: Scene) -> list[str]:
    return [record.id for record in scene.results.components if record.role == "classifier"]


def _wired(scene: Scene, explainer: str) -> str | None:
    """The id of the classifier that the recipe names for an explainer."""
    chosen = scene.results.recipe.get("explainers", {})
    needs = chosen.get(explainer, {}).get("needs", {}) if isinstance(chosen, dict) else {}
    return needs.get("classifier")


def _asked(scene: Scene) -> str | None:
    """The class that every question asks about; None where they differ, or ask for the predicted class only."""
    targets = scene.results.targets
    probes = set(targets.probe.tolist())
    if scene.regression or len(probes) != 1 or (targets.probe == targets.predicted).all():
        return None
    return class_name(scene.results, probes.pop())


def _place(scene: Scene, name: str) -> tuple[str, str] | None:
    """Classifier and split of a by-product `ID/accuracy` (of the test split) or `ID/accuracy on SPLIT`."""
    owner, _, what = name.partition("/")
    if owner not in _classifiers(scene):
        return None
    if what == ACCURACY:
        return owner, "test"
    return (owner, what.removeprefix(f"{ACCURACY} on ")) if what.startswith(f"{ACCURACY} on ") else None


def _value(measured: Measurements, name: str) -> float | None:
    return next((number(item.value, 4) for item in measured.items if item.name == name), None)
