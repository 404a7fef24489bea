"""Trainings kept in parts: one that was interrupted goes on with the part under way, and ends with the same weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import torch
from sidelight_toolkit.arrays import to_array

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidelight_specs import Run
    from sidelight_specs.results import State


class Resumable(Protocol):
    """Networks and optimizers under training."""

    def state(self, curves: Mapping[str, np.ndarray]) -> State:
        """Everything, as arrays, with the learning curves so far."""
        ...

    def load(self, state: State) -> None:
        """Continue from the result of `state`."""
        ...


L = TypeVar("L", bound="Resumable")


def trained_in_parts(
    run: Run, parts: int, data: str, begin: Callable[[], L], train: Callable[[L, int], dict[str, np.ndarray]]
) -> State:
    """The state after `parts` parts, each of which is cached; training begins after the last one that is.

    Args:
        run: the kernel.
        parts: their number.
        data: digest of the training data: nothing is continued on other data.
        begin: makes the networks at the beginning.
        train: trains them for part number 1, 2, ..., in place, and returns the learning curves, an array for each.
    """

    def make() -> State:
        learner = begin()
        # recursion down to the last part that is in the cache
        before = trained_in_parts(run, parts - 1, data, begin, train) if parts > 1 else None
        if before is not None:
            learner.load(before)
        curves = train(learner, parts)
        earlier = before.curves if before is not None else {}
        return learner.state({name: np.concatenate([earlier.get(name, new[:0]), new]) for name, new in curves.items()})

    return run.cached(("training", parts, data), make)


def under(group: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `group/`, without it."""
    return {name.removeprefix(f"{group}/"): value for name, value in arrays.items() if name.startswith(f"{group}/")}


def gathered(
    networks: Mapping[str, torch.nn.Module], optimizers: Mapping[str, torch.optim.Optimizer]
) -> dict[str, np.ndarray]:
    """Weights, buffers and the optimizers' states, named `network/weight` and `optimizer/index/entry`."""
    arrays: dict[str, np.ndarray] = {}
    for group, network in networks.items():
        arrays |= {f"{group}/{name}": to_array(value) for name, value in network.state_dict().items()}
    for group, optimizer in optimizers.items():
        for index, entry in optimizer.state_dict()["state"].items():
            arrays |= {f"{group}/{index}/{name}": to_array(value) for name, value in entry.items()}
    return arrays


def restore(
    networks: Mapping[str, torch.nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Load the result of `gathered`."""
    for group, network in networks.items():
        network.load_state_dict({name: _tensor(value) for name, value in under(group, arrays).items()})
    for group, optimizer in optimizers.items():
        entries: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in under(group, arrays).items():
            index, _, entry = name.partition("/")
            entries.setdefault(int(index), {})[entry] = _tensor(value)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.copy())
