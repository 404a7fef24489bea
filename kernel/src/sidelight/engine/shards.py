"""Shards: parts of a step that runs over many images or questions, each with an entry of its own in the store.

Whoever computes shards (this process, or several at once) fills the store; the step then takes all of them from there
and joins them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import SidelightError

from sidelight.engine.plan import Step
from sidelight.engine.session import Session
from sidelight.engine.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen(eq=False)
class Shard:
    """One part of a step.

    Args:
        rows: its rows, counted among those of the step.
        inputs: everything that the component is given.
        key: of its entry in the store.
    """

    rows: range
    inputs: dict[str, Any]
    key: str


@attrs.frozen(eq=False)
class ShardedStep:
    """A step over `count` images or questions, in parts of `explain.shard`.

    Args:
        session: the run's.
        step: whose entries the shards are.
        count: rows of all shards together.
        inputs: rows to what the component is given for them.
        unit: what a worker is given for one shard.
    """

    session: Session
    step: Step
    count: int
    inputs: Callable[[range], dict[str, Any]]
    unit: Callable[[Shard], Unit]

    def shards(self) -> Iterator[Shard]:
        """The shards in their order; nothing is computed but their keys."""
        size = self.session.resolved.explain.shard
        for start in range(0, self.count, size):
            rows = range(start, min(start + size, self.count))
            inputs = self.inputs(rows)
            yield Shard(rows, inputs, self.session.keys.step(self.step, inputs))

    def units(self) -> Iterator[Unit]:
        """The same as units of work."""
        return map(self.unit, self.shards())

    def result(self) -> Any:
        """The answers of all shards, joined."""
        total = -(-self.count // self.session.resolved.explain.shard)  # rounded up
        shards = self.session.progress(self.shards(), "parts", total) if total > 1 else self.shards()
        return self.join([self.unit(shard).answer(self.session) for shard in shards])

    def join(self, parts: list[Any]) -> Any:
        """One artifact of those of all shards.

        Raises:
            SidelightError: they cannot be joined.
        """
        try:
            return type(parts[0]).concat(parts) if len(parts) > 1 else parts[0]
        except ValueError as error:
            use = self.step.component.use
            raise SidelightError(f"{use}: the parts of its result cannot be joined: {error}") from error
