"""Units of work one after the other; hand them to workers of your own instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.roles import Executor, WorkerLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_specs import Run

    from fossil_executor import ExecutorParams


class Executor(Executor):
    """Computes each unit here. Workers in other processes take `work` pickled; it does not run in other threads."""

    def __init__(self, params: ExecutorParams, *, run: Run) -> None:
        pass

    def map(
        self, work: Callable[[bytes], bytes], units: Iterable[bytes]
    ) -> Iterator[tuple[int, bytes | WorkerLost] | None]:
        """The answer to each unit, in their order; also `None` now and then, while workers are at it."""
        for place, unit in enumerate(units):
            try:
                yield place, work(unit)
            except Exception as error:
                yield place, WorkerLost(f"could not be computed: {type(error).__name__}: {error}")

    def close(self) -> None:
        """End the workers."""
