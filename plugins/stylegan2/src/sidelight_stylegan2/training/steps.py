"""What adversarial trainings do at every step: take it, note its terms, average the weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import SidelightError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidelight_specs import Run


def noted_steps(
    run: Run, steps: range, label: str, step: Callable[[int], None], noted: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """Take steps, and keep what is noted after each.

    Args:
        run: the kernel, which shows how far it is.
        steps: their numbers.
        label: for the progress bar.
        step: takes one, and writes into `noted`.
        noted: name to value, the same names at every step.

    Returns:
        (T,) float32 for each name.

    Raises:
        SidelightError: a value is not finite; it names the step.
    """
    rows = []
    for number in run.progress(steps, label):
        step(number)
        rows.append(list(noted.values()))
        if not all(math.isfinite(value) for value in rows[-1]):
            raise SidelightError(
                f"the training left finite numbers at step {number + 1}: {dict(noted)}; try lower rates"
            )
    table = np.array(rows, dtype=np.float32).reshape(-1, len(noted))
    return {name: table[:, column].copy() for column, name in enumerate(noted)}


def averaging_decay(step: int, size: int, half_life: int) -> float:
    """What the average keeps of itself at a step of `size` images.

    Its half-life is `half_life` images, and at most a twentieth of the images seen so far.
    """
    seen = (step + 1) * size
    return float(0.5 ** (size / max(1e-8, min(half_life, 0.05 * seen))))


def descend(loss: torch.Tensor, *optimizers: torch.optim.Optimizer) -> None:
    """One step of the optimizers along the loss."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    for optimizer in optimizers:
        optimizer.step()


def precision(device: str | torch.device, name: str) -> torch.autocast:
    """The context in which convolutions have the precision that an option names: `float32` or `bfloat16`."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=name == "bfloat16")
