"""Built-in executors: this process, and worker processes on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sidelight_specs import ExecutorDescriptor, hookimpl, param, params
from sidelight_specs.facts import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@params
class LocalParams:
    """No options."""


@params
class ProcessesParams:
    """Options of `processes`."""

    workers: int | None = param(
        None, "How many worker processes; as many as there are cores when null.", minimum=1, maximum=1024
    )
    retries: int = param(
        2, "How often a unit is tried again whose worker process ended.", unit="times", minimum=0, maximum=100
    )
    timeout: float | None = param(
        None, "Time after which a unit fails and its worker is replaced; no limit when null.", unit="s", minimum=1.0
    )


class ProcessesDescriptor(ExecutorDescriptor):
    """Describes `processes`."""

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Windows, which cannot hand a socket to a child."""
        del params
        if os.name != "posix":
            yield Mistake("worker processes need Linux or macOS", "leave out the section executor")


@hookimpl
def sidelight_executors() -> Iterator[ExecutorDescriptor]:
    """Announce the executors that come with Sidelight."""
    yield ExecutorDescriptor(
        name="local",
        summary="Units of work one after the other in the run's own process.",
        params=LocalParams,
        factory="sidelight.executors.local:Local",
    )
    yield ProcessesDescriptor(
        name="processes",
        summary="Units of work in worker processes on this machine, each with its own models.",
        params=ProcessesParams,
        factory="sidelight.executors.processes:Processes",
        provides=("isolated",),
        example={"workers": 2, "retries": 1},
    )
