"""A step rule for many independent masks at once, kept in [0, 1]: momentum, with steps of a length of their own."""

from __future__ import annotations

import torch

FORGETTING = 0.95
"""How much of the mean square of the gradient is kept from step to step."""


class Momentum:
    """Projected gradient steps along a running mean of the gradient, over a running root mean square of it.

    Adam (Kingma and Ba 2015), but with one scale for each mask and not for each of its cells: the lengths of the
    steps are then the same for every size of mask and every classifier, and the cells keep the order that the
    gradient gives them, which is all that a heatmap says.

    Args:
        length: root mean square of a step over the cells.
        momentum: share of the running mean that is kept.
    """

    def __init__(self, length: float, momentum: float) -> None:
        self._length = length
        self._momentum = momentum
        self._steps = 0
        self._mean = self._square = torch.zeros(())

    def step(self, masks: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """The masks (N, M, h, w) after one step."""
        self._steps += 1
        square = gradient.square().mean((2, 3), keepdim=True)
        self._mean = _mixed(self._mean, gradient, self._momentum)
        self._square = _mixed(self._square, square, FORGETTING)
        # both running means start at 0 and are too small by these factors
        mean = self._mean / (1 - self._momentum**self._steps)
        scale = (self._square / (1 - FORGETTING**self._steps)).sqrt()
        return (masks - self._length * mean / scale.clamp_min(1e-30)).clamp(0, 1)


def _mixed(old: torch.Tensor, new: torch.Tensor, keep: float) -> torch.Tensor:
    return keep * old.to(new) + (1 - keep) * new
