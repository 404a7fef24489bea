"""Trainings that are kept in parts, so that one that was interrupted goes on and ends with the same weights."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import torch
from sidelight_toolkit.arrays import to_array

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sidelight_specs import Run
    from sidelight_specs.results import Split, State


class Resumable(Protocol):
    """Networks under training, with all that has to be kept to continue."""

    def state(self, curves: Mapping[str, np.ndarray]) -> State:
        """Everything, as arrays, with the learning curves so far."""
        ...

    def load(self, state: State) -> None:
        """Continue from what `state` gave."""
        ...


L = TypeVar("L", bound="Resumable")


def trained_in_parts(
    run: Run, parts: int, data: str, begin: Callable[[], L], train: Callable[[L, int], dict[str, np.ndarray]]
) -> State:
    """The training after `parts` parts, each of which is kept. The last one that was finished is where it begins.

    Args:
        run: the kernel, which keeps.
        parts: how many.
        data: what it is trained on, so that nothing is continued on other data: see `digest`.
        begin: gives the networks at the beginning.
        train: trains them for part number 1, 2, ..., in place, and gives the learning curves, an array for each.
    """

    def make() -> State:
        learner = begin()
        before = trained_in_parts(run, parts - 1, data, begin, train) if parts > 1 else None
        if before is not None:
            learner.load(before)
        curves = train(learner, parts)
        earlier = before.curves if before is not None else {}
        return learner.state({name: np.concatenate([earlier.get(name, new[:0]), new]) for name, new in curves.items()})

    return run.cached(("training", parts, data), make)


def digest(split: Split) -> str:
    """What the images and labels are."""
    hasher = hashlib.blake2b(np.ascontiguousarray(split.images).tobytes(), digest_size=16)
    hasher.update(b"" if split.labels is None else np.ascontiguousarray(split.labels).tobytes())
    return hasher.hexdigest()


def under(part: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `part/`, without it."""
    return {name.removeprefix(f"{part}/"): value for name, value in arrays.items() if name.startswith(f"{part}/")}


def gathered(
    networks: Mapping[str, torch.nn.Module], optimizers: Mapping[str, torch.optim.Optimizer]
) -> dict[str, np.ndarray]:
    """Weights, buffers, and what optimizers keep of each weight, each name below that of its network or optimizer."""
    arrays: dict[str, np.ndarray] = {}
    for part, network in networks.items():
        arrays |= {f"{part}/{name}": to_array(value) for name, value in network.state_dict().items()}
    for part, optimizer in optimizers.items():
        for index, entry in optimizer.state_dict()["state"].items():
            arrays |= {f"{part}/{index}/{name}": to_array(value) for name, value in entry.items()}
    return arrays


def restore(
    networks: Mapping[str, torch.nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Load what `gathered` gave."""
    for part, network in networks.items():
        network.load_state_dict({name: _tensor(value) for name, value in under(part, arrays).items()})
    for part, optimizer in optimizers.items():
        entries: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in under(part, arrays).items():
            index, _, what = name.partition("/")
            entries.setdefault(int(index), {})[what] = _tensor(value)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.copy())
