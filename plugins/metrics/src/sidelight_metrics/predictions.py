"""Class logits and probabilities of a classifier, and the two sides of a question in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs.results.question import softmax
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches

if TYPE_CHECKING:
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from sidelight_toolkit.batching import Batch


def class_logits(classifier: Classifier, images: torch.Tensor, batch: int | Batch) -> np.ndarray:
    """(N, K) float64 logits, `batch` images at a time; one column for a regression."""
    # channels_last is the faster layout for convolutions on a CPU
    images = images.contiguous(memory_format=torch.channels_last)
    return to_array(in_batches(classifier.class_logits, images, batch, "classifying")).astype(np.float64)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """(N, K) softmax."""
    return softmax(logits)


@attrs.frozen(eq=False)
class Sides:
    """Logits of the predicted class, the probe, and the best of all other classes.

    Args:
        predicted, probe: (N,) logits.
        third: (N,) largest logit of the other classes; -inf where there are only two.
    """

    predicted: np.ndarray
    probe: np.ndarray
    third: np.ndarray

    @property
    def third_above(self) -> np.ndarray:
        """(N,) bool: a third class is more likely than both."""
        above: np.ndarray = self.third > np.maximum(self.predicted, self.probe)
        return above

    @property
    def gap(self) -> np.ndarray:
        """(N,) log-likelihood of the predicted class minus the probe's, in nats."""
        gap: np.ndarray = self.predicted - self.probe  # the softmax's normaliser cancels
        return gap


def sides(logits: np.ndarray, targets: Targets) -> Sides:
    """Split (N, K) logits by the question."""
    rows = np.arange(len(logits))
    others = logits.copy()
    others[rows, targets.predicted] = others[rows, targets.probe] = -np.inf
    return Sides(logits[rows, targets.predicted], logits[rows, targets.probe], others.max(axis=1))
