"""Answers of independent classifiers to a counterfactual, as a metric measured them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_report.document.accuracies import classifier_of
from sidelight_report.document.phrases import class_name
from sidelight_report.encoding import numbers

if TYPE_CHECKING:
    import numpy as np

    from sidelight_report.document.context import Context


def judge_of(context: Context, metric: str, explainer: str) -> str:
    """Id of the classifier of a metric where it is another one than the explainer's; empty otherwise."""
    judge = classifier_of(context, "metrics", metric)
    return "" if judge is None or judge == classifier_of(context, "explainers", explainer) else judge


def judges(context: Context, explainer: str, row: int) -> list[dict[str, Any]]:
    """Answers of each independent classifier to an image and to its counterfactual."""
    return [
        _entry(context, judge, measured.answers[row], row)
        for metric, of in context.results.measurements.items()
        if (measured := of.get(explainer)) is not None
        and measured.answers is not None
        and (judge := judge_of(context, metric, explainer))
    ]


def _entry(context: Context, judge: str, answers: np.ndarray, row: int) -> dict[str, Any]:
    before, after = answers  # (K,) each
    likeliest, shown = int(after.argmax()), context.shown_classes(row)
    part = {int(context.results.targets.probe[row]): "probe", int(context.results.targets.predicted[row]): "predicted"}
    return {
        "name": judge,
        "before": numbers(before[shown]),
        "after": numbers(after[shown]),
        "says": class_name(context.results, likeliest),
        "sure": float(after[likeliest]),
        "part": part.get(likeliest, "other"),
    }
