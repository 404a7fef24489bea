"""Closest points under constraints: equation 2 solved by a series of equations 3, many rows side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

import attrs
import torch
from sidelight_toolkit.batching import slices
from torch import Tensor

from sidelight_cdeepex.descent import Rates, descend
from sidelight_cdeepex.lagrangian import Multipliers, Values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidelight_specs import Run

    Constraints = Callable[[Tensor, Tensor], Values]
    """From z (n, k) and the indices (n,) of its rows in the batch to the constraints' values, differentiable in z."""


class Settings(Rates, Protocol):
    """See the options of `xgems`."""

    @property
    def together(self) -> int: ...  # noqa: D102
    @property
    def tolerance(self) -> float: ...  # noqa: D102
    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def inner(self) -> int: ...  # noqa: D102
    @property
    def patience(self) -> int: ...  # noqa: D102
    @property
    def penalty(self) -> float: ...  # noqa: D102
    @property
    def growth(self) -> float: ...  # noqa: D102
    @property
    def progress(self) -> float: ...  # noqa: D102


@attrs.frozen(eq=False)
class Solution:
    """Where each row ended.

    Args:
        z: (N, k), the closest point found that satisfies the constraints, or the last one where none did.
        found: (N,) bool, whether one did.
        steps: (N,) int64, gradients taken.
        path: (N, T, k), z after so many steps as was asked for; a row that is done stays at its answer.
    """

    z: Tensor
    found: Tensor
    steps: Tensor
    path: Tensor


def closest(
    constraints: Constraints,
    start: Tensor,
    settings: Settings,
    run: Run,
    *,
    offset: Tensor | None = None,
    record: Sequence[int] = (),
) -> Solution:
    """For each row the z closest to its start that satisfies its constraints.

    Rows that are done leave the batch, so that the others do not pay for them. All arithmetic but that of the
    `constraints` is bit-equal for any company of a row. Theirs is where one row is evaluated at a time: matrix products
    of several rows round each by its place among them, and the search amplifies that (see `together`).

    Args:
        constraints: of at least one constraint; asked for `settings.together` rows at a time.
        start: (N, k), z0.
        settings: the options of `xgems`.
        run: shows progress, and cancels.
        offset: (k,), where the searches begin, seen from z0; at z0 by default.
        record: after how many steps z is kept for the path.
    """
    search = _Search.begin(start, settings.penalty, offset)
    solution = Solution(
        z=start.clone(),
        found=torch.zeros_like(search.row, dtype=torch.bool),
        steps=torch.zeros_like(search.row),
        path=start[:, None].repeat(1, len(record), 1),
    )
    for step in run.progress(range(1, settings.steps + 1), "searching"):
        search = _step(search, constraints, settings, step)
        _note(solution, search, step, record)
        search = search.take(~search.done(settings.patience))
        if not len(search.row):
            break
    after = torch.tensor(record, device=start.device) >= solution.steps[:, None]
    return attrs.evolve(solution, path=torch.where(after[..., None], solution.z[:, None], solution.path))


def nearest(solutions: Sequence[Solution], start: Tensor) -> Solution:
    """For each row the solution that came closest to its start, of those that were found; the steps of all count."""
    far = [torch.where(one.found, torch.linalg.vector_norm(one.z - start, dim=1), torch.inf) for one in solutions]
    best = torch.stack(far).argmin(0)
    rows = torch.arange(len(start), device=start.device)
    z, found, path = (
        torch.stack(each)[best, rows] for each in zip(*((s.z, s.found, s.path) for s in solutions), strict=True)
    )
    return Solution(z=z, found=found, steps=torch.stack([one.steps for one in solutions]).sum(0), path=path)


@attrs.frozen(eq=False)
class _Search:
    """The rows still searched; each field has one row for each.

    Args:
        row: (n,) int64, its index in the batch.
        z: (n, k), where it is.
        start: (n, k), z0.
        multipliers: lambda, mu and c.
        best: (n, k), the closest z so far that satisfies the constraints.
        distance: (n,), from z0 to `best`; infinite where there is none.
        stale: (n,) int64, steps since `best` came noticeably closer.
    """

    row: Tensor
    z: Tensor
    start: Tensor
    multipliers: Multipliers
    best: Tensor
    distance: Tensor
    stale: Tensor

    @classmethod
    def begin(cls, start: Tensor, penalty: float, offset: Tensor | None) -> Self:
        row = torch.arange(len(start), device=start.device)
        first = start if offset is None else start + offset
        multipliers = Multipliers.start(start, penalty)
        return cls(
            row, first, start, multipliers, start, torch.full_like(start[:, 0], torch.inf), torch.zeros_like(row)
        )

    def take(self, rows: Tensor) -> Self:
        """The rows of a (n,) bool mask."""
        if bool(rows.all()):
            return self
        kept = (self.row, self.z, self.start, self.best, self.distance, self.stale)
        row, z, start, best, distance, stale = (tensor[rows] for tensor in kept)
        return type(self)(row, z, start, self.multipliers.take(rows), best, distance, stale)

    def judged(self, values: Values, tolerance: float) -> Self:
        """Keep z where it satisfies the constraints and is the closest so far."""
        distance = torch.linalg.vector_norm(self.z - self.start, dim=1)
        closer = (values.violation() <= _INSIDE * tolerance) & (distance < self.distance)
        gained = closer & (distance < _WORTH * self.distance)
        return attrs.evolve(
            self,
            best=torch.where(closer[:, None], self.z, self.best),
            distance=torch.where(closer, distance, self.distance),
            stale=torch.where(gained, 0, self.stale + 1),
        )

    def found(self) -> Tensor:
        """(n,) bool."""
        return self.distance.isfinite()

    def done(self, patience: int) -> Tensor:
        """(n,) bool: there is an answer, and for some time it has not come closer."""
        return self.found() & (self.stale >= patience)

    def answer(self) -> Tensor:
        """(n, k): the best z, or the present one where none satisfied the constraints."""
        return torch.where(self.found()[:, None], self.best, self.z)


def _step(search: _Search, constraints: Constraints, settings: Settings, step: int) -> _Search:
    """One step down equation 3, and once in a while new multipliers."""
    values, push = _evaluated(search, constraints, settings.together)
    forces = search.multipliers.forces(values)
    search = search.judged(values, settings.tolerance)
    distance = 2 * (search.z - search.start)  # gradient of ||z - z0||^2, eq. 2's objective, (n, k)
    move = descend(distance, push, forces, search.multipliers.penalty, step, settings)  # down eq. 3, (n, k)
    multipliers = search.multipliers
    if step % settings.inner == 0:
        multipliers = multipliers.updated(values, settings.growth, settings.progress)  # eq. 4
    return attrs.evolve(search, z=search.z + move, multipliers=multipliers)


def _evaluated(search: _Search, constraints: Constraints, together: int) -> tuple[Values, Tensor]:
    """The constraints' values at z (n, k) and the gradient (n, k) of the penalty, `together` rows in a pass."""
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for part in slices(len(search.row), together):
        rows = torch.arange(part.start, part.stop, device=search.row.device)
        z = search.z[rows].detach().requires_grad_(True)
        values = constraints(z, search.row[rows])
        work = search.multipliers.take(rows).forces(values).work(values)  # () whose gradient is that of eq. 3's penalty
        (push,) = torch.autograd.grad(work, z)  # (together, k): rows do not touch each other
        parts.append((values.equality.detach(), values.inequality.detach(), push))
    equality, inequality, pushes = (torch.cat(each) for each in zip(*parts, strict=True))
    return Values(equality, inequality), pushes


def _note(solution: Solution, search: _Search, step: int, record: Sequence[int]) -> None:
    solution.z[search.row] = search.answer()
    solution.found[search.row] = search.found()
    solution.steps[search.row] = step
    for place, at in enumerate(record):
        if at == step:
            solution.path[search.row, place] = search.z


_INSIDE = 0.95
"""The share of the tolerance that the search uses up: measured again, in other company, the answer still holds."""

_WORTH = 0.99
"""An answer this much closer is worth further search."""
