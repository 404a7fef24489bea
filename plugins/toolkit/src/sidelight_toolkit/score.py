"""Score y of an explanation: the logit of the class in question, or the difference of two.

Symbols: x (N, C, H, W) images, c the class of the question, y^c its logit, (N,); y is y^c, or y^c - y^c' for a
contrast of two classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_toolkit.options import Target

    Score = Callable[[Tensor, Tensor], Tensor]

GRADIENT_PASSES = 3
"""Cost of a gradient in passes: forward and backward, which counts as two forward ones (`Explanation.passes`)."""


def score_function(classifier: Classifier, target: Target) -> Score:
    """The function y that is attributed to pixels or feature maps.

    Returns:
        `score(images, classes)`: (N, C, H, W) and the (N, 2) of `class_pairs` to (N,) logits, or differences of
        logits for `"contrast"`.

    Raises:
        UserError: a contrast for a regression, which has one value and no classes.
    """
    refuse_contrast_of_regression(classifier, target)

    def score(images: Tensor, classes: Tensor) -> Tensor:
        of_class, against = classifier.class_logits(images).gather(1, classes).unbind(1)  # y^c, y^c', (N,) each
        return of_class - against if target == "contrast" else of_class

    return score


def class_pairs(targets: Targets, target: Target, device: torch.device) -> Tensor:
    """(N, 2) int64: the class whose logit is explained and the one that a contrast subtracts."""
    sides: tuple[np.ndarray, np.ndarray] = (targets.predicted, targets.probe)
    first, second = reversed(sides) if target == "probe" else sides
    return torch.stack([torch.from_numpy(side.astype("int64")) for side in (first, second)], dim=1).to(device)


def refuse_contrast_of_regression(classifier: Classifier, target: Target) -> None:
    """Raise a `UserError` for a contrast of a regression's single value."""
    if target == "contrast" and classifier.task == "regression":
        raise UserError(
            "target: contrast compares two classes, and the classifier is a regression with one value",
            "set target: predicted to explain the value",
        )
