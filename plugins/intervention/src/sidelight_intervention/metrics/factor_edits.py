"""Counterfactual verification (figure 5): one factor edited in the images themselves, by drawing them anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sidelight_specs.results import Split
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Data

BATCH = 128
PAIRS = 12
"""Images that are shown, each twice."""


class Edit(NamedTuple):
    """Images with one factor at its lowest, and at its highest, and nothing else changed.

    Attributes:
        images: twice (N, C, H, W).
        probabilities: twice (N,), of class 1.
    """

    images: tuple[np.ndarray, np.ndarray]
    probabilities: tuple[np.ndarray, np.ndarray]

    @property
    def change(self) -> np.ndarray:
        """(N,): what the factor adds to the probability of class 1, from its lowest to its highest."""
        return np.asarray(self.probabilities[1] - self.probabilities[0])


def edited(data: Data, classifier: Classifier, split: Split, factor: str, run: Run) -> Edit:
    """The images of a split drawn anew, at both ends of a factor's range."""
    images = tuple(_drawn(data, split, factor, end) for end in data.factor_ranges[factor])
    probabilities = tuple(
        to_array(in_batches(lambda part: classifier.class_logits(part).softmax(1)[:, 1], to_tensor(each, run), BATCH))
        for each in images
    )
    return Edit((images[0], images[1]), (probabilities[0], probabilities[1]))


def _drawn(data: Data, split: Split, factor: str, value: float) -> np.ndarray:
    factors = {name: split.factors[name] for name in data.factor_ranges}
    factors[factor] = np.full(len(split), value, dtype=np.float32)
    return data.render(factors)


def sheet(edit: Edit, factor: str, label: str) -> Split:
    """The first images at both ends, each with the classifier's probability below it: a picture of figure 5."""
    count = min(PAIRS, len(edit.images[0]))
    pictures = np.stack([images[:count] for images in edit.images], axis=1)
    captions = tuple(
        f"{factor} at its {end}: {label} {float(probabilities[row]):.2f}"
        for row in range(count)
        for end, probabilities in zip(("lowest", "highest"), edit.probabilities, strict=True)
    )
    return Split(images=pictures.reshape(-1, *pictures.shape[2:]), ids=captions)
