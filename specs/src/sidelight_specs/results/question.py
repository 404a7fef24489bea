"""The question that is asked of every explainer: why this class, why not that one?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, per_image
from sidelight_specs.blocks import Block, Table, Text
from sidelight_specs.errors import SidelightError
from sidelight_specs.mapped import slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results.data import Split


def softmax(logits: np.ndarray) -> np.ndarray:
    """(..., K) float64 probabilities of (..., K) logits."""
    weights = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    shares: np.ndarray = weights / weights.sum(axis=-1, keepdims=True)
    return shares


def softmax_at(logits: np.ndarray, *classes: np.ndarray) -> list[np.ndarray]:
    """(N,) float64 probabilities of one class of each row, or of several in turn; a block of rows at a time.

    Args:
        logits: (N, K).
        classes: (N,) columns each.
    """
    result = [np.zeros(len(logits)) for _ in classes]
    for rows in slices(logits) if logits.size else ():
        assert rows is not None
        probabilities = softmax(logits[rows])
        for chosen, columns in zip(result, classes, strict=True):
            chosen[rows] = probabilities[np.arange(len(probabilities)), columns[rows]]
    return result


@attrs.frozen(eq=False, kw_only=True)
class Targets(Artifact):
    """The two sides of the question for each image.

    Args:
        predicted: (N,) int64, the class that the classifier says (0 for a regression).
        probe: (N,) int64, the class that is asked about (0 for a regression).
    """

    kind: ClassVar[str] = "targets"

    predicted: np.ndarray = per_image("N", numbers="int", low=0)
    probe: np.ndarray = per_image("N", numbers="int", low=0)

    def __len__(self) -> int:
        return len(self.predicted)

    def swapped(self) -> Targets:
        """The question from the other side: what speaks for the class asked about?"""
        return Targets(predicted=self.probe.copy(), probe=self.predicted.copy())

    def validate(self, images: tuple[int, ...] | None = None, classes: int | None = None) -> None:
        """Beside the forms: both sides are classes."""
        super().validate(images, classes)
        for name, asked in (("predicted", self.predicted), ("probe", self.probe)):
            if classes is not None and asked.max(initial=0) >= classes:
                raise SidelightError(f"{name} asks about class {asked.max()}, there are {classes} classes")

    def view(self, index: int) -> tuple[Block, ...]:
        """The question in words."""
        predicted, probe = int(self.predicted[index]), int(self.probe[index])
        against = f", and why not {{class {probe}}}" if probe != predicted else ""
        return (Text(f"why {{class {predicted}}}{against}?"),)


@attrs.frozen(eq=False, kw_only=True)
class Predictions(Artifact):
    """Answers of the classifier about the explained images.

    Args:
        logits: (N, K) float32, `Classifier.class_logits` (K = 2 for a binary task, 1 for a regression).
        task: `"multiclass"`, `"binary"` or `"regression"`.
    """

    kind: ClassVar[str] = "predictions"

    logits: np.ndarray = per_image("N K")
    task: str = "multiclass"

    def probabilities(self) -> np.ndarray:
        """(N, K) float64, the softmax of the logits; no probabilities where the task is a regression."""
        return softmax(self.logits)

    def view(self, index: int) -> tuple[Block, ...]:
        """The logits, highest first."""
        order = np.argsort(-self.logits[index], kind="stable")
        rows = tuple((f"{{class {k}}}", f"{self.logits[index, k]:.3f}") for k in order)
        return (Table(("class", "value" if self.task == "regression" else "logit"), rows),)


@attrs.frozen(eq=False, kw_only=True)
class ClassifierAnswers(Predictions):
    """Predictions with the class names, kept by themselves so that a later run need not load the classifier.

    Args:
        class_names: the classifier's.
    """

    kind: ClassVar[str] = "classifier-answers"

    class_names: tuple[str, ...] = ()


def expected_classes(split: Split, class_names: Sequence[str]) -> np.ndarray:
    """True classes of images as a classifier counts them, (N,) int64; -1 where unknown, or none of the classifier's.

    Args:
        split: the images.
        class_names: the classifier's, in index order.
    """
    if split.labels is None or split.labels.dtype.kind not in "iu":
        return np.full(len(split), -1, dtype=np.int64)
    return match_classes(split.labels, split.class_names, class_names)


def match_classes(labels: np.ndarray, label_names: Sequence[str], class_names: Sequence[str]) -> np.ndarray:
    """The same of (N,) integer labels: their names are looked up; labels without names are indices already."""
    if not label_names:
        return np.asarray(np.where((labels >= 0) & (labels < len(class_names)), labels, -1), dtype=np.int64)
    index = {name: number for number, name in reversed(list(enumerate(class_names)))}  # of equal names the first
    matches = np.array([index.get(name, -1) for name in label_names], dtype=np.int64)
    return np.asarray(matches[labels])
