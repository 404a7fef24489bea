"""Change of the classifier's confidence from an image to its counterfactual.

    change of class k = p_k(x') - p_k(x), in probability; lower is better for the predicted class, higher for the probe

x' is the counterfactual of the image x. A regression has its value in place of p. The classifier may be another one
than the explained: a judge, which took no part in the search. An answer that moves the explained classifier alone
shows a quirk of that classifier; one that turns the judge too shows something of the classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from sidelight_specs.results import Counterfactual, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_tensor
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU

from sidelight_metrics.counterfactuals import converged_only
from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.predictions import class_logits, probabilities

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.params import BatchParams

Better = Literal["higher", "lower", "neither"]


class ConfidenceChange(Metric):
    """Probabilities of the predicted class and the probe, before and after; of a regression, its value."""

    def __init__(self, params: BatchParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """For each side `before`, `after`, `change`; `turned` and `third likeliest`; NaN where the search failed."""
        result, rows = expect_kind(explanation, Counterfactual), np.arange(len(images))
        both = (images, to_tensor(result.images, self._run))
        before, after = (class_logits(self._classifier, one, self._batch) for one in both)
        if self._classifier.task == "regression":
            unit = self._classifier.class_names[0]
            return Measurements(items=_changes("value", before[:, 0], after[:, 0], "neither", unit, result))
        before, after = probabilities(before), probabilities(after)
        sides: tuple[tuple[str, Better, np.ndarray], ...] = (
            ("predicted", "lower", targets.predicted),
            ("probe", "higher", targets.probe),
        )
        items: tuple[Measurement, ...] = ()
        for name, better, classes in sides:
            items += _changes(name, before[rows, classes], after[rows, classes], better, "probability", result)
        answers = np.stack([before, after], 1).astype(np.float32)  # (N, 2, K)
        answers[~result.converged] = np.nan
        return Measurements(items=items + _decisions(after, targets, result), answers=answers)


def _changes(
    name: str, before: np.ndarray, after: np.ndarray, better: Better, unit: str, result: Counterfactual
) -> tuple[Measurement, ...]:
    """One quantity before and after, and its change."""
    steps: tuple[tuple[str, np.ndarray, Better], ...] = (
        ("before", before, "neither"),  # the image is given, so its value is neither good nor bad
        ("after", after, better),
        ("change", after - before, better),
    )
    subject = "the value" if name == "value" else f"the {name} class"
    return tuple(
        Measurement(
            name=f"{name} {when}",
            values=converged_only(values, result),
            better=direction,
            unit="change of probability" if (when, unit) == ("change", "probability") else unit,
            help=f"{unit.capitalize()} of {subject}, {when}; failed searches left out.",
        )
        for when, values, direction in steps
    )


def _decisions(after: np.ndarray, targets: Targets, result: Counterfactual) -> tuple[Measurement, ...]:
    """Shares of answers (N, K) for which the probe is likelier than the predicted class, or a third class than both."""
    rows, likeliest = np.arange(len(after)), after.argmax(1)
    turned = after[rows, targets.probe] > after[rows, targets.predicted]
    third = (likeliest != targets.probe) & (likeliest != targets.predicted)
    parts: tuple[tuple[str, np.ndarray, Better, str], ...] = (
        ("turned", turned, "higher", "the probe is likelier than the predicted class"),
        ("third likeliest", third, "lower", "another class is the likeliest"),
    )
    return tuple(
        Measurement(
            name=name,
            values=converged_only(values, result),
            better=better,
            unit="share of images",
            help=f"Share of answers for which {words}, by this metric's classifier; failed searches left out.",
        )
        for name, values, better, words in parts
    )
