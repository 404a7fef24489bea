"""Base of all explanations."""

from __future__ import annotations

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, per_image
from sidelight_specs.descriptors import Answers


@attrs.frozen(eq=False, kw_only=True)
class Explanation(Artifact):
    """Base of the explanations of N images.

    Args:
        answers: which side of the question this answers.
        passes: (N,) float32, forward passes of the classifier spent on each image, a backward pass counting two;
            None where it was not counted.
    """

    answers: Answers = "predicted"
    passes: np.ndarray | None = per_image("N", low=0, default=None)
