"""A classifier of brackets as one value: the mean of the brackets, each weighted by its probability.

    v(x) = sum_k p_k(x) c_k,   p = softmax of the class logits, c_k the value that class k stands for

So Kirchler et al. 2021 read ages off FairFace, whose classes are brackets of years (c = 1, 6, 15, 25, ... in their
program).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError
from sidelight_toolkit.classifier import TorchClassifier
from torch import nn

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier
    from sidelight_specs.roles.classifier import Task

    from sidelight_classifiers.params import ExpectedValueParams


class Mean(nn.Module):
    """(N, K) class logits to (N, 1) expected values.

    Args:
        values: c_k of the K classes.
        is_binary: the scores are one logit, of class 1.
    """

    values: torch.Tensor

    def __init__(self, values: tuple[float, ...], *, is_binary: bool) -> None:
        super().__init__()
        self.is_binary = is_binary
        self.register_buffer("values", torch.tensor(values, dtype=torch.float32))

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        """v(x)."""
        if self.is_binary:
            p = scores.sigmoid()  # of class 1, (N, 1)
            return self.values[0] + p * (self.values[1] - self.values[0])
        return (scores.softmax(1) * self.values).sum(1, keepdim=True)


class ExpectedValue(TorchClassifier):
    """A regression whose value is the expected one over another classifier's classes.

    Raises:
        UserError: there are not as many values as classes.
    """

    task: Task = "regression"

    def __init__(self, params: ExpectedValueParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier = params, classifier
        classes = classifier.class_names
        if len(classes) != len(params.values):  # one value alone would be broadcast over all classes
            raise UserError(
                f"{len(params.values)} values for {len(classes)} classes: {', '.join(classes[:12])}",
                "give one value for each class, in their order",
            )
        mean = Mean(params.values, is_binary=classifier.task == "binary").to(run.device)
        self._module = nn.Sequential(classifier.module, mean).eval().requires_grad_(False)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of the value."""
        return (self._params.name,)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """The classifier's."""
        return self._classifier.input_shape

    @property
    def module(self) -> nn.Module:
        """The classifier's network, and the mean."""
        return self._module
