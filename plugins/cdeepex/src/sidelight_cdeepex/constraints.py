"""The constraints of equation 2 (CDeepEx, section 3.3), as functions of class logits.

The paper compares log-likelihoods. log-softmax subtracts the same number from every logit of an image, so that
differences of log-likelihoods are differences of logits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, Self

import attrs
import torch
from torch import Tensor

from sidelight_cdeepex.lagrangian import Values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results import Targets

Kind = Literal["equality", "inequality"]
"""Whether the values have to be zero, or at most zero."""


@attrs.frozen(eq=False)
class Question:
    """Why `predicted` and not `probe`? Both (n,) int64 class indices."""

    predicted: Tensor
    probe: Tensor

    @classmethod
    def of(cls, targets: Targets, device: torch.device) -> Self:
        """The question in tensors."""
        return cls(torch.as_tensor(targets.predicted, device=device), torch.as_tensor(targets.probe, device=device))

    def take(self, rows: Tensor | slice) -> Question:
        """The question for some of the images."""
        return Question(self.predicted[rows], self.probe[rows])


class Constraint(Protocol):
    """A family of constraints; `name` is shown to users."""

    name: ClassVar[str]
    kind: ClassVar[Kind]

    def __call__(self, logits: Tensor, question: Question) -> Tensor:
        """(n, K) logits to (n, m) values in nats."""


class EqualLikelihood:
    """llh(predicted) - llh(probe) = 0."""

    name: ClassVar[str] = "predicted = probe"
    kind: ClassVar[Kind] = "equality"

    def __call__(self, logits: Tensor, question: Question) -> Tensor:
        """(n, 1): by how much the predicted class is ahead of the probe."""
        return _of_class(logits, question.predicted) - _of_class(logits, question.probe)


@attrs.frozen
class BelowPredicted:
    """llh(y') - llh(predicted) + epsilon <= 0 for every third class y'."""

    epsilon: float
    name: ClassVar[str] = "no third class above predicted"
    kind: ClassVar[Kind] = "inequality"

    def __call__(self, logits: Tensor, question: Question) -> Tensor:
        """(n, K): how far each third class is too high."""
        return _third_classes(logits - _of_class(logits, question.predicted) + self.epsilon, question)


@attrs.frozen
class BelowProbe:
    """llh(y') - llh(probe) + epsilon <= 0 for every third class y'."""

    epsilon: float
    name: ClassVar[str] = "no third class above probe"
    kind: ClassVar[Kind] = "inequality"

    def __call__(self, logits: Tensor, question: Question) -> Tensor:
        """(n, K): how far each third class is too high."""
        return _third_classes(logits - _of_class(logits, question.probe) + self.epsilon, question)


def evaluate(constraints: Sequence[Constraint], logits: Tensor, question: Question) -> Values:
    """The values of all the families, joined by kind."""
    found: dict[Kind, list[Tensor]] = {"equality": [logits[:, :0]], "inequality": [logits[:, :0]]}
    for constraint in constraints:
        found[constraint.kind].append(constraint(logits, question))
    return Values(torch.cat(found["equality"], 1), torch.cat(found["inequality"], 1))


def violations(constraints: Sequence[Constraint], logits: Tensor, question: Question) -> dict[str, Tensor]:
    """Family name to (n,): by how much its worst member is violated, in nats; 0 where all hold."""
    return {constraint.name: evaluate([constraint], logits, question).violation() for constraint in constraints}


def _of_class(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None])


def _third_classes(values: Tensor, question: Question) -> Tensor:
    """(n, K): `values`, but the satisfied constant -1 in the columns of the two classes of the question."""
    columns = torch.arange(values.shape[1], device=values.device)
    asked = (columns == question.predicted[:, None]) | (columns == question.probe[:, None])
    return torch.where(asked, -1.0, values)
