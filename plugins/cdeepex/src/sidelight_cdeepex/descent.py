"""One step down the augmented Lagrangian, for every row at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_cdeepex.lagrangian import Forces


class Rates(Protocol):
    """How far to go; see the options of `xgems`."""

    @property
    def optimizer(self) -> Literal["curvature", "gradient"]: ...  # noqa: D102
    @property
    def rate(self) -> float: ...  # noqa: D102
    @property
    def slide(self) -> float: ...  # noqa: D102
    @property
    def longest(self) -> float: ...  # noqa: D102


def descend(pull: Tensor, push: Tensor, forces: Forces, penalty: Tensor, step: int, rates: Rates) -> Tensor:
    """(n, k): the step of each row.

    Args:
        pull: (n, k) gradient of the objective, 2 (z - z0).
        push: (n, k) gradient of the penalty.
        forces: what `push` was made with.
        penalty: (n,) c.
        step: the number of this step, from 1.
        rates: the options.
    """
    if rates.optimizer == "gradient":
        way = -(rates.rate / penalty)[:, None] * (pull + push)
    else:
        slide = rates.slide / (1 + step / SETTLE)
        way = -_scaled(pull, push, forces.squared() / penalty, rates.rate, slide)
    shorter: Tensor = way * (rates.longest / way.norm(dim=1, keepdim=True).clamp(min=rates.longest))
    return shorter


def _scaled(pull: Tensor, push: Tensor, twice_energy: Tensor, rate: float, slide: float) -> Tensor:
    """The gradient divided by its own curvature: that of the penalty along `push`, that of the objective across it.

    The penalty is energy = force^2 / 2c. Where one constraint with gradient a is active, push = force a and
    c |a|^2 = |push|^2 / (2 energy): the Gauss-Newton curvature along the push needs no second backward pass.
    Fixed rates have to be small enough for it, and are then too small for the way across, back towards z0.
    """
    strength = torch.linalg.vector_norm(push, dim=1, keepdim=True)
    direction = push / strength.clamp(min=_TINY)
    curvature = 2 + strength.square() / twice_energy[:, None].clamp(min=_TINY)
    along = ((pull + push) * direction).sum(1, keepdim=True)
    across = pull + push - along * direction
    scaled: Tensor = rate * along / curvature * direction + slide * across / 2
    return scaled


SETTLE = 100
"""Steps after which the way across is taken at half its rate: the curvature of other constraints there is not known."""

_TINY = 1e-20
