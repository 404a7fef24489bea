"""Checkpoints of trainings: after `kill -9` a training continues from its newest one and ends with the same bits.

A state holds all that a step changes: networks with their buffers, optimizers, averages of weights, random streams, the
position in the minibatches, learning curves, and the number of steps taken. The global random streams of torch, numpy
and Python are always among it, since dropout draws from torch's.
"""

from __future__ import annotations

import json
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from sidelight_specs import Cancelled
from sidelight_specs.results import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sidelight_specs import Checkpoint, Run

_ARRAY, _TENSOR, _PAIRS = "$array", "$tensor", "$pairs"


@runtime_checkable
class Stateful(Protocol):
    """Torch's networks and optimizers: a state can be taken, and loaded in place."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors, arrays, numbers, texts, and lists and dicts of these."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Continue from the result of `state_dict`."""
        ...


def resumed_steps(run: Run, steps: int, label: str, stateful: Mapping[str, Any], key: Any = None) -> Iterator[int]:
    """Numbers of a training's steps, from 0, or after those that an interrupted training has taken.

    The loop's body takes a step. Between steps the state is saved when that is due, and when the user cancels.

    Args:
        run: the kernel.
        steps: their number.
        label: of the progress bar.
        stateful: name to whatever a step changes: a `Stateful`, a random generator of torch or numpy, a tensor that is
            changed in place, or a list or dict of numbers.
        key: tells trainings of one component, label and number of steps apart.
    """
    checkpoint = run.checkpoint(("steps", label, steps, key, torch.__version__))
    first = _restore(checkpoint, stateful, run.device)
    done = saved = first
    try:
        for step in run.progress(range(first, steps), label):
            yield step
            done = step + 1
            if done < steps and checkpoint.is_due():
                checkpoint.save(captured(done, stateful, run.device))
                saved = done
    except Cancelled:  # raised by `progress`, between two steps
        if done > saved:
            checkpoint.save(captured(done, stateful, run.device))
        raise


def captured(step: int, stateful: Mapping[str, Any], device: str = "cpu") -> State:
    """The state of everything after that many steps; arrays of the CPU may share memory with it."""
    arrays: dict[str, np.ndarray] = {}
    values = {name: _state_of(thing) for name, thing in stateful.items()}
    plain = _encode({"step": step, "streams": _streams(device), "stateful": values}, "", arrays)
    return State(arrays=arrays, settings={"checkpoint": json.dumps(plain)})


def restored(state: State, stateful: Mapping[str, Any], device: str = "cpu") -> int:
    """Load what `captured` gave, in place; gives the number of steps taken."""
    content = _decode(json.loads(state.settings["checkpoint"]), state.arrays)
    for name, thing in stateful.items():
        _load(thing, content["stateful"][name])
    _load_streams(content["streams"], device)
    return int(content["step"])


def _restore(checkpoint: Checkpoint, stateful: Mapping[str, Any], device: str) -> int:
    state = checkpoint.load()
    return 0 if state is None else restored(state, stateful, device)


@contextmanager
def gathered(run: Run, key: Any) -> Iterator[_Gathered]:
    """Context around a loop that gathers tensors, whose length grows: those of an interrupted loop are there."""
    checkpoint = run.checkpoint(("gathered", key, torch.__version__))
    gathered = _Gathered(checkpoint)
    try:
        yield gathered
    except Cancelled:
        gathered.save()
        raise


class _Gathered:
    """Rows of tensors, one for each item of a loop; `done` counts them."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        state = checkpoint.load()
        self.rows: list[list[torch.Tensor]] = []
        if state is not None:
            self.rows = _decode(json.loads(state.settings["checkpoint"]), state.arrays)

    @property
    def done(self) -> int:
        """Items that need not be gone through again."""
        return len(self.rows)

    def append(self, *tensors: torch.Tensor) -> None:
        """Keep what an item gave, on the CPU."""
        self.rows.append([tensor.detach().cpu() for tensor in tensors])
        if self._checkpoint.is_due():
            self.save()

    def save(self) -> None:
        """Save all rows."""
        arrays: dict[str, np.ndarray] = {}
        plain = _encode(self.rows, "", arrays)
        self._checkpoint.save(State(arrays=arrays, settings={"checkpoint": json.dumps(plain)}))


def _state_of(thing: Any) -> Any:
    if isinstance(thing, torch.Generator):
        return thing.get_state()
    if isinstance(thing, np.random.Generator):
        return thing.bit_generator.state
    if isinstance(thing, Stateful):
        return thing.state_dict()
    return thing  # tensors, lists and dicts are their own states


def _load(thing: Any, state: Any) -> None:
    if isinstance(thing, torch.Generator):
        thing.set_state(state)
    elif isinstance(thing, np.random.Generator):
        thing.bit_generator.state = state
    elif isinstance(thing, torch.optim.Optimizer):
        thing.load_state_dict(state)
        _lay_out(thing)
    elif isinstance(thing, Stateful):
        thing.load_state_dict(state)
    elif isinstance(thing, torch.Tensor):
        with torch.no_grad():
            thing.copy_(state)
    elif isinstance(thing, dict):
        thing.update(state)
    else:
        thing[:] = state


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Give moments the strides of their weights, as they had.

    Adam's fused kernel for CPUs goes through the memory of weights and moments side by side, whatever their strides.
    """
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == weight.shape and value.stride() != weight.stride():
                state[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def _streams(device: str) -> dict[str, Any]:
    """States of the global random streams."""
    version, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "device": torch.cuda.get_rng_state(device) if device.startswith("cuda") else None,
        "numpy": np.random.get_state(legacy=False),
        "python": [version, np.array(words), gauss],
    }


def _load_streams(streams: Mapping[str, Any], device: str) -> None:
    torch.set_rng_state(streams["torch"])
    if device.startswith("cuda") and streams["device"] is not None:
        torch.cuda.set_rng_state(streams["device"], device)
    np.random.set_state(streams["numpy"])
    version, words, gauss = streams["python"]
    random.setstate((version, tuple(words.tolist()), gauss))


def _encode(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """Plain values beside a table of arrays; tuples become lists, and every bit stays."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        # numpy has no bfloat16: its bits as integers
        arrays[path] = (value.view(torch.int16) if value.dtype == torch.bfloat16 else value).numpy()
        return {_TENSOR: path, "dtype": str(value.dtype).removeprefix("torch.")}
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {_ARRAY: path}
    if isinstance(value, dict):  # json's keys are texts, those of optimizers numbers
        return {_PAIRS: [[key, _encode(item, f"{path}/{key}", arrays)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_encode(item, f"{path}/{index}", arrays) for index, item in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def _decode(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        tensor = torch.from_numpy(arrays[value[_TENSOR]].copy())
        return tensor.view(torch.bfloat16) if value["dtype"] == "bfloat16" else tensor
    if _ARRAY in value:
        return arrays[value[_ARRAY]].copy()
    pairs: Iterable[list[Any]] = value[_PAIRS]
    return {key: _decode(item, arrays) for key, item in pairs}
