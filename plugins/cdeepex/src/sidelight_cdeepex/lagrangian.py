"""The augmented Lagrangian (CDeepEx, equations 3 and 4), for a batch of independent problems.

Each row minimises ||z - z0||^2 subject to h(z) = 0 and g(z) <= 0. The paper writes its inequalities as h >= epsilon
but penalises them as if they were h <= 0, which drives third classes up; here g = epsilon - h, as in Bertsekas.
"""

from __future__ import annotations

from typing import Self

import attrs
import torch
from torch import Tensor


@attrs.frozen(eq=False)
class Values:
    """What the constraints are at z: `equality` h (n, E) and `inequality` g (n, M); E or M may be 0."""

    equality: Tensor
    inequality: Tensor

    def violation(self) -> Tensor:
        """(n,): the largest of |h| and max(0, g)."""
        amounts = torch.cat([self.equality.abs(), self.inequality.clamp(min=0)], 1)
        return amounts.detach().amax(1)


@attrs.frozen(eq=False)
class Forces:
    """The derivative of the penalty with respect to each constraint's value."""

    equality: Tensor
    inequality: Tensor

    def work(self, values: Values) -> Tensor:
        """(): a scalar whose gradient in z is, row by row, the gradient of the penalty."""
        return (self.equality * values.equality).sum() + (self.inequality * values.inequality).sum()

    def squared(self) -> Tensor:
        """(n,): the sum of squares, which is 2c times the penalty, up to a constant."""
        return self.equality.square().sum(1) + self.inequality.square().sum(1)


@attrs.frozen(eq=False)
class Multipliers:
    """What equation 3 depends on beside z, for each row.

    Args:
        equality: lambda (n, E); (n, 1) zeros at the start, for any E.
        inequality: mu and mu~ (n, M); (n, 1) zeros at the start, for any M.
        penalty: c (n,).
        violation: (n,), at the last update.
    """

    equality: Tensor
    inequality: Tensor
    penalty: Tensor
    violation: Tensor

    @classmethod
    def start(cls, z: Tensor, penalty: float) -> Self:
        """lambda = mu = 0, for however many constraints, and c = `penalty`, for each row of z."""
        rows = torch.ones_like(z[:, 0])
        return cls(torch.zeros_like(rows)[:, None], torch.zeros_like(rows)[:, None], penalty * rows, torch.inf * rows)

    def take(self, rows: Tensor) -> Self:
        """The rows of a (n,) bool mask, or of indices."""
        return type(self)(self.equality[rows], self.inequality[rows], self.penalty[rows], self.violation[rows])

    def forces(self, values: Values) -> Forces:
        """lambda + c h and max(0, mu + c g): the derivatives of equation 3's penalty terms."""
        c = self.penalty[:, None]
        return Forces(
            (self.equality + c * values.equality).detach(),  # lambda + c h
            (self.inequality + c * values.inequality).detach().clamp(min=0),  # max(0, mu + c g)
        )

    def updated(self, values: Values, growth: float, progress: float) -> Self:
        """The forces become the multipliers; c grows where the violation shrank too little (equation 4).

        The paper watches |h| alone; the violation of all constraints is the same where there are no inequalities.
        """
        forces, violation = self.forces(values), values.violation()
        slow = violation > progress * self.violation  # |h_k| > gamma |h_(k-1)|
        penalty = torch.where(slow, self.penalty * growth, self.penalty).clamp(max=_LARGEST)  # c <- beta c
        return attrs.evolve(
            self, equality=forces.equality, inequality=forces.inequality, penalty=penalty, violation=violation
        )


_LARGEST = 1e6
"""c beyond this only loses digits."""
