"""Announces `fossil-executor/executor`. Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import ExecutorDescriptor, hookimpl, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class ExecutorParams:
    """Options of `executor`."""


@hookimpl
def sidelight_executors() -> Iterable[ExecutorDescriptor]:
    """What this plugin offers."""
    yield ExecutorDescriptor(
        name="executor",
        summary="Units of work one after the other; the place for workers of your own.",
        params=ExecutorParams,
        factory="fossil_executor.executor:Executor",
    )
