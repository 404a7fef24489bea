"""Faithfulness of concepts to the classifier (Li Fuxin et al. 2021, section 2.2).

    agreement = share of images with argmax_k l^_k = argmax_k l_k                        higher is better
    R2        = 1 - sum (l^ - l)^2 / sum (l - mean l)^2, over images and classes         higher is better
    error     = |b + sum_i c_i - l_predicted|, in logits                                 lower is better

l are the classifier's logits, l^ those of the concepts alone, b their constant and c_i their contributions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Concepts, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU

from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.predictions import class_logits

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.params import BatchParams


class Faithfulness(Metric):
    """Agreement of predictions, R squared of the logits, and error of the explained class's logit."""

    def __init__(self, params: BatchParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`agreement`, `R2` and `error`; NaN where the concepts do not give a class's logit.

        The classifier is run on the images again.
        """
        concepts = expect_kind(explanation, Concepts)
        logits = class_logits(self._classifier, images, self._batch)
        error = _score(concepts, targets) - logits[np.arange(len(logits)), targets.predicted]
        return Measurements(
            items=(
                Measurement(
                    name="agreement",
                    values=self._agreement(concepts, logits),
                    better="higher",
                    unit="share of images",
                    help="Share of the images for which the concepts alone give the classifier's prediction.",
                ),
                Measurement(
                    name="R2",
                    values=np.array([_r_squared(concepts, logits)], dtype=np.float32),
                    whole=True,
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

    def _agreement(self, concepts: Concepts, logits: np.ndarray) -> np.ndarray:
        if concepts.logits is None or self._classifier.task == "regression":
            return np.full(len(logits), np.nan, dtype=np.float32)
        agree: np.ndarray = concepts.logits.argmax(1) == logits.argmax(1)
        return agree.astype(np.float32)


def _score(concepts: Concepts, targets: Targets) -> np.ndarray:
    """(N,) logit of the predicted class by the concepts alone; NaN where they do not explain it or do not add up."""
    if concepts.constant is None:
        return np.full(len(concepts.contributions), np.nan)
    total: np.ndarray = concepts.constant + concepts.contributions.sum(axis=1, dtype=np.float64)  # b + sum_i c_i
    known: np.ndarray = _explained(concepts, int(targets.predicted.max()) + 1)[targets.predicted]
    scores: np.ndarray = np.where(known, total, np.nan)
    return scores


def _explained(concepts: Concepts, classes: int) -> np.ndarray:
    """(K,) bool: some concept has a weight for the class."""
    if concepts.weights is None:
        return np.ones(classes, dtype=bool)
    explained: np.ndarray = np.any(concepts.weights != 0, axis=1)
    return explained


def _r_squared(concepts: Concepts, logits: np.ndarray) -> float:
    """Over the classes that some concept explains; NaN where there is none or nothing varies."""
    if concepts.logits is None:
        return float("nan")
    explained = _explained(concepts, logits.shape[1])
    truth = logits[:, explained]
    spread = np.square(truth - truth.mean(axis=0)).sum() if explained.any() else 0.0
    return float(1 - np.square(concepts.logits[:, explained] - truth).sum() / spread) if spread > 0 else float("nan")
