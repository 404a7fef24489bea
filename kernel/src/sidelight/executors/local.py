"""Units of work in the run's own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.roles import Executor, WorkerLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_specs import Run

    from sidelight.executors import LocalParams


class Local(Executor):
    """One unit after the other, in their order."""

    def __init__(self, params: LocalParams, *, run: Run) -> None:
        pass

    def map(
        self, work: Callable[[bytes], bytes], units: Iterable[bytes]
    ) -> Iterator[tuple[int, bytes | WorkerLost] | None]:
        """Call `work` here."""
        for place, unit in enumerate(units):
            try:
                yield place, work(unit)
            except Exception as error:
                yield place, WorkerLost(f"could not be computed: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Nothing to end."""
