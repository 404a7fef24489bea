"""Accuracy of a classifier on labelled images, over all and for each class, and its false positives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import at_once

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Split
    from sidelight_specs.roles import Classifier, Data

BATCH = 256  # images; the networks here are small
PIXELS = 1 << 18  # of them together: 64 at 64 px, whose activations in LeNet take 30 MB


def emit_accuracy(classifier: Classifier, data: Data, run: Run, batch: int = BATCH) -> None:
    """Emit `accuracy` on the test split, and `accuracy on SPLIT` on every other labelled one but the training split."""
    for name in data.splits:
        if name != "train" and (split := data.split(name)).labels is not None:
            emitted = "accuracy" if name == "test" else f"accuracy on {name}"
            run.emit(emitted, accuracy(classifier, split, run, name, batch))


def accuracy(classifier: Classifier, split: Split, run: Run, name: str = "test", batch: int = BATCH) -> Measurements:
    """Share of images whose largest logit is that of the label, over all images and for each class.

    Then, for each class, the share of the other images that are taken for it.

    Args:
        classifier: of the split's classes.
        split: labelled images.
        run: of the component that reports it.
        name: the split's, for the help texts.
        batch: images in one forward pass, and in memory, at most.
    """
    size, said, known = at_once(batch, split.images.shape[1:], PIXELS), list[np.ndarray](), list[np.ndarray]()
    for part in run.progress(split.batches(size), f"accuracy on {name}", -(-len(split) // size)):
        assert part.labels is not None
        with torch.no_grad():
            logits = classifier.class_logits(torch.from_numpy(part.images).to(run.device))  # (n, K)
        said.append(to_array(logits.argmax(1)))
        known.append(part.labels)
    predicted, labels = np.concatenate(said), np.concatenate(known)  # (N,) each, of the images that can be read
    correct = (predicted == labels).astype(np.float32)
    of = f"of the {name} split"
    items = [_share("accuracy", correct, f"the images {of} that the classifier gets right")]
    for index, label in enumerate(split.class_names):
        of_class = np.where(labels == index, correct, np.float32("nan"))  # NaN is left out of the mean
        items.append(_share(f"accuracy on {label}", of_class, f"the images of {label} {of} that it gets right"))
    for index, label in enumerate(split.class_names):
        called = np.where(labels == index, np.float32("nan"), (predicted == index).astype(np.float32))
        text = f"the images {of} that are not of {label} and that it calls {label}"
        items.append(_share(f"false positives of {label}", called, text, "lower"))
    return Measurements(items=tuple(items))


def _share(name: str, values: np.ndarray, of: str, better: Literal["higher", "lower"] = "higher") -> Measurement:
    return Measurement(name=name, values=values, better=better, unit="share of images", help=f"Share of {of}.")
