"""Steps of adversarial trainings: recording of terms, averaging of weights, descent, precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from sidelight_toolkit.checkpoints import resumed_steps
from sidelight_toolkit.training import Curves

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from sidelight_specs import Run


def recorded_steps(
    run: Run,
    steps: int,
    label: str,
    step: Callable[[int], None],
    terms: dict[str, float | torch.Tensor],
    stateful: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Take steps, or the rest of them after an interruption, recording the terms after each.

    Args:
        run: the kernel.
        steps: their number.
        label: of the progress bar.
        step: takes one, and writes into `terms`.
        terms: name to value, or to a scalar tensor, the same names at every step.
        stateful: whatever a step changes beside the terms, as `resumed_steps` takes it.

    Returns:
        (steps,) float32 for each name.

    Raises:
        SidelightError: a value is not finite; it names the step.
    """

    def complaint(number: int, values: dict[str, float]) -> str:
        return f"a term of the loss is not finite at step {number + 1}: {values}; lower the learning rates"

    curves = Curves(tuple(terms), complaint)
    for number in resumed_steps(run, steps, label, {**stateful, "terms": terms, "curves": curves}):
        step(number)
        curves.append(terms)
    return curves.arrays()


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
