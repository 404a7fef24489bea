"""Forward hooks that only count: the kernel registers one on the explained network, and compiled passes call it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class PassCounter(ABC):
    """Forward hook of a torch module that changes nothing and reads of an output only its number of rows.

    A program that was compiled from the network does not run its hooks. Whoever runs one need not fall back to the
    network because of such a hook, and calls it instead.
    """

    @abstractmethod
    def __call__(self, module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Count a pass of the module."""
