"""Closest points under constraints by an augmented Lagrangian (CDeepEx, section 3.3, equations 3 and 4).

Feghahati, Shelton, Pazzani and Tang 2020, "CDeepEx: Contrastive Deep Explanations". N independent problems are solved
side by side, one to a row; n of them are still searched. The symbols:

    z    (n, k)  the point; the objective is ||z - z0||^2 + d, z0 the row's start
    d    (n,)    value of a further term of the objective; 0 in the paper
    h    (n, E)  values of the constraints h(z) = 0
    g    (n, M)  values of the constraints g(z) <= 0
    lam  (n, E)  lambda, the multipliers of h
    mu   (n, M)  mu and mu~, the multipliers of g
    c    (n,)    weight of the quadratic penalty; grows by beta where the violation has not shrunk by gamma

    L(z) = ||z - z0||^2 + d + lam h + c/2 h^2 + (max(0, mu + c g)^2 - mu^2) / 2c                         (equation 3)

The paper writes its inequalities as h >= epsilon but penalises them as if they were h <= 0, which drives third classes
up; here g = epsilon - h, as in Bertsekas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs
import torch
from sidelight_toolkit.batching import Batch, each_batch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidelight_specs import Run

    from sidelight_cdeepex.params import XgemsParams

    Constraints = Callable[[Tensor, Tensor], "Values"]
    """From z (n, k) and the indices (n,) of its rows in the batch to the constraints' values, differentiable in z."""

MAX_PENALTY = 1e6  # a larger c only loses digits
SAFETY = 0.95  # ratio of the tolerance that a search uses up, so that answers also satisfy it in another batch
IMPROVEMENT = 0.99  # ratio of distances below which the patience starts again
TANGENTIAL_HALVING = 100  # steps until the tangential rate has halved: the curvature across is not known
LEAVE_EVERY = 8  # steps between two looks at which rows are done, on a GPU
TINY = 1e-20  # keeps divisions by vanishing gradients finite


@attrs.frozen(eq=False)
class Values:
    """Values of the constraints: h (n, E) has to be zero, g (n, M) at most zero; E or M may be 0.

    Args:
        h: (n, E).
        g: (n, M).
        d: (n,), at least 0, a further term of the objective; None leaves it out.
    """

    h: Tensor
    g: Tensor
    d: Tensor | None = None

    def violation(self) -> Tensor:
        """(n,): the largest of |h| and max(0, g)."""
        return torch.cat([self.h.abs(), self.g.clamp(min=0)], 1).detach().amax(1)


@attrs.frozen(eq=False)
class Multipliers:
    """The constants of equation 3, for each row.

    Args:
        lam: (n, E); (n, 1) zeros at the start, for any E.
        mu: (n, M); (n, 1) zeros at the start, for any M.
        c: (n,).
        violation: (n,), at the last update.
    """

    lam: Tensor
    mu: Tensor
    c: Tensor
    violation: Tensor

    @classmethod
    def initial(cls, z: Tensor, c: float) -> Self:
        """lam = mu = 0 and the same c for each row of z."""
        ones = torch.ones_like(z[:, 0])
        return cls(torch.zeros_like(ones)[:, None], torch.zeros_like(ones)[:, None], c * ones, torch.inf * ones)

    def take(self, rows: Tensor) -> Self:
        """The rows of indices."""
        return type(self)(self.lam[rows], self.mu[rows], self.c[rows], self.violation[rows])

    def weights(self, values: Values) -> tuple[Tensor, Tensor]:
        """The penalty's derivatives by h (n, E) and by g (n, M), which are also the next multipliers."""
        c = self.c[:, None]
        lam = self.lam + c * values.h  # d/dh of lam h + c/2 h^2
        mu = (self.mu + c * values.g).clamp(min=0)  # d/dg of (max(0, mu + c g)^2 - mu^2) / 2c
        return lam.detach(), mu.detach()

    def update(self, values: Values, growth: float, progress: float) -> Self:
        """Equation 4: the next multipliers, and a larger c where the violation shrank too little.

        The paper watches |h| alone; without inequalities the violation of all constraints is the same.
        """
        lam, mu = self.weights(values)  # lam + c h and max(0, mu + c g)
        violation = values.violation()
        slow = violation > progress * self.violation  # |h_k| > gamma |h_(k-1)|
        c = torch.where(slow, growth * self.c, self.c).clamp(max=MAX_PENALTY)  # c <- beta c
        return type(self)(lam, mu, c, violation)


@attrs.frozen(eq=False)
class Solution:
    """The end of each row's search.

    Args:
        z: (N, k), the closest point that satisfied the constraints, or the last one where none did.
        feasible: (N,) bool, whether one did.
        objective: (N,), square root of ||z - z0||^2 + d at the answer; infinite where there is no answer.
        steps: (N,) int64, gradients taken.
        path: (N, T, k), z after the recorded steps; a row that is done stays at its answer.
    """

    z: Tensor
    feasible: Tensor
    objective: Tensor
    steps: Tensor
    path: Tensor


def closest_point(
    constraints: Constraints,
    start: Tensor,
    params: XgemsParams,
    run: Run,
    *,
    offset: Tensor | None = None,
    record: Sequence[int] = (),
) -> Solution:
    """For each row the z closest to its start that satisfies its constraints (equation 2), d added to the square.

    Rows that are done leave the batch, so that the others do not pay for them; on a GPU every `LEAVE_EVERY` steps,
    because the host waits to learn which these are. Until then nothing of them is kept. All arithmetic but that of
    the `constraints` is bit-equal for any company of a row; theirs is where one row is evaluated at a time. (Matrix
    products of several rows round each by its position, and the search amplifies that: see `together`.)

    Args:
        constraints: at least one; evaluated for `params.together` rows at a time.
        start: (N, k), z0.
        params: the options of `xgems`.
        run: shows progress, and cancels.
        offset: (k,), from z0 to where the searches begin; at z0 by default.
        record: the steps after which z joins the path.
    """
    together = Batch(params.together, run, on_cpu=1)
    row = torch.arange(len(start), device=start.device)  # (n,) indices of the rows still searched
    z, z0 = start if offset is None else start + offset, start
    multipliers = Multipliers.initial(start, params.penalty)
    best, lowest = start.clone(), torch.full_like(start[:, 0], torch.inf)  # best feasible point, (N, k) and (N,)
    stale, steps = torch.zeros_like(row), torch.zeros_like(row)
    searching = torch.ones_like(row, dtype=torch.bool)  # (n,); False for rows that are done and still in the batch
    path = start[:, None].repeat(1, len(record), 1)  # (N, T, k)
    for step in run.progress(range(1, params.steps + 1), "searching"):
        values, grad_penalty, grad_term = _gradients(constraints, z, row, multipliers, together)

        # The answer so far: the closest feasible point. It does not change where the search goes, only when it ends.
        length = torch.linalg.vector_norm(z - z0, dim=1)
        objective = length if values.d is None else (length.square() + values.d).sqrt()
        better = searching & (values.violation() <= SAFETY * params.tolerance) & (objective < lowest[row])
        stale = torch.where(better & (objective < IMPROVEMENT * lowest[row]), 0, stale + 1)
        best[row] = torch.where(better[:, None], z, best[row])
        lowest[row] = torch.where(better, objective, lowest[row])

        grad_objective = 2 * (z - z0) + grad_term  # of ||z - z0||^2 + d, (n, k)
        weights = multipliers.weights(values)
        z = z + descent_step(grad_objective, grad_penalty, weights, multipliers.c, step, params)  # down equation 3
        if step % params.inner == 0:
            multipliers = multipliers.update(values, params.growth, params.progress)  # equation 4

        steps[row] = torch.where(searching, step, steps[row])
        if step in record:
            path[row, record.index(step)] = z
        searching &= ~(lowest[row].isfinite() & (stale >= params.patience))
        if step % leave_every(start) == 0:
            left = searching.nonzero()[:, 0]
            row, z, z0, stale, searching = row[left], z[left], z0[left], stale[left], searching[left]
            multipliers = multipliers.take(left)
            if not len(row):
                break
    feasible = lowest.isfinite()
    best[row] = torch.where(feasible[row, None], best[row], z)  # a row without a feasible point never left the batch
    done = torch.tensor(record, device=start.device) >= steps[:, None]  # (N, T)
    return Solution(best, feasible, lowest, steps, torch.where(done[..., None], best[:, None], path))


def leave_every(tensor: Tensor) -> int:
    """Steps between two looks at which rows are done."""
    return 1 if tensor.device.type == "cpu" else LEAVE_EVERY


def _gradients(
    constraints: Constraints, z: Tensor, row: Tensor, multipliers: Multipliers, together: Batch
) -> tuple[Values, Tensor, Tensor | float]:
    """Values at z (n, k), and the gradients (n, k) of equation 3's penalty and of d, `together` rows a pass."""

    def of_batch(batch: slice) -> tuple[Tensor, ...]:
        z_batch = z[batch].detach().requires_grad_(True)
        values = constraints(z_batch, row[batch])
        lam, mu = multipliers.take(torch.arange(batch.start, batch.stop, device=row.device)).weights(values)
        weighted_sum = (lam * values.h).sum() + (mu * values.g).sum()  # chain rule: its gradient is the penalty's
        (gradient,) = torch.autograd.grad(weighted_sum, z_batch, retain_graph=values.d is not None)
        part: tuple[Tensor, ...] = (values.h.detach(), values.g.detach(), gradient)  # rows do not touch each other
        if values.d is not None:
            part = *part, values.d.detach(), *torch.autograd.grad(values.d.sum(), z_batch)
        return part

    parts = each_batch(of_batch, len(row), together, "gradients")
    h, g, gradients, *term = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return (Values(h, g, term[0]), gradients, term[1]) if term else (Values(h, g), gradients, 0.0)


def descent_step(
    grad_objective: Tensor,
    grad_penalty: Tensor,
    weights: tuple[Tensor, Tensor],
    c: Tensor,
    step: int,
    params: XgemsParams,
) -> Tensor:
    """(n, k): one step down the augmented Lagrangian, no longer than `max_step`.

    Args:
        grad_objective: (n, k), 2 (z - z0) and the gradient of d.
        grad_penalty: (n, k).
        weights: by `Multipliers.weights`, those that `grad_penalty` was made with.
        c: (n,).
        step: number of this step, from 1.
        params: the options of `xgems`.
    """
    if params.optimizer == "gradient":
        move = -(params.rate / c)[:, None] * (grad_objective + grad_penalty)  # the paper's gradient descent
    else:
        lam, mu = weights
        twice_energy = (lam.square().sum(1) + mu.square().sum(1)) / c  # 2 x penalty, up to a constant, (n,)
        tangential_rate = params.tangential_rate / (1 + step / TANGENTIAL_HALVING)
        move = -_scaled_by_curvature(grad_objective, grad_penalty, twice_energy, params.rate, tangential_rate)
    shortened: Tensor = move * (params.max_step / move.norm(dim=1, keepdim=True).clamp(min=params.max_step))
    return shortened


def _scaled_by_curvature(
    grad_objective: Tensor, grad_penalty: Tensor, twice_energy: Tensor, rate: float, tangential_rate: float
) -> Tensor:
    """The gradient divided by its curvature: the penalty's along `grad_penalty`, the objective's across it.

    The penalty is energy = weight^2 / 2c. Where one constraint with gradient a is active, grad_penalty = weight a and
    c |a|^2 = |grad_penalty|^2 / (2 energy): the Gauss-Newton curvature along it needs no second backward pass. Fixed
    rates have to be small enough for this curvature, and are then too small across it, back towards z0.
    """
    gradient = grad_objective + grad_penalty
    norm = torch.linalg.vector_norm(grad_penalty, dim=1, keepdim=True)
    normal = grad_penalty / norm.clamp(min=TINY)  # unit vector across the boundary, (n, k)
    curvature = 2 + norm.square() / twice_energy[:, None].clamp(min=TINY)  # of ||z - z0||^2, and c |a|^2
    along = (gradient * normal).sum(1, keepdim=True)
    tangential = gradient - along * normal
    scaled: Tensor = rate * along / curvature * normal + tangential_rate * tangential / 2
    return scaled


def nearest_solution(solutions: Sequence[Solution]) -> Solution:
    """For each row the feasible solution of the lowest objective, which is the closest; the steps of all count."""
    lowest = torch.stack([one.objective for one in solutions])
    rows = torch.arange(lowest.shape[1], device=lowest.device)
    nearest = lowest.argmin(0), rows  # the first search, from z0 itself, where none is feasible
    return Solution(
        z=torch.stack([one.z for one in solutions])[nearest],
        feasible=torch.stack([one.feasible for one in solutions])[nearest],
        objective=lowest[nearest],
        steps=torch.stack([one.steps for one in solutions]).sum(0),
        path=torch.stack([one.path for one in solutions])[nearest],
    )
