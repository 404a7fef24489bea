"""Predictions of a whole split, or of a sample of it, beside its labels: a few numbers of each image, no logits."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, per_image
from sidelight_specs.blocks import Block, Table, Text
from sidelight_specs.results.question import expected_classes, match_classes, softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results.data import Split

MOST_CLASSES = 20  # rows of a table
MOST_PAIRS = 10


@attrs.frozen(eq=False, kw_only=True)
class SplitPredictions(Artifact):
    """Predicted and true classes of the N images of a split.

    Args:
        index: (N,) int64, rows of the split, ascending; images that cannot be read are absent.
        predicted: (N,) int64, the likeliest class.
        surprisal: (N,) float32, -ln p(predicted): unlike the probability it tells apart what is nearly certain.
        margin: (N,) float32, probability of the likeliest class minus that of the second.
        class_names: the classifier's.
        labels: (N,) int64, true classes as the data counts them; None where unknown.
        label_names: the data's class names.
        label_surprisal: (N,) float32, -ln p(true class), the log loss of each image; NaN where the true class is
            unknown or none of the classifier's. None in results of earlier versions.
        brier: (N,) float32 in [0, 2], sum over classes of (p - y)^2 where y is 1 for the true class (Brier 1950); NaN
            and None likewise.
        split_size: images of the split, of which these N may be a sample; None where unknown.
    """

    kind: ClassVar[str] = "split-predictions"

    index: np.ndarray = per_image("N", numbers="int", low=0)
    predicted: np.ndarray = per_image("N", numbers="int", low=0)
    surprisal: np.ndarray = per_image("N", low=0)
    margin: np.ndarray = per_image("N", low=0, high=1)
    class_names: tuple[str, ...] = ()
    labels: np.ndarray | None = per_image("N", numbers="int", default=None)
    label_names: tuple[str, ...] = ()
    label_surprisal: np.ndarray | None = per_image("N", low=0, nan=True, default=None)
    brier: np.ndarray | None = per_image("N", low=0, high=2, nan=True, default=None)
    split_size: int | None = None

    @classmethod
    def of(
        cls,
        logits: np.ndarray,
        split: Split,
        index: Sequence[int] | np.ndarray,
        class_names: Sequence[str],
        split_size: int | None = None,
    ) -> SplitPredictions:
        """From (N, K) class logits of the N images of a split, or of a part of it with these rows."""
        labels = split.labels if split.labels is not None and split.labels.dtype.kind in "iu" else None
        top = np.sort(logits.astype(np.float64), axis=1)[:, ::-1]  # l_1 >= l_2 >= ..., (N, K)
        below = top[:, 1:] - top[:, :1]  # l_k - l_1 <= 0
        surprisal = np.log1p(np.exp(below).sum(axis=1))  # -ln p_1 = ln(1 + sum over k > 1 of exp(l_k - l_1))
        gap = -np.expm1(below[:, 0]) if below.shape[1] else np.ones(len(top))  # 1 - p_2 / p_1
        expected = expected_classes(split, class_names)
        true = logits[np.arange(len(logits)), expected].astype(np.float64)  # l_y, (N,); of class -1 not used
        shares = softmax(logits)
        loss = surprisal + top[:, 0] - true  # -ln p_y = -ln p_1 + l_1 - l_y
        brier = (shares**2).sum(axis=1) - 2 * np.exp(-loss) + 1  # sum over k of (p_k - y_k)^2
        is_known = expected >= 0
        return cls(
            index=np.asarray(index, dtype=np.int64),
            predicted=logits.argmax(axis=1).astype(np.int64),
            surprisal=surprisal.astype(np.float32),
            margin=(np.exp(-surprisal) * gap).astype(np.float32),  # p_1 - p_2
            class_names=tuple(class_names),
            labels=labels,
            label_names=split.class_names if labels is not None else (),
            label_surprisal=np.where(is_known, np.maximum(loss, 0), np.nan).astype(np.float32),
            brier=np.where(is_known, np.clip(brier, 0, 2), np.nan).astype(np.float32),
            split_size=split_size,
        )

    def __len__(self) -> int:
        return len(self.index)

    @property
    def expected(self) -> np.ndarray:
        """(N,) int64, the true class as the classifier counts, -1 where unknown (`expected_classes`)."""
        if self.labels is None:
            return np.full(len(self), -1, dtype=np.int64)
        return match_classes(self.labels, self.label_names, self.class_names)

    @property
    def is_known(self) -> np.ndarray:
        """(N,) bool: the true class is known, and one of the classifier's."""
        return np.asarray(self.expected >= 0)

    @property
    def is_error(self) -> np.ndarray:
        """(N,) bool: misclassified."""
        return np.asarray(self.is_known & (self.predicted != self.expected))

    @property
    def confidence(self) -> np.ndarray:
        """(N,) float64 probability of the predicted class."""
        return np.asarray(np.exp(-self.surprisal.astype(np.float64)))

    def worst(self, count: int) -> np.ndarray:
        """(n,) int64 positions of the most confident errors, the most confident first; at most `count`."""
        errors = np.flatnonzero(self.is_error)
        order = np.argsort(self.surprisal[errors], kind="stable")[:count]
        return np.asarray(errors[order], dtype=np.int64)

    def confused(self) -> list[tuple[int, int, int]]:
        """True class, predicted class and number of images of every kind of error, the most frequent first."""
        errors = self.is_error
        pairs = Counter(zip(self.expected[errors].tolist(), self.predicted[errors].tolist(), strict=True))
        return [(*pair, count) for pair, count in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))]

    def view(self, index: int) -> tuple[Block, ...]:
        """Accuracy, the classes that it finds worst, and the most frequent errors."""
        del index
        known, errors = int(self.is_known.sum()), int(self.is_error.sum())
        if not known:
            return (Text(f"{len(self):,} images; mean confidence {_percent(self.confidence)}; no label is known"),)
        right = self.confidence[self.is_known & ~self.is_error]
        sentences = [f"{1 - errors / known:.1%} of {known:,} images are classified as they are labelled"]
        sentences += [f"mean confidence {_percent(right)} where that is so"] if len(right) else []
        sentences += [f"{_percent(self.confidence[self.is_error])} of the {errors:,} errors"] if errors else []
        blocks: list[Block] = [Text(", ".join(sentences))]
        if errors:
            pairs = self.confused()
            title = f"the {MOST_PAIRS} most frequent of {len(pairs)}" if len(pairs) > MOST_PAIRS else "all of them"
            rows = tuple((f"{{class {true}}}", f"{{class {said}}}", f"{count:,}") for true, said, count in pairs)
            blocks.append(Table(("labelled", "predicted", "images"), rows[:MOST_PAIRS], f"Errors, {title}."))
            blocks.append(self._recall())
        return tuple(blocks)

    def _recall(self) -> Table:
        """Images of each true class that are found, the worst class first."""
        classes, totals = np.unique(self.expected[self.is_known], return_counts=True)
        wrong = np.array([(self.is_error & (self.expected == one)).sum() for one in classes])
        order = np.argsort(-wrong / totals, kind="stable")[:MOST_CLASSES]
        rows = tuple(
            (f"{{class {classes[k]}}}", f"{totals[k]:,}", f"{1 - wrong[k] / totals[k]:.1%}", self._mean(classes[k]))
            for k in order
        )
        title = f"the {MOST_CLASSES} worst of {len(classes)}" if len(classes) > MOST_CLASSES else "the worst first"
        return Table(("class", "images", "recall", "confidence"), rows, f"True classes, {title}.")

    def _mean(self, true: int) -> str:
        return _percent(self.confidence[self.expected == true])


def _percent(values: np.ndarray) -> str:
    return f"{values.mean():.1%}"
