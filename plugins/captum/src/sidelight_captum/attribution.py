"""The scalar that is explained: a class's logit, or the difference of two."""

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

    from sidelight_captum.params import Target

    Score = Callable[[Tensor, Tensor], Tensor]


def score_function(classifier: Classifier, target: Target) -> Score:
    """The function that captum attributes: images and their class pairs to one score for each image.

    Returns:
        `score(images, classes)`: (N, C, H, W) and the (N, 2) of `class_pairs` to (N,) logits, or differences of
        logits for `"contrast"`.

    Raises:
        UserError: a contrast is asked of a regression, which has one value and no classes.
    """
    if target == "contrast" and classifier.task == "regression":
        raise UserError(
            "target: contrast compares two classes, and the classifier is a regression with one value",
            "set target: predicted to explain the value",
        )

    def score(images: Tensor, classes: Tensor) -> Tensor:
        of_class, against = classifier.class_logits(images).gather(1, classes).unbind(1)
        return of_class - against if target == "contrast" else of_class

    return score


def class_pairs(targets: Targets, target: Target, device: torch.device) -> Tensor:
    """(N, 2) int64: the class whose logit is explained and the one that a contrast subtracts."""
    sides: tuple[np.ndarray, np.ndarray] = (targets.predicted, targets.probe)
    first, second = reversed(sides) if target == "probe" else sides
    return torch.stack([torch.from_numpy(side.astype("int64")) for side in (first, second)], dim=1).to(device)
