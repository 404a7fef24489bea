"""How well concepts alone give what the classifier says (Li Fuxin et al. 2021, section 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric

from sidelight_metrics.concepts import concepts
from sidelight_metrics.predictions import class_logits

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Concepts, Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.params import FaithfulnessParams


class Faithfulness(Metric):
    """Agreement of predictions, and R squared of the explained class's logit."""

    def __init__(self, params: FaithfulnessParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`agreement`, `R2` and `error`; NaN where the concepts do not say what they make of a class.

        The classifier is run on the images again.
        """
        found = concepts(explanation)
        logits = class_logits(self._classifier, images, self._params.batch)
        error = _score(found, targets) - logits[np.arange(len(logits)), targets.predicted]
        return Measurements(
            items=(
                Measurement(
                    name="agreement",
                    values=self._agreement(found, logits),
                    better="higher",
                    unit="share of images",
                    help="Share of the images for which the concepts alone give the classifier's prediction.",
                ),
                Measurement(
                    name="R2",
                    values=np.array([_r_squared(found, logits)], dtype=np.float32),
                    better="higher",
                    unit="R squared",
                    help="1 minus the squared error of the logits over their variance, over the images and classes.",
                ),
                Measurement(
                    name="error",
                    values=np.abs(error).astype(np.float32),
                    better="lower",
                    unit="logits",
                    help="Distance of the class's logit from the constant and the contributions added up.",
                ),
            )
        )

    def _agreement(self, found: Concepts, logits: np.ndarray) -> np.ndarray:
        if found.logits is None or self._classifier.task == "regression":
            return np.full(len(logits), np.nan, dtype=np.float32)
        agree: np.ndarray = found.logits.argmax(1) == logits.argmax(1)
        return agree.astype(np.float32)


def _score(found: Concepts, targets: Targets) -> np.ndarray:
    """(N,) the class's score as the concepts alone give it; NaN where they do not explain it or do not add up."""
    if found.constant is None:
        return np.full(len(found.contributions), np.nan)
    total: np.ndarray = found.constant + found.contributions.sum(axis=1, dtype=np.float64)
    known: np.ndarray = _explained(found, int(targets.predicted.max()) + 1)[targets.predicted]
    scores: np.ndarray = np.where(known, total, np.nan)
    return scores


def _explained(found: Concepts, classes: int) -> np.ndarray:
    """(K,) bool: some concept adds something to the class."""
    if found.weights is None:
        return np.ones(classes, dtype=bool)
    explained: np.ndarray = np.any(found.weights != 0, axis=1)
    return explained


def _r_squared(found: Concepts, logits: np.ndarray) -> float:
    """Over the classes that some concept says something of; NaN where there is none or nothing varies."""
    if found.logits is None:
        return float("nan")
    explained = _explained(found, logits.shape[1])
    truth = logits[:, explained]
    spread = np.square(truth - truth.mean(axis=0)).sum() if explained.any() else 0.0
    return float(1 - np.square(found.logits[:, explained] - truth).sum() / spread) if spread > 0 else float("nan")
