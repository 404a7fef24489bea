"""A toy classifier that raises in the middle of somebody's work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_specs.roles import Classifier


class ToyFault(RuntimeError):
    """Raised inside the classifier's network."""


class _CountingLinear(nn.Linear):
    """A linear layer that counts its calls, and raises once it has had as many as it allows."""

    calls: int = 0
    allowed: int | None = None

    def forward(self, features: Tensor) -> Tensor:
        if self.allowed is not None and self.calls >= self.allowed:
            raise ToyFault(f"forward pass {self.calls + 1} fails on purpose")
        self.calls += 1
        return super().forward(features)


def calls(classifier: Classifier) -> int:
    """Forward passes that a toy classifier has made since `failing`."""
    head = classifier.module.get_submodule("head")
    return head.calls if isinstance(head, _CountingLinear) else 0


def failing(classifier: Classifier, allowed: int | None) -> None:
    """Make a toy classifier raise `ToyFault` after `allowed` forward passes; None only counts them."""
    head = classifier.module.get_submodule("head")
    fused = _CountingLinear(head.in_features, head.out_features)  # type: ignore[arg-type]
    fused.weight, fused.bias, fused.allowed = head.weight, head.bias, allowed  # type: ignore[assignment]
    classifier.module.add_module("head", fused.eval())
