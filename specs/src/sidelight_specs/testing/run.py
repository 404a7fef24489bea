"""A `Run` that lives in memory, for tests."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sidelight_specs.digests import digest_of, seed_of
from sidelight_specs.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import State

T = TypeVar("T")
A = TypeVar("A", bound="Artifact")


class Killed(BaseException):
    """Stands for `kill -9`: nothing that catches errors sees it."""


class ToyCheckpoint:
    """The `Checkpoint` protocol over a dict, due at every `every`-th question; never with 0."""

    def __init__(self, states: dict[str, State], name: str, every: int) -> None:
        self._states, self._name, self._every, self._asked = states, name, every, 0

    def load(self) -> State | None:
        """A copy of the newest state."""
        return copy.deepcopy(self._states.get(self._name))

    def is_due(self) -> bool:
        """True at every `every`-th call."""
        self._asked += 1
        return self._every > 0 and self._asked % self._every == 0

    def save(self, state: State) -> None:
        """Keep a copy."""
        self._states[self._name] = copy.deepcopy(state)


class ToyRun:
    """The `Run` protocol without a kernel: keeps in lists and dicts whatever a component says to it.

    Args:
        seed: the recipe's seed.
        component: the name that separates one component's random streams from another's.
        cancel_after: raise `Cancelled` once this many items have passed through `progress`, over all loops.
        kill_after: raise `Killed` then.
        checkpoint_every: a checkpoint is due at every so many questions whether it is; never with 0.
        states: those of an earlier run, which this one continues.

    Attributes:
        steps: label of a progress loop to the number of items that passed.
        store: digest of a key to the artifact kept under it.
        states: digest of a checkpoint's key to its newest state.
        emitted: name to by-product.
        warnings: the texts given to `warn`.
        mapped: name of the method, item and answer of everything that went through `map`.
    """

    device = "cpu"
    dtype = "float32"
    compile = False

    def __init__(
        self,
        seed: int = 0,
        component: str = "toy",
        cancel_after: int | None = None,
        kill_after: int | None = None,
        checkpoint_every: int = 0,
        states: dict[str, State] | None = None,
    ) -> None:
        self._seed, self._component = seed, component
        self._cancel_after, self._kill_after, self._checkpoint_every = cancel_after, kill_after, checkpoint_every
        self.steps: dict[str, int] = {}
        self.store: dict[str, Any] = {}
        self.states: dict[str, State] = {} if states is None else states
        self.emitted: dict[str, Artifact] = {}
        self.warnings: list[str] = []
        self.mapped: list[tuple[str, Any, Artifact]] = []

    def seed(self, label: str) -> int:
        """A number in [0, 2**63) that only the seed, the component and `label` decide."""
        return seed_of(f"{self._seed}/{self._component}/{label}")

    def rng(self, label: str) -> np.random.Generator:
        """A fresh numpy stream from `seed(label)`."""
        return np.random.default_rng(self.seed(label))

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass items through, counting them in `steps`. Raises `Cancelled` once `cancel_after` items have passed."""
        del total
        self.steps.setdefault(label, 0)
        for item in iterable:
            passed = sum(self.steps.values())
            if self._kill_after is not None and passed >= self._kill_after:
                raise Killed(f"killed after {self._kill_after} items")
            if self._cancel_after is not None and passed >= self._cancel_after:
                raise Cancelled(f"cancelled after {self._cancel_after} items")
            self.steps[label] += 1
            yield item

    def cached(self, key: Any, make: Callable[[], A]) -> A:
        """The artifact that `make` gave for this key the first time."""
        name = digest_of(key)
        if name not in self.store:
            self.store[name] = make()
        kept: A = self.store[name]
        return kept

    def checkpoint(self, key: Any) -> ToyCheckpoint:
        """The newest state under this key, in `states`."""
        return ToyCheckpoint(self.states, digest_of(key), self._checkpoint_every)

    def map(self, function: Callable[[Any], A], items: Iterable[Any], label: str) -> list[A]:
        """Results of `function` for each item, kept in `store` and `mapped`."""
        answers = []
        for item in self.progress(items, label):
            answers.append(self.cached(("map", function.__name__, item), partial(function, item)))
            self.mapped.append((function.__name__, item, answers[-1]))
        return answers

    def emit(self, name: str, artifact: Artifact) -> None:
        """Keep `artifact` in `emitted`."""
        self.emitted[name] = artifact

    def warn(self, text: str) -> None:
        """Keep `text` in `warnings`."""
        self.warnings.append(text)
