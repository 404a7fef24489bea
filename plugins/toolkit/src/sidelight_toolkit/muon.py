"""Muon (Jordan et al. 2024): gradient descent along momentum whose singular values are made equal.

A few directions rule the gradient of a layer; equal singular values let the others, on which details hang, learn as
fast. `torch.optim.Muon` takes matrices only; most weights here are kernels of convolutions, which are read as matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

MOMENTUM = 0.95
# Newton-Schulz: singular values between about 0.7 and 1.2 after 5 iterations (Jordan et al. 2024)
COEFFICIENTS, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
SIZE = 0.2  # root mean square of a step at a learning rate of 1, about that of Adam's (Liu et al. 2025)


class Muon(torch.optim.Optimizer):
    """Steps for weights of two dimensions or more: the first dimension against all others.

    Args:
        groups: as every optimizer of torch takes them, with `lr`.
        precision: of the matrix products; `torch.bfloat16` is enough.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], precision: torch.dtype = torch.float32) -> None:
        super().__init__(groups, {"lr": 1e-3})
        self._precision = precision

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move the weights that have a gradient."""
        del closure
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group["lr"])

    def _move(self, weight: Tensor, gradient: Tensor, rate: float) -> None:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        momentum = state["momentum_buffer"].lerp_(gradient, 1 - MOMENTUM)
        nesterov = gradient.lerp(momentum, MOMENTUM).flatten(1)  # (out, in * k * k)
        step = orthogonal(nesterov.to(self._precision)).to(weight.dtype)
        # a step's root mean square is about 1 / sqrt(max(out, in)), which the factor undoes
        weight.sub_(step.view(weight.shape), alpha=rate * SIZE * max(step.shape) ** 0.5)


def is_matrix(weight: Tensor) -> bool:
    """True for more than one row and more than one column."""
    return weight.ndim > 1 and min(len(weight), weight[0].numel()) > 1


def orthogonal(matrix: Tensor) -> Tensor:
    """U V^T of a matrix U S V^T, nearly: the same singular vectors, all singular values about 1.

    Args:
        matrix: (R, C), not zero.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x  # a x + b (x x^T) x + c (x x^T)^2 x
    return x.T if tall else x
