"""The classifier's answers about a whole split, or a random sample of it: to choose images by, and for renderers.

Answers are kept in shards, read and predicted a few images at a time, so that memory follows the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs import UserError
from sidelight_specs.lazy import BrokenImageError
from sidelight_specs.results import Split, SplitPredictions, SplitValues

from sidelight.engine.machine import as_images
from sidelight.engine.plan import Step, stream_seed
from sidelight.engine.questions import class_answers
from sidelight.engine.session import Session, check_valid
from sidelight.engine.shards import Shard, ShardedStep

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES = 28 << 20  # of images that are read and predicted at a time: 16 at 3 x 384 x 384
PART = 256  # images of a shard: answers are small, and the guard looks at the models around each
WORST = 12  # images of errors that are kept for renderers

Answers = SplitPredictions | SplitValues


@attrs.define(eq=False, slots=False)
class Survey:
    """A classifier's answers about the split that the explained images come from.

    Args:
        session: the run's.
        step: whose entries the answers are; its component is the classifier.
        open: gives the split.
        shard: images whose answers are kept together.
        most: images that are enough, drawn at random by the recipe's seed where the split has more; None for all.
    """

    session: Session
    step: Step
    open: Callable[[], Split]
    shard: int
    most: int | None = None

    @cached_property
    def split(self) -> Split:
        """The split, opened when the store lacks some of the answers."""
        return self.open()

    @cached_property
    def rows(self) -> np.ndarray:
        """(n,) rows of it, ascending."""
        count = len(self.split)
        if self.most is None or count <= self.most:
            return np.arange(count)
        seed = stream_seed(self.session.resolved.seed, self.step.component, "survey")
        return np.sort(np.random.default_rng(seed).choice(count, self.most, replace=False))

    @property
    def source(self) -> dict[str, Any]:
        """Key of what the answers depend on, so that no image is read for those that are kept."""
        resolved = self.session.resolved
        return {
            "data": self.session.keys.component(resolved.data),
            "split": resolved.explain.split,
            "most": self.most,
        }

    def answers(self) -> Answers:
        """The answers, from the store or computed; images that cannot be read are left out.

        Raises:
            UserError: no image can be read.
        """
        answers: Answers = ShardedStep(self.session, self.step, 0, self._shards, self._answer, self.source).result()
        if not len(answers):
            data, split = self.session.resolved.data, self.session.resolved.explain.split
            raise UserError(f"{data.title}: no image of the split {split} could be read", "mend the files")
        return answers

    def worst(self, answers: Answers) -> Split:
        """Images of the most confident errors, or of the largest residuals, in the order of `answers.worst`."""
        rows = answers.index[answers.worst(WORST)].tolist()

        def make() -> Split:
            with self.session.inside(self.session.resolved.data, "read"):
                chosen = self.split.read(rows) if rows else self.split.take([])
            check_valid(chosen, self.session.resolved.data, kind=Split.kind)
            return chosen

        kept: Split = self.session.keep(self.step, {**self.source, "rows": rows}, make)
        return kept

    def _shards(self) -> Iterator[Shard]:
        for start in range(0, len(self.rows), self.shard):
            part = range(start, min(start + self.shard, len(self.rows)))
            inputs = {**self.source, "first": start, "count": len(part)}
            yield Shard(part, inputs, self.session.keys.step(self.step, inputs))

    def _answer(self, shard: Shard) -> Answers:
        part: Answers = self.session.keep(self.step, shard.inputs, partial(self._make, shard.rows), key=shard.key)
        return part

    def _make(self, shard: range) -> Answers:
        session, component, data = self.session, self.step.component, self.session.resolved.data
        classifier, parts = session.get(component), list[Any]()
        with session.inside(component, self.step.verb):
            is_regression, names = classifier.task == "regression", tuple(classifier.class_names)
            if is_regression and self.step.verb == "choose":
                raise UserError("a regression predicts no class to choose images by", "set choose: first")

        def answers_about(logits: np.ndarray, part: Split, rows: np.ndarray) -> Answers:
            if is_regression:
                return SplitValues.of(logits, part, rows, len(self.split))
            return SplitPredictions.of(logits, part, rows, names, len(self.split))

        _, *shape = self.split.images.shape
        size = max(1, BYTES // (4 * math.prod(shape)))  # float32
        for start in range(shard.start, shard.stop, size):
            batch = self.rows[start : min(start + size, shard.stop)].tolist()
            with session.inside(data, "read"):
                try:
                    kept, part = self.split.read_rows(batch)  # (n, C, H, W) images
                except BrokenImageError as error:
                    session.warn(f"{data.use}: images {batch[0]} to {batch[-1]} are left out, {error.message}")
                    continue
            with session.inside(component, self.step.verb):
                logits = class_answers(classifier, as_images(part.images, session.device)).logits
                parts.append(answers_about(logits, part, np.asarray(kept)))
        if not parts:
            none = self.split.take([])
            parts.append(answers_about(np.zeros((0, max(1, len(names)))), none, np.zeros(0, np.int64)))
        result: Answers = type(parts[0]).concat(parts)
        check_valid(result, component, kind=result.kind)
        return result
