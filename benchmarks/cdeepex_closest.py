"""Distance of the closest answer: the search of CDeepEx against a long one and against SLSQP, by its stopping rule.

    python benchmarks/cdeepex_closest.py --rows 600 630        # the digits that chose the defaults
    python benchmarks/cdeepex_closest.py                       # the table of docs/explanation/cdeepex.md, on others

Classifier and generator are `zoo/digits-classifier` and `zoo/digits-vae`, the question why not the second choice. For
each digit the best known answer is the closest of all that satisfy every constraint: of long searches from several
starts, and of SLSQP (Kraft 1988, in scipy) with exact gradients from z0 and from the best of the long searches.
`patience` and `starts` do not change where a search goes, only when it ends: every row of the table is read off the
same long searches. A row has the ratio of the distance to the best known one, and the passes.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import torch
from attrs import evolve, frozen
from scipy.optimize import minimize
from sidelight_cdeepex.augmented_lagrangian import IMPROVEMENT, SAFETY, Values, closest_point
from sidelight_cdeepex.cdeepex import PASSES, CompositeImage, equation_2
from sidelight_cdeepex.params import CdeepexParams
from sidelight_images.digits import Digits
from sidelight_images.params import DigitsParams
from sidelight_specs.roles import Classifier
from sidelight_specs.testing import ToyRun, toy_targets
from sidelight_zoo import components
from sidelight_zoo.card import cards
from sidelight_zoo.origin import open_params

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = (2, 5, 10, 20, 40, 80)
THIRDS = 3  # classes that SLSQP watches beside the pair: the likeliest at the long search's answer; all are checked
NEAR = 1.01  # an answer at most this much farther counts as the closest
STUDENT = 2.045  # 97.5 % quantile of Student's t with 29 degrees of freedom


@frozen
class Problem:
    """Equation 2 of all digits.

    Args:
        classifier: the explained one.
        composite: I_z.
        z0: (N, k).
        pair: (2, N), predicted class and probe.
        params: the options of the search.
    """

    classifier: Classifier
    composite: CompositeImage
    z0: torch.Tensor
    pair: torch.Tensor
    params: CdeepexParams

    @property
    def limit(self) -> float:
        """Violation up to which a search counts a point as an answer."""
        return SAFETY * self.params.tolerance

    def values(self, z: torch.Tensor, rows: torch.Tensor) -> Values:
        """The constraints as the search sees them: it may miss them by the tolerance, and keeps epsilon in full."""
        return self.of_logits(self.logits(z, rows), self.pair[:, rows])

    def logits(self, z: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """(n, K) of I_z."""
        return self.classifier.class_logits(self.composite(z, rows))

    def of_logits(self, logits: torch.Tensor, pair: torch.Tensor) -> Values:
        """The constraints of (n, K) logits."""
        families = equation_2(logits, pair, self.params.epsilon + self.params.tolerance).values()
        return Values(torch.cat([f.h for f in families], 1), torch.cat([f.g for f in families], 1))


@frozen
class Trace:
    """Every step of one search: (T, N) distances, infinite where a constraint is violated."""

    distances: np.ndarray

    def stopped(self, patience: int) -> tuple[np.ndarray, np.ndarray]:
        """The distance (N,) and the steps (N,) of a search with this patience: the rule of `closest_point`."""
        count = self.distances.shape[1]
        best, steps = np.full(count, np.inf), np.full(count, len(self.distances))
        for row in range(count):
            stale = 0
            for step, distance in enumerate(self.distances[:, row], start=1):
                stale = 0 if distance < IMPROVEMENT * best[row] else stale + 1
                best[row] = min(best[row], distance)
                if np.isfinite(best[row]) and stale >= patience:
                    steps[row] = step
                    break
        return best, steps


def main() -> None:
    """Search, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs=2, default=(700, 730), help="first and last row of the test split")
    parser.add_argument("--starts", type=int, default=3, help="long searches for each digit")
    parser.add_argument("--steps", type=int, default=160, help="length of a long search")
    parser.add_argument("--no-slsqp", action="store_true", help="leave SLSQP out; it takes most of the time")
    options = parser.parse_args()
    torch.set_num_threads(1)
    problem = digits(slice(*options.rows))
    generator = np.random.default_rng(0)
    offsets = [torch.zeros_like(problem.z0[0])] + [
        torch.from_numpy(problem.params.spread * generator.standard_normal(problem.z0.shape[1])).to(problem.z0)
        for _ in range(options.starts - 1)
    ]
    results = [search(problem, offset, options.steps) for offset in offsets]
    traces = [trace for trace, _ in results]
    long = np.stack([trace.distances.min(0) for trace in traces])  # (S, N)
    nearest = torch.stack([z for _, z in results])[long.argmin(0), np.arange(long.shape[1])]  # (N, k)
    begins = [] if options.no_slsqp else [problem.z0, nearest]
    solved = np.array([slsqp(problem, begin, nearest) for begin in begins])  # (2, N)
    best = np.min([*long, *solved], axis=0)
    print(f"{len(best)} digits, best known distance {best.mean():.3f}; {np.isinf(best).sum()} without an answer")
    for starts in range(1, options.starts + 1):
        for patience in PATIENCE:
            ends = [trace.stopped(patience) for trace in traces[:starts]]
            passes = PASSES * sum(steps for _, steps in ends)
            line(f"patience {patience}, starts {starts}", np.min([one for one, _ in ends], axis=0), best, passes)
    for starts in range(1, options.starts + 1):
        passes = np.full(len(best), PASSES * starts * options.steps)
        line(f"{options.steps} steps, starts {starts}", long[:starts].min(0), best, passes)
    for name, distances in zip(("z0", "the long search's answer"), solved, strict=False):
        line(f"SLSQP from {name}", distances, best, np.full(len(best), np.nan))


def digits(rows: slice) -> Problem:
    """The problem of some test digits, by the zoo's models."""
    run, params = ToyRun(), CdeepexParams(together=32)
    classifier, generator = (
        getattr(components, name.replace("-", "_"))(open_params(cards()[name])(), run=run)
        for name in ("digits-classifier", "digits-vae")
    )
    images = torch.from_numpy(Digits(DigitsParams(size=32), run=run).split("test").read().images[rows])
    targets = toy_targets(classifier, images)
    z0 = generator.encode(images).detach()
    composite = CompositeImage(generator, images, z0, params.together)
    pair = torch.as_tensor(np.stack([targets.predicted, targets.probe]))
    return Problem(classifier, composite, z0, pair, params)


def search(problem: Problem, offset: torch.Tensor, steps: int) -> tuple[Trace, torch.Tensor]:
    """A long search: what it saw at every step, and its answers (N, k)."""
    distances: list[np.ndarray] = []

    def constraints(z: torch.Tensor, rows: torch.Tensor) -> Values:
        values = problem.values(z, rows)
        length = torch.linalg.vector_norm(z.detach() - problem.z0[rows], dim=1)
        distances.append(torch.where(values.violation() <= problem.limit, length, torch.inf).numpy())
        return values

    params = evolve(problem.params, steps=steps, patience=10_000, together=len(problem.z0))
    solution = closest_point(constraints, problem.z0, params, ToyRun(), offset=offset)
    return Trace(np.stack(distances)), solution.z


def slsqp(problem: Problem, begins: torch.Tensor, nearest: torch.Tensor) -> np.ndarray:
    """(N,) distances of the answers of SLSQP from (N, k); infinite where it ends outside the constraints."""
    every = torch.arange(len(begins))
    logits = problem.logits(nearest, every).detach().scatter(1, problem.pair.T, -torch.inf)
    classes = torch.cat([problem.pair.T, logits.topk(THIRDS).indices], 1)  # (N, 2 + THIRDS)
    return np.array([_solve(problem, row, begins[row].numpy().astype(np.float64), classes[row]) for row in every])


def _solve(problem: Problem, row: int, begin: np.ndarray, classes: torch.Tensor) -> float:
    z0, rows = problem.z0[row].numpy().astype(np.float64), torch.tensor([row])
    pair = torch.tensor([[0], [1]])  # of `classes`
    known: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def slacks(logits: torch.Tensor) -> torch.Tensor:
        """(M,), at least 0 where |h| and g stay within the limit."""
        values = problem.of_logits(logits[None], pair)
        return problem.limit - torch.cat([values.h, -values.h, values.g], 1)[0]

    def both(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The constraints (M,), at least 0 where they hold, and their Jacobian (M, k)."""
        if z.tobytes() not in known:
            points = torch.from_numpy(z).float().repeat(len(classes), 1).requires_grad_(True)  # one for each logit
            logits = problem.logits(points, rows.expand(len(classes)))[:, classes]  # (2 + THIRDS, 2 + THIRDS)
            (of_logits,) = torch.autograd.grad(logits.diagonal().sum(), points)
            slack, of_slack = torch.func.vjp(slacks, logits.detach()[0])
            (rows_of,) = torch.vmap(of_slack)(torch.eye(len(slack)))  # (M, 2 + THIRDS)
            known.clear()
            known[z.tobytes()] = (
                slack.numpy().astype(np.float64),
                (rows_of @ of_logits).numpy().astype(np.float64),
            )
        return known[z.tobytes()]

    answer = minimize(
        lambda z: ((z - z0) ** 2).sum(),
        begin,
        jac=lambda z: 2 * (z - z0),
        constraints={"type": "ineq", "fun": lambda z: both(z)[0], "jac": lambda z: both(z)[1]},
        method="SLSQP",
        options={"maxiter": 40, "ftol": 1e-4},
    )
    values = problem.values(torch.from_numpy(answer.x[None]).float(), rows)  # of all classes
    holds = values.violation().item() <= problem.params.tolerance
    return float(np.linalg.norm(answer.x - z0)) if holds else np.inf


def line(name: str, distances: np.ndarray, best: np.ndarray, passes: Sequence[float]) -> None:
    """Mean ratio with its interval, shares, and passes."""
    ratio = distances / best
    answered = ratio[np.isfinite(ratio)]
    half = STUDENT * answered.std(ddof=1) / np.sqrt(len(answered))
    print(
        f"{name:40} {answered.mean():.3f} +- {half:.3f}, worst {answered.max():.2f}, within 1 % "
        f"{(ratio <= NEAR).sum()} of {len(ratio)}, none {len(ratio) - len(answered)}, passes {np.mean(passes):.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
