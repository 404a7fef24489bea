"""What the kernel keeps of a classifier's answers, so that a later run need not load the classifier."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np
from sidelight_specs import Artifact, kinds
from sidelight_specs.artifacts import per_image


@attrs.frozen(eq=False, kw_only=True)
class ClassifierAnswers(Artifact):
    """Class logits with the facts that questions need.

    Args:
        logits: (N, K) float32, `Classifier.class_logits`.
        task: the classifier's task.
        class_names: its class names.
    """

    kind: ClassVar[str] = "classifier-answers"

    logits: np.ndarray = per_image()
    task: str
    class_names: tuple[str, ...]


kinds.register(ClassifierAnswers)
