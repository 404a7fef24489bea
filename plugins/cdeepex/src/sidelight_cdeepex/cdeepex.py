"""CDeepEx and xGEMs: the closest generated image at which the classifier cannot decide between two classes."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Counterfactual
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches, slices

from sidelight_cdeepex.augmented_lagrangian import closest, nearest
from sidelight_cdeepex.composite import Composite
from sidelight_cdeepex.constraints import BelowPredicted, BelowProbe, EqualLikelihood, Question, evaluate, violations
from sidelight_cdeepex.shapes import check_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Generator, Inverter
    from torch import Tensor

    from sidelight_cdeepex.augmented_lagrangian import Solution
    from sidelight_cdeepex.constraints import Constraint
    from sidelight_cdeepex.lagrangian import Values
    from sidelight_cdeepex.params import CdeepexParams, XgemsParams


class Contrast(Explainer):
    """Minimises ||z - z0||^2 under constraints on the classifier's answer to I_z (CDeepEx, equation 2)."""

    def __init__(
        self, params: XgemsParams, *, classifier: Classifier, generator: Generator, inverter: Inverter, run: Run
    ) -> None:
        self._params, self._run = params, run
        self._classifier, self._generator, self._inverter = classifier, generator, inverter

    @property
    @abstractmethod
    def constraints(self) -> Sequence[Constraint]:
        """The families of constraints that an answer satisfies."""

    def explain(self, images: Tensor, targets: Targets) -> Counterfactual:
        """Counterfactuals with their paths, and by how much each family of constraints is violated.

        Raises:
            UserError: the generator makes images of another shape.
        """
        check_shape(images, self._generator)
        start = to_tensor(self._inverter.invert(images).latents, self._run)
        question = Question.of(targets, images.device)
        parts = [
            self._search(images[part], start[part], question.take(part))
            for part in slices(len(images), self._params.batch)
        ]
        return Counterfactual.concat(parts)

    def _search(self, images: Tensor, start: Tensor, question: Question) -> Counterfactual:
        composite = Composite(self._generator, images, start, self._params.together)

        def values(z: Tensor, rows: Tensor) -> Values:
            logits = self._classifier.class_logits(composite(z, rows))
            return evaluate(self.constraints, logits, question.take(rows))

        steps = path_steps(self._params.steps, self._params.path)
        z0 = start.flatten(1)
        searches = [
            closest(values, z0, self._params, self._run, offset=offset, record=steps) for offset in self._offsets(z0)
        ]
        solution = nearest(searches, z0)
        path = composite.path(solution.path)
        return self._measured(path, steps, start, question, solution)

    def _offsets(self, z0: Tensor) -> Iterator[Tensor | None]:
        """Where the searches begin, seen from z0: there, and at points around it that are the same for every image."""
        yield None
        rng = self._run.rng("starts")
        for _ in range(self._params.starts - 1):
            yield torch.from_numpy(self._params.spread * rng.standard_normal(z0.shape[1])).to(z0)

    def _measured(
        self, path: Tensor, steps: Sequence[int], start: Tensor, question: Question, solution: Solution
    ) -> Counterfactual:
        """The result, judged by the classifier's answer to the images that are given, not by the search."""
        flat = in_batches(self._classifier.class_logits, path.flatten(0, 1), self._params.together)
        logits = flat.reshape(*path.shape[:2], -1)
        violated = violations(self.constraints, logits[:, -1], question)
        holds = torch.stack([amount <= self._params.tolerance for amount in violated.values()])
        return Counterfactual(
            answers="contrast",
            passes=to_array(3.0 * solution.steps + len(steps)),
            images=to_array(path[:, -1]),
            logits_before=to_array(logits[:, 0]),
            logits_after=to_array(logits[:, -1]),
            converged=to_array(holds.all(0)),
            constraints={name: to_array(amount) for name, amount in violated.items()},
            tolerance=self._params.tolerance,
            path_images=to_array(path),
            path_logits=to_array(logits),
            path_steps=np.array(steps),
            latents=to_array(solution.z.reshape(start.shape)),
            start_latents=to_array(start),
        )


class Cdeepex(Contrast):
    """Predicted class and probe equally likely, and every other class less likely than both (equation 2)."""

    _params: CdeepexParams

    @property
    def constraints(self) -> Sequence[Constraint]:
        """All three families of equation 2."""
        epsilon = self._params.epsilon
        return EqualLikelihood(), BelowPredicted(epsilon), BelowProbe(epsilon)


class Xgems(Contrast):
    """Predicted class and probe equally likely, whatever the others: equation 2 without its last two families."""

    @property
    def constraints(self) -> Sequence[Constraint]:
        """The first family of equation 2."""
        return (EqualLikelihood(),)


def path_steps(last: int, count: int) -> tuple[int, ...]:
    """At most `count` steps from 0 to `last`, closer together at the start, where a search moves most.

    They are the same for every search, so that paths of different images can be laid side by side.
    """
    later = np.geomspace(1, last, count - 1).round().astype(int) if count > 2 else [last]
    return (0, *sorted({int(step) for step in later}))
