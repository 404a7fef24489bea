"""Class probability f_c of masked images Phi(I, M), the quantity that masks and sets of patches are judged by.

Phi(I, M) = I M + I0 (1 - M): the image I where the mask M is 1, the baseline I0 where it is 0 (section 3.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.batching import Batch, each_batch

if TYPE_CHECKING:
    from sidelight_specs.roles import Classifier

FORWARD, FORWARD_AND_BACKWARD = 1, 3
"""Cost of an evaluation in passes: a backward pass counts as two forward ones (`Explanation.passes`)."""
LABEL = "class probabilities"


def blend(images: torch.Tensor, baselines: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Phi(I, M) of images and baselines (N, C, H, W) under masks (N, 1, H, W)."""
    return baselines + mask * (images - baselines)


class ClassProbability:
    """f_c: the softmax probability of each image's class, with a count of the passes spent on each image.

    Args:
        classifier: answers with class logits.
        classes: (N,) int64, the class c of each explained image.
        batch: images in one forward pass.
    """

    def __init__(self, classifier: Classifier, classes: torch.Tensor, batch: int | Batch) -> None:
        self.classifier = classifier
        self.classes = classes
        self.batch = batch
        self.passes = torch.zeros(len(classes), device=classes.device)

    @property
    def at_once(self) -> int:
        """Images in the next pass of `of_many`."""
        return self.batch.rows(LABEL) if isinstance(self.batch, Batch) else self.batch

    def of(self, images: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Probabilities (B,) of images (B, C, H, W) that are variants of the explained images `rows` (B,)."""
        return self._evaluate(images, rows, FORWARD)

    def with_gradient(self, images: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """The same for a caller that differentiates them, which costs a backward pass more."""
        return self._evaluate(images, rows, FORWARD_AND_BACKWARD)

    def of_many(self, images: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """The same without gradients, `batch` images at a time."""
        with torch.inference_mode():
            values = each_batch(lambda part: self.of(images[part], rows[part]), len(images), self.batch, LABEL)
        return torch.cat(values).clone()  # a clone is no inference tensor any more

    def _evaluate(self, images: torch.Tensor, rows: torch.Tensor, passes: int) -> torch.Tensor:
        logits = self.classifier.class_logits(images)  # (B, K)
        self.passes.index_add_(0, rows, torch.full_like(rows, passes, dtype=self.passes.dtype))  # where the rows are
        return logits.softmax(-1).gather(1, self.classes[rows, None]).squeeze(1)
