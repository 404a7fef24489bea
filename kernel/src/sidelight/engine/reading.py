"""Reading of the explained images, in shards: memory follows a shard, never the split."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs import UserError
from sidelight_specs.lazy import BrokenImageError
from sidelight_specs.questions import choose_images
from sidelight_specs.results import Split

from sidelight.engine.plan import Step
from sidelight.engine.session import Session, check_valid
from sidelight.engine.shards import Shard, ShardedStep
from sidelight.recipe.model import ResolvedComponent

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.define(eq=False, slots=False)
class Reading:
    """The chosen images of a split; of those that cannot be read a later one takes the place.

    Args:
        session: the run's.
        component: the data.
        wanted: `split`, `count`, and which images, as `images_read` has them.
        open: gives the split.
    """

    session: Session
    component: ResolvedComponent
    wanted: dict[str, Any]
    open: Callable[[], Split]
    _read: dict[str, int] = attrs.field(factory=dict)  # images of each shard so far

    @property
    def step(self) -> Step:
        """The step."""
        return Step("read", self.component)

    @property
    def count(self) -> int | None:
        """Number of images that are enough; None for all that may be explained."""
        return None if self.wanted["indices"] or self.wanted["images"] else self.wanted["count"]

    @cached_property
    def split(self) -> Split:
        """The split, opened when the store lacks some of the images."""
        return self.open()

    @cached_property
    def rows(self) -> list[int]:
        """Rows of it that may be explained."""
        names = {name: self.wanted[name] for name in ("split", "indices", "labels")}
        chosen: list[int] = choose_images(self.split, **names, names=self.wanted["images"]).tolist()
        return chosen

    def result(self) -> Split:
        """The images, from the store or read."""
        count = self.count or self.session.resolved.explain.shard
        split: Split = ShardedStep(
            self.session, self.step, count, self._shards, self._answer, self.wanted, self._alone
        ).result()
        return split

    def _alone(self) -> Split | None:
        """All of them, where these are no more than a shard."""
        most = len(self.rows) if self.count is None else min(self.count, len(self.rows))
        if most > self.session.resolved.explain.shard:
            return None
        with self.session.inside(self.component, "read"):
            chosen = self.split.read(self.rows, self.count)
        check_valid(chosen, self.component, kind=Split.kind)
        self._check_count(len(chosen))
        return chosen

    def _check_count(self, total: int) -> None:
        if self.count is not None and total < self.count:
            self.session.warn(f"explain.count: {self.count} images were asked for, and there are only {total}")

    def _shards(self) -> Iterator[Shard]:
        size, source = self.session.resolved.explain.shard, {**self.wanted, "count": None}
        most, start = len(self.rows) if self.count is None else self.count, 0
        self._read.clear()
        while start < len(self.rows) and (missing := most - sum(self._read.values())) > 0:
            stop = min(start + size, len(self.rows), start + missing)
            inputs = {**source, "first": start, "last": stop - 1}
            yield Shard(range(start, stop), inputs, self.session.keys.step(self.step, inputs))
            start = stop
        total = sum(self._read.values())
        if not total:
            raise UserError(f"{self.component.title}: no image could be read", "mend the files, or choose others")
        self._check_count(total)

    def _answer(self, shard: Shard) -> Split:
        make = partial(self._make, shard.rows)
        part: Split = self.session.keep(self.step, shard.inputs, make, key=shard.key, mapped=True)
        self._read[shard.key] = len(part)
        return part

    def _make(self, part: range) -> Split:
        split = self.split
        with self.session.inside(self.component, "read"):
            try:
                chosen = split.read(self.rows[part.start : part.stop])  # of lazy images no others are read
            except BrokenImageError as error:
                self.session.warn(f"{self.component.use}: {len(part)} images are left out, {error.message}")
                none = np.zeros((0, *split.images.shape[1:]), np.float32)
                chosen = attrs.evolve(split.take([]), images=none)
        check_valid(chosen, self.component, kind=Split.kind)
        return chosen
