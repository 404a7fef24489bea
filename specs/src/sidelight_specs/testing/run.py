"""A `Run` that lives in memory, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sidelight_specs.digests import digest_of, seed_of
from sidelight_specs.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_specs.artifacts import Artifact

T = TypeVar("T")
A = TypeVar("A", bound="Artifact")


class ToyRun:
    """The `Run` protocol without a kernel: keeps in lists and dicts whatever a component says to it.

    Args:
        seed: the recipe's seed.
        component: the name that separates one component's random streams from another's.
        cancel_after: raise `Cancelled` once this many items have passed through `progress`, over all loops.

    Attributes:
        steps: label of a progress loop to the number of items that passed.
        store: digest of a key to the artifact kept under it.
        emitted: name to by-product.
        warnings: the texts given to `warn`.
    """

    device = "cpu"
    dtype = "float32"

    def __init__(self, seed: int = 0, component: str = "toy", cancel_after: int | None = None) -> None:
        self._seed, self._component, self._cancel_after = seed, component, cancel_after
        self.steps: dict[str, int] = {}
        self.store: dict[str, Any] = {}
        self.emitted: dict[str, Artifact] = {}
        self.warnings: list[str] = []

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
            if self._cancel_after is not None and sum(self.steps.values()) >= self._cancel_after:
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

    def emit(self, name: str, artifact: Artifact) -> None:
        """Keep `artifact` in `emitted`."""
        self.emitted[name] = artifact

    def warn(self, text: str) -> None:
        """Keep `text` in `warnings`."""
        self.warnings.append(text)
