"""The role `classifier`: what is to be explained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor
    from torch.nn import Module

Task = Literal["multiclass", "binary", "regression"]
Activations: TypeAlias = "Mapping[str, Tensor]"
"""Layer name to its latest output; filled by every call of `scores` inside `watch`, part of the autograd graph."""


class Classifier(ABC):
    """A fixed function from images to class logits, or to one value.

    Using a classifier never changes it: its weights, mode and hooks are the same after every call, also after an
    error. Parameters do not require gradients; gradients with respect to the images flow where it
    provides `differentiable`.
    """

    @property
    @abstractmethod
    def task(self) -> Task:
        """`"multiclass"` (K >= 2 logits), `"binary"` (one logit, of class 1) or `"regression"` (one value)."""

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """K names; two for a binary task (class 0, class 1); one, what the value means, for a regression."""

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images it was made for."""

    @abstractmethod
    def scores(self, images: Tensor) -> Tensor:
        """Raw scores of images.

        Args:
            images: (N, C, H, W) float32 in [0, 1]; normalising and resizing happen inside.

        Returns:
            (N, K) float32 logits; (N, 1) for binary tasks and regressions.
        """

    def class_logits(self, images: Tensor) -> Tensor:
        """One column for each class: (N, K) logits whose softmax is the prediction.

        A binary logit s becomes (-s/2, s/2), whose softmax is (sigmoid(-s), sigmoid(s)); a regression's value
        stays one column.
        """
        scores = self.scores(images)
        return scores * scores.new_tensor([-0.5, 0.5]) if self.task == "binary" else scores

    @property
    def layers(self) -> tuple[str, ...]:
        """Names that `watch` takes, from input to output; empty without the capability `activations`."""
        return ()

    def watch(self, layers: Sequence[str]) -> AbstractContextManager[Activations]:
        """Record the outputs of layers during calls of `scores` (capability `activations`).

        The mapping keeps, for each layer, its output in the latest call, attached to the autograd graph, so
        that `torch.autograd.grad(score, activations[layer])` works. Leaving the context removes every hook.

        Raises:
            SidelightError: a name is none of `layers`, or the classifier has no activations to show.
        """
        raise SidelightError(f"{type(self).__name__} does not show activations (asked for {', '.join(layers)})")

    @property
    def module(self) -> Module:
        """The torch module that maps images in [0, 1] to scores (capability `module`); not to be changed."""
        raise SidelightError(f"{type(self).__name__} is not a torch module")


def displayed(scores: Any, task: Task) -> Any:
    """Scores as they are shown to people: softmax probabilities, tanh of a binary logit, or the value itself.

    Args:
        scores: (N, K) tensor that `Classifier.scores` gave.
        task: the classifier's task.

    Returns:
        (N, K) probabilities for a multi-class task, (N, 1) in [-1, 1] for a binary one, the values for a regression.
    """
    if task == "multiclass":
        return scores.softmax(-1)
    return scores.tanh() if task == "binary" else scores
