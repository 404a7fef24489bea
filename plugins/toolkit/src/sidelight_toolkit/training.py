"""A training loop counted in steps: minibatches, a triangular learning rate, progress, and a check for NaN."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from sidelight_specs import Run


def minibatches(count: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless index batches: every epoch is a new permutation, and a batch is never larger than the data."""
    size = min(size, count)
    while True:
        order = rng.permutation(count)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]  # the incomplete last batch of an epoch is left out


def triangular(step: int, steps: int, warmup: float = 0.2) -> float:
    """Learning-rate factor: up to 1 over the first `warmup` share of the steps, then down to 0, linearly."""
    peak = max(1.0, warmup * steps)  # the step with factor 1
    return min(1.0, (step + 1) / peak, (steps - step) / max(1.0, steps - peak))


def train(
    run: Run,
    loss_of: Callable[[np.ndarray], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    batches: Iterator[np.ndarray],
    steps: int,
    label: str,
    schedule: Callable[[int, int], float] = triangular,
) -> np.ndarray:
    """Minimise `loss_of(indices)` for a number of steps.

    Returns:
        (steps,) float32, the loss at every step.

    Raises:
        SidelightError: the loss is not finite; it names the step.
    """
    rates = [group["lr"] for group in optimizer.param_groups]
    losses: list[float] = []
    for step in run.progress(range(steps), label):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * schedule(step, steps)
        loss = loss_of(next(batches))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise SidelightError(f"{label}: the loss is {losses[-1]} at step {step + 1}; try a lower learning rate")
    return np.array(losses, dtype=np.float32)
