"""Shards: parts of a step that runs over many images or questions, each with an entry of its own in the store.

Whoever computes shards (this process, or several at once) fills the store. The step then joins them, from file to file,
into one entry, which theirs then point into: results stand on the disk once, a run that is killed before continues with
its shards, and one that asks more questions has the shards that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import Artifact, SidelightError, UserError

from sidelight.engine.plan import Step
from sidelight.engine.session import Session
from sidelight.engine.units import Unit, release

if TYPE_CHECKING:
    from sidelight.engine.store import Store

_TRIES = 3  # another run may remove shards that it has in common with this one


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
    """A step over images or questions, in parts of `explain.shard`.

    Args:
        session: the run's.
        step: whose entries the shards are.
        count: rows of all shards together, at most.
        shards: gives the shards in their order; nothing is computed but their keys.
        answer: the artifact of one shard, from the store or computed.
        whole: what the joined result is kept under, where that is known without the shards' keys.
        alone: makes the result where one shard is all; None where there are more.
        unit: what a worker is given for one shard, where workers can be.
    """

    session: Session
    step: Step
    count: int
    shards: Callable[[], Iterator[Shard]]
    answer: Callable[[Shard], Any]
    whole: dict[str, Any] | None = None
    alone: Callable[[], Artifact | None] = lambda: None
    unit: Callable[[Shard], Unit] | None = None

    @classmethod
    def over(
        cls,
        session: Session,
        step: Step,
        count: int,
        inputs: Callable[[range], dict[str, Any]],
        unit: Callable[[Shard], Unit],
        *,
        is_whole: bool = False,
    ) -> ShardedStep:
        """A step over `count` rows, of which `inputs` gives what the component needs for some; all in one if whole."""

        def shards() -> Iterator[Shard]:
            size = max(1, count) if is_whole else session.resolved.explain.shard
            for start in range(0, count, size):
                rows = range(start, min(start + size, count))
                given = inputs(rows)
                yield Shard(rows, given, session.keys.step(step, given))

        def answer(shard: Shard) -> Any:
            return unit(shard).answer(session, mapped=True)

        return cls(session, step, count, shards, answer, unit=unit)

    def units(self) -> Iterator[Unit]:
        """The shards as units of work; none where the joined result is there already."""
        keys = [shard.key for shard in self.shards()]
        whole = self.session.keys.step(self.step, {"shards": keys})
        if self.unit is None or (len(keys) > 1 and self.session.store_of(self.step.component).holds(whole)):
            return iter(())
        return map(self.unit, self.shards())

    def result(self) -> Any:
        """The answers of all shards as one artifact, whose arrays are views of its file.

        Raises:
            SidelightError: they cannot be joined.
            UserError: somebody removed them meanwhile.
        """
        if self.whole is not None:
            return self._joined(self.whole)
        keys = [shard.key for shard in self.shards()]
        return self._joined({"shards": keys}) if len(keys) > 1 else self.answer(next(self.shards()))

    def _joined(self, inputs: dict[str, Any]) -> Any:
        """The joined result, into which the entries of the shards point afterwards."""
        session, store = self.session, self.session.store_of(self.step.component)
        key, parts, unread = session.keys.step(self.step, inputs), list[tuple[str, int]](), list[Artifact]()

        def make() -> Artifact:
            if (artifact := self.alone()) is not None:
                return artifact
            unread.append(self._join(store, parts))
            return unread[0]

        result = session.keep(self.step, inputs, make, key=key, mapped=True)
        if result in unread:  # it could not be read back
            raise self._removed()
        first, head = 0, result.take([]).digest()
        for shard, rows in parts:
            store.point(shard, key, range(first, first + rows), head)
            first += rows
        return result

    def _join(self, store: Store, parts: list[tuple[str, int]]) -> Artifact:
        """All shards, answered, as one artifact whose arrays are left in their files; `parts` gets keys and rows."""
        for _ in range(_TRIES):
            parts[:] = self._answered()
            try:
                return _concat(store, [key for key, _ in parts])
            except _Removed:
                continue
            except ValueError as error:
                text = f"{self.step.component.use}: the parts of its result cannot be joined: {error}"
                raise SidelightError(text) from error
        raise self._removed()

    def _answered(self) -> Iterator[tuple[str, int]]:
        """Keys of the shards, each answered, and their rows; what was in memory of it is given back."""
        total = -(-self.count // self.session.resolved.explain.shard)  # rounded up
        for shard in self.session.progress(self.shards(), "parts", total):
            rows = self.answer(shard).rows()
            release(shard.inputs)
            yield shard.key, next(iter(rows.values()), len(shard.rows))

    def _removed(self) -> UserError:
        return UserError(f"entries of the cache {self.session.store.root} were removed during the run", "run it again")


class _Removed(Exception):
    """An entry is gone."""


def _concat(store: Store, keys: list[str]) -> Artifact:
    """The results of entries as one artifact, whose arrays are left in their files.

    Raises:
        ValueError: they cannot be joined.
    """
    try:
        parts = [store.find(key) for key in keys]
    except SidelightError as error:
        raise _Removed from error
    try:
        return type(parts[0]).concat(parts)
    except ValueError:
        raise
    except Exception:  # a kind has rules of its own, which need arrays
        read = [store.mapped(key) for key in keys]
        parts = [part for part in read if part is not None]
        if len(parts) < len(keys):
            raise _Removed from None
        return type(parts[0]).concat(parts)
