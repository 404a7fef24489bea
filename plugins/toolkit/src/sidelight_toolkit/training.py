"""A training loop counted in steps: minibatches, a triangular learning rate, progress, checkpoints, a check for NaN."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_specs import SidelightError

from sidelight_toolkit.checkpoints import Stateful, resumed_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sidelight_specs import Run

READ_EVERY = 50  # steps between two looks at values on a GPU, each of which makes the host wait for it


def is_far(tensor: torch.Tensor) -> bool:
    """True for a tensor whose values the host would have to wait for."""
    return tensor.device.type != "cpu"


class Minibatches:
    """Endless index batches: every epoch is a new permutation, and a batch is never larger than the data.

    Args:
        count: of the data.
        size: of a batch.
        rng: draws the permutations, and nothing else.
    """

    def __init__(self, count: int, size: int, rng: np.random.Generator) -> None:
        self._count, self._size, self._rng = count, min(size, count), rng
        self._before: Any = None  # the generator's state before the epoch's permutation
        self._order, self._start = np.empty(0, np.int64), 0

    def __iter__(self) -> Minibatches:
        return self

    def __next__(self) -> np.ndarray:
        # the incomplete last batch of an epoch is left out
        if self._start + self._size > len(self._order):
            self._permute()
        batch = self._order[self._start : self._start + self._size]
        self._start += self._size
        return batch

    def _permute(self) -> None:
        self._before = self._rng.bit_generator.state
        self._order, self._start = self._rng.permutation(self._count), 0

    def state_dict(self) -> dict[str, Any]:
        """The position in the epoch."""
        return {"before": self._before, "start": self._start}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state_dict`."""
        if state["before"] is not None:
            self._rng.bit_generator.state = state["before"]
            self._permute()
        self._start = state["start"]


def minibatches(count: int, size: int, rng: np.random.Generator) -> Minibatches:
    """Endless index batches: every epoch is a new permutation, and a batch is never larger than the data."""
    return Minibatches(count, size, rng)


class Curves:
    """Values recorded at every step. Those on a GPU are gathered there, and read once every `READ_EVERY` steps.

    Args:
        names: of the values.
        complain: sentence for the number of a step, from 0, and its values, one of which is not finite; without it
            anything is recorded.
    """

    def __init__(self, names: Sequence[str], complain: Callable[[int, dict[str, float]], str] | None = None) -> None:
        self._names, self._complain = tuple(names), complain
        self._rows: list[list[float]] = []
        self._waiting: list[torch.Tensor] = []  # (names,) each

    def append(self, values: Mapping[str, float | torch.Tensor]) -> None:
        """Record the values of one step.

        Raises:
            SidelightError: a value of this step, or of one that is read with it, is not finite.
        """
        row = [values[name] for name in self._names]
        devices = [each.device for each in row if isinstance(each, torch.Tensor) and is_far(each)]
        if not devices:
            self._take([[each.item() if isinstance(each, torch.Tensor) else each for each in row]])
            return
        self._waiting.append(torch.stack([torch.as_tensor(each, device=devices[0]).detach().float() for each in row]))
        if len(self._waiting) >= READ_EVERY:
            self.read()

    def read(self) -> None:
        """Read what waits on the device; raises as `append` does."""
        if self._waiting:
            rows, self._waiting = torch.stack(self._waiting).tolist(), []
            self._take(rows)

    def _take(self, rows: list[list[float]]) -> None:
        for row in rows:
            if self._complain is not None and not all(map(math.isfinite, row)):
                raise SidelightError(self._complain(len(self._rows), dict(zip(self._names, row, strict=True))))
            self._rows.append(row)

    def __len__(self) -> int:
        """The number of steps recorded."""
        return len(self._rows) + len(self._waiting)

    def arrays(self) -> dict[str, np.ndarray]:
        """(T,) float32 for each name."""
        self.read()
        table = np.array(self._rows, dtype=np.float32).reshape(-1, len(self._names))
        return {name: table[:, column].copy() for column, name in enumerate(self._names)}

    def state_dict(self) -> dict[str, Any]:
        """All values so far."""
        self.read()
        return {"rows": np.array(self._rows).reshape(-1, len(self._names))}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state_dict`."""
        self._rows, self._waiting = state["rows"].tolist(), []


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
    *,
    stateful: Mapping[str, Any],
    key: Any = None,
) -> np.ndarray:
    """Minimise `loss_of(indices)` for a number of steps, or the rest of them after an interruption.

    Args:
        run: the kernel.
        loss_of: loss of a minibatch.
        optimizer: of the weights.
        batches: indices of the minibatches, `minibatches` or an iterator that always gives the same.
        steps: their number.
        label: of the progress bar.
        schedule: factor of the learning rates, of the step and the number of steps.
        stateful: whatever a step changes beside the optimizer and `minibatches`, as `resumed_steps` takes it: networks
            whose weights are learned, and random streams that `loss_of` draws from.
        key: tells trainings of one component and label apart.

    Returns:
        (steps,) float32, the loss at every step.

    Raises:
        SidelightError: the loss is not finite; it names the step.
    """
    rates = [group["lr"] for group in optimizer.param_groups]

    def complaint(step: int, values: Mapping[str, float]) -> str:
        return f"{label}: the loss is {values['loss']} at step {step + 1}; try a lower learning rate"

    losses = Curves(["loss"], complaint)
    kept = {**stateful, "optimizer": optimizer, "losses": losses}
    if isinstance(batches, Stateful):
        kept["minibatches"] = batches
    for step in resumed_steps(run, steps, label, kept, key):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * schedule(step, steps)
        loss = loss_of(next(batches))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append({"loss": loss})
    return losses.arrays()["loss"]
