"""Base of all explanations."""

from __future__ import annotations

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, per_image
from sidelight_specs.blocks import Text
from sidelight_specs.descriptors import Answers
from sidelight_specs.errors import SidelightError


@attrs.frozen(eq=False, kw_only=True)
class Explanation(Artifact):
    """Base of the explanations of N images.

    Args:
        answers: which side of the question this answers.
        passes: (N,) float32, forward passes of the classifier spent on each image, a backward pass counting two;
            None where it was not counted.
        answered: (N,) bool, False for images that the method has no answer for; their rows are neither shown nor
            measured. None: all have one. A method that may leave images out always gives it, so that shards can be
            joined.
        no_answer: the reason, in words that follow "no answer: "; a constant of the method.
    """

    answers: Answers = "predicted"
    passes: np.ndarray | None = per_image("N", low=0, default=None)
    answered: np.ndarray | None = per_image("N", numbers="bool", default=None)
    no_answer: str = ""

    def has_answer(self, index: int) -> bool:
        """True if the row `index` is an answer."""
        return self.answered is None or bool(self.answered[index])

    def validate(self, images: tuple[int, ...] | None = None, classes: int | None = None) -> None:
        """Beside the forms: images without an answer come with the reason."""
        super().validate(images, classes)
        if self.answered is not None and not self.answered.all() and not self.no_answer:
            raise SidelightError("no_answer is empty, although answered has rows that are False")

    def doubts(self) -> list[str]:
        """Number of images without an answer, and the reason."""
        if self.answered is None or self.answered.all():
            return []
        count = int((~self.answered).sum())
        verb = "has" if count == 1 else "have"
        return [f"{count} of {len(self.answered)} images {verb} no answer: {self.no_answer}"]

    def reason(self) -> Text:
        """Block that stands where a row has no answer."""
        return Text(f"no answer: {self.no_answer}")
