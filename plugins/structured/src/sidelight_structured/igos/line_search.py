"""A backtracking line search for many independent problems at once, with the masks kept in [0, 1]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

SHRINK = 0.2
SUFFICIENT = 1e-4


class LineSearch:
    """Projected gradient steps whose length is found by Armijo's rule, started from twice SHRINK's inverse of the last.

    Args:
        value: the objective: masks (B, M, h, w) of the problems `rows` (B,) to (B,).
        first: the step that the first search starts from.
        tries: how many lengths are tried before the problem stands still for this step.
    """

    def __init__(
        self, value: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], first: float, tries: int = 8
    ) -> None:
        self._value = value
        self._first = first
        self._tries = tries
        self._length: torch.Tensor | None = None

    def step(self, masks: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """The masks after one step; a problem for which no length is good enough keeps its mask."""
        if self._length is None:
            self._length = torch.full((len(masks),), self._first, device=masks.device)
        rows = torch.arange(len(masks), device=masks.device)
        start = self._value(masks, rows)
        result, length = masks.clone(), (self._length / SHRINK).clamp(max=self._first)
        for _ in range(self._tries):
            trial = (masks[rows] - length[rows, None, None, None] * gradient[rows]).clamp(0, 1)
            # Armijo for a projected step: the decrease that the gradient promises over the way really gone.
            promised = (gradient[rows] * (masks[rows] - trial)).sum((1, 2, 3))
            good = self._value(trial, rows) <= start[rows] - SUFFICIENT * promised
            result[rows[good]] = trial[good]
            rows = rows[~good]
            if not len(rows):
                break
            length[rows] *= SHRINK
        self._length = length
        return result
