"""How a counterfactual moves the classifier's confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_tensor

from sidelight_metrics.counterfactuals import counterfactual, of_answers
from sidelight_metrics.predictions import class_logits, probabilities

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Counterfactual, Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.params import ConfidenceChangeParams

Better = Literal["higher", "lower", "neither"]


class ConfidenceChange(Metric):
    """Probabilities of the predicted class and the probe, before and after; of a regression, its value."""

    def __init__(self, params: ConfidenceChangeParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """For each side `... before`, `... after` and `... change`; NaN where the search failed."""
        found, rows = counterfactual(explanation), np.arange(len(images))
        pictures = (images, to_tensor(found.images, self._run))
        before, after = (class_logits(self._classifier, part, self._params.batch) for part in pictures)
        if self._classifier.task == "regression":
            unit = self._classifier.class_names[0]
            return Measurements(items=_course("value", before[:, 0], after[:, 0], "neither", unit, found))
        before, after = probabilities(before), probabilities(after)
        items: tuple[Measurement, ...] = ()
        for name, better, classes in _sides(targets):
            items += _course(name, before[rows, classes], after[rows, classes], better, "probability", found)
        return Measurements(items=items)


def _sides(targets: Targets) -> tuple[tuple[str, Better, np.ndarray], ...]:
    return (("predicted", "lower", targets.predicted), ("probe", "higher", targets.probe))


def _course(
    name: str, before: np.ndarray, after: np.ndarray, better: Better, unit: str, found: Counterfactual
) -> tuple[Measurement, ...]:
    """Three measurements of one quantity; only the answer can be better or worse, not the image it started from."""
    steps: tuple[tuple[str, np.ndarray, Better], ...] = (
        ("before", before, "neither"),
        ("after", after, better),
        ("change", after - before, better),
    )
    what = "the value" if name == "value" else f"the {name} class"
    return tuple(
        Measurement(
            name=f"{name} {when}",
            values=of_answers(values, found),
            better=direction,
            unit=unit,
            help=f"{unit.capitalize()} of {what}, {when}; failed searches left out.",
        )
        for when, values, direction in steps
    )
