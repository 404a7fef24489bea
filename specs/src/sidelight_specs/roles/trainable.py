"""The capability `trainable`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidelight_specs.results import State
    from sidelight_specs.roles.data import Data


class Trainable(ABC):
    """A component that learns from data. The kernel calls `fit` once and `load_state` ever after.

    Until either has been called, the component's other methods raise `NotFittedError`.
    """

    @abstractmethod
    def fit(self, data: Data) -> None:
        """Learn from `data.split("train")`, with a progress bar, from streams of `run.rng` alone.

        A component that was fitted before starts anew.
        """

    @abstractmethod
    def state(self) -> State:
        """All that was learned. Raises `NotFittedError` before `fit`."""

    @abstractmethod
    def load_state(self, state: State) -> None:
        """Become what `state()` was taken from: the same input then gives the same output."""
