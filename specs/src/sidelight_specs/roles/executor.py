"""The role `executor`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@frozen
class WorkerLost:
    """The answer for a unit that no worker could finish.

    Args:
        reason: a predicate: `ended 3 worker processes, the last by SIGKILL`.
    """

    reason: str


class Executor(ABC):
    """Computes a run's units of work, wherever it likes.

    The results of a run do not depend on its executor: workers put into the store what the run would compute itself.

    Attributes:
        workers: how many units are computed at a time; None where this is not known.
    """

    workers: int | None = None

    @abstractmethod
    def map(
        self, work: Callable[[bytes], bytes], units: Iterable[bytes]
    ) -> Iterator[tuple[int, bytes | WorkerLost] | None]:
        """Call `work` on every unit.

        A unit whose worker dies is tried again, a bounded number of times; the other units do not suffer. When the
        iterator is closed (the user interrupts), units under way are given up at once.

        Args:
            work: a function that can be pickled. It raises only where a worker cannot compute at all, such as for a
                missing package; what a component raises is part of its answer.
            units: drawn as workers become free, so that memory does not follow their number.

        Yields:
            position and answer of each unit once, as they become ready, in any order. `None` at any time, best once a
            second while nothing is ready: only there can the run be stopped.
        """

    @abstractmethod
    def close(self) -> None:
        """End the workers; called once or more, also after a failure."""
