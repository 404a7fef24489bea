"""Step rules for masks M in [0, 1]: momentum with normalised gradients, and backtracking line search.

Both step many independent masks (N, K, h, w) at once and project them onto the box [0, 1] after each step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

SQUARE_DECAY = 0.95
"""Decay of the running mean square of the gradient: the scale changes slowly beside the direction."""
BACKTRACKING = 0.2
"""Factor by which the line search shortens a step that does not lower the objective enough."""
SUFFICIENT_DECREASE = 1e-4
"""Share of the decrease predicted by the gradient that a step has to reach (Armijo's constant)."""


class Momentum:
    """Projected steps of fixed length along a running mean of the gradient.

    Adam (Kingma and Ba 2015), but with one scale for each mask instead of one for each cell: steps have the same
    length for every size of mask and every classifier, and cells keep the order that the gradient gives them, which
    is all that a heatmap shows.

    Args:
        length: root mean square of a step over the mask's cells.
        momentum: decay of the running mean of the gradient.
    """

    def __init__(self, length: float, momentum: float) -> None:
        self._length = length
        self._momentum = momentum
        self._steps = 0
        self._mean = self._square = torch.zeros(())

    def step(self, masks: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """The masks (N, K, h, w) after one step."""
        self._steps += 1
        square = gradient.square().mean((2, 3), keepdim=True)  # (N, K, 1, 1), one scale for each mask
        self._mean = _running_mean(self._mean, gradient, self._momentum)
        self._square = _running_mean(self._square, square, SQUARE_DECAY)
        # bias correction: both running means start at 0
        mean = self._mean / (1 - self._momentum**self._steps)
        scale = (self._square / (1 - SQUARE_DECAY**self._steps)).sqrt()
        return (masks - self._length * mean / scale.clamp_min(1e-30)).clamp(0, 1)


def _running_mean(old: torch.Tensor, new: torch.Tensor, decay: float) -> torch.Tensor:
    return decay * old.to(new) + (1 - decay) * new


class LineSearch:
    """Projected gradient descent by Armijo backtracking, with a step length of its own for every problem.

    A search begins with the last accepted length, lengthened by one backtracking factor and at most `first`.

    Args:
        value: the objective: masks (B, K, h, w) of the problems `rows` (B,) to (B,).
        first: the longest step.
        tries: lengths tried before a problem keeps its mask for this step.
    """

    def __init__(
        self, value: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], first: float, tries: int = 8
    ) -> None:
        self._value = value
        self._first = first
        self._tries = tries
        self._length: torch.Tensor | None = None

    def step(self, masks: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """The masks (N, K, h, w) after one step; unchanged where no length lowers the objective enough."""
        if self._length is None:
            self._length = torch.full((len(masks),), self._first, device=masks.device)
        rows = torch.arange(len(masks), device=masks.device)  # the problems still searching
        start = self._value(masks, rows)
        result, length = masks.clone(), (self._length / BACKTRACKING).clamp(max=self._first)
        for _ in range(self._tries):
            trial = (masks[rows] - length[rows, None, None, None] * gradient[rows]).clamp(0, 1)
            # Armijo for a projected step: the predicted decrease is along the step after its projection
            predicted = (gradient[rows] * (masks[rows] - trial)).sum((1, 2, 3))
            accepted = self._value(trial, rows) <= start[rows] - SUFFICIENT_DECREASE * predicted
            result[rows[accepted]] = trial[accepted]
            rows = rows[~accepted]
            if not len(rows):
                break
            length[rows] *= BACKTRACKING
        self._length = length
        return result
