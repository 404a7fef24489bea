"""Steps of adversarial trainings: recording of terms, averaging of weights, descent, precision."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import SidelightError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidelight_specs import Run


def recorded_steps(
    run: Run, steps: range, label: str, step: Callable[[int], None], terms: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """Take steps, recording the terms after each.

    Args:
        run: the kernel, for progress.
        steps: their numbers.
        label: of the progress bar.
        step: takes one, and writes into `terms`.
        terms: name to value, the same names at every step.

    Returns:
        (T,) float32 for each name.

    Raises:
        SidelightError: a value is not finite; it names the step.
    """
    rows = []
    for number in run.progress(steps, label):
        step(number)
        rows.append(list(terms.values()))
        if not all(math.isfinite(value) for value in rows[-1]):
            raise SidelightError(
                f"a term of the loss is not finite at step {number + 1}: {dict(terms)}; lower the learning rates"
            )
    table = np.array(rows, dtype=np.float32).reshape(-1, len(terms))
    return {name: table[:, column].copy() for column, name in enumerate(terms)}


def averaging_decay(step: int, size: int, half_life: int) -> float:
    """Decay of the weights' moving average at a step of `size` images.

    The half-life is `half_life` images, and at most a twentieth of the images seen so far, so that the average forgets
    the random weights of the beginning.
    """
    seen = (step + 1) * size
    return float(0.5 ** (size / max(1e-8, min(half_life, 0.05 * seen))))


def descend(loss: torch.Tensor, *optimizers: torch.optim.Optimizer) -> None:
    """One step of the optimizers along the loss."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)  # weights without a gradient are then skipped
    loss.backward()  # type: ignore[no-untyped-call]
    for optimizer in optimizers:
        optimizer.step()


def precision(device: str | torch.device, name: str) -> torch.autocast:
    """Autocast context for the option `precision`: `float32` or `bfloat16`."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=name == "bfloat16")
