"""The probability of one class, counted: what every method here asks of the classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.batching import slices

if TYPE_CHECKING:
    from sidelight_specs.roles import Classifier


class ClassProbability:
    """f_c: the softmax probability of each image's class, with a count of what it cost.

    Args:
        classifier: answers with class logits.
        classes: (N,) int64, the class of each explained image.
        batch: images in one forward pass.
    """

    def __init__(self, classifier: Classifier, classes: torch.Tensor, batch: int) -> None:
        self.classifier = classifier
        self.classes = classes
        self.batch = batch
        self.passes = torch.zeros(len(classes))

    def of(self, images: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Probabilities (B,) of images (B, C, H, W) that are variants of the explained images `rows` (B,)."""
        self._count(rows, 1)
        return self._probabilities(images, rows)

    def with_gradient(self, images: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """The same, when a backward pass will follow, which counts as two forward passes."""
        self._count(rows, 3)
        return self._probabilities(images, rows)

    def of_many(self, images: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """The same without gradients, in batches."""
        with torch.inference_mode():
            parts = [self.of(images[part], rows[part]) for part in slices(len(images), self.batch)]
        return torch.cat(parts).clone()

    def _probabilities(self, images: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        logits = self.classifier.class_logits(images)
        return logits.softmax(-1).gather(1, self.classes[rows, None]).squeeze(1)

    def _count(self, rows: torch.Tensor, passes: int) -> None:
        self.passes += passes * torch.bincount(rows.cpu(), minlength=len(self.passes))
