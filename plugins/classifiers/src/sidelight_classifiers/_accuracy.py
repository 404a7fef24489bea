"""How often a classifier is right on labelled images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Split
    from sidelight_specs.roles import Classifier

BATCH = 256


def accuracy(classifier: Classifier, split: Split, run: Run) -> Measurements:
    """The share of images whose largest logit is that of their label, over all and for each class."""

    def said(images: torch.Tensor) -> torch.Tensor:
        return classifier.class_logits(images.to(run.device)).argmax(1)

    predicted = to_array(in_batches(said, torch.from_numpy(split.images), BATCH))
    right = (predicted == split.labels).astype(np.float32)
    items = [_measurement("accuracy", right, "images")]
    for index, name in enumerate(split.class_names):
        of_class = np.where(split.labels == index, right, np.float32("nan"))
        items.append(_measurement(f"accuracy on {name}", of_class, f"images of {name}"))
    return Measurements(items=tuple(items))


def _measurement(name: str, values: np.ndarray, what: str) -> Measurement:
    return Measurement(
        name=name,
        values=values,
        better="higher",
        unit="share of images",
        help=f"Share of the test split's {what} that the classifier gets right.",
    )
