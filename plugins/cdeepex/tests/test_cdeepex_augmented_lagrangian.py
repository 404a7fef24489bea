import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sidelight_cdeepex import augmented_lagrangian
from sidelight_cdeepex.augmented_lagrangian import (
    Multipliers,
    Solution,
    Values,
    closest_point,
    descent_step,
    nearest_solution,
)
from sidelight_cdeepex.params import CdeepexParams
from sidelight_specs import Cancelled
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.host_reads import HostReads

EXACT = CdeepexParams(tolerance=1e-4, steps=1200, patience=100, rate=0.3)


def linear(equality, inequality):
    """h = A z - a and g = B z - b, with the same rows for every problem."""
    (A, a), (B, b) = equality, inequality

    def constraints(z, rows):
        del rows
        return Values(z @ A.T - a, z @ B.T - b)

    return constraints


def problem(seed, size, equalities, inequalities):
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(equalities, size)), rng.normal(size=(inequalities, size))
    inside = rng.normal(size=size)  # satisfies everything, so that the problem has an answer
    return A, A @ inside, B, B @ inside + rng.uniform(0, 0.5, inequalities), rng.normal(size=(3, size))


def tensors(*arrays):
    return tuple(torch.from_numpy(np.asarray(array)).float() for array in arrays)


@pytest.mark.parametrize("optimizer", ["curvature", "gradient"])
def test_one_equality_gives_the_projection(optimizer):
    a, start = torch.tensor([[3.0, 4.0, 0.0]]), torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0], [-2.0, 1.0, 0.5]])
    params = CdeepexParams(optimizer=optimizer, rate=0.5 if optimizer == "curvature" else 0.01, tolerance=1e-3)
    none = torch.zeros(0, 3), torch.zeros(0)
    solution = closest_point(linear((a, torch.tensor([5.0])), none), start, params, ToyRun())
    expected = start - ((start @ a.T - 5) / 25) * a
    torch.testing.assert_close(solution.z, expected, atol=1e-2, rtol=0)
    assert solution.feasible.all()


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), size=st.integers(3, 8), inequalities=st.integers(0, 3))
@pytest.mark.training
def test_agrees_with_slsqp(seed, size, inequalities):
    A, a, B, b, start = problem(seed, size, 1, inequalities)
    fa, fA, fb, fB, begin = tensors(a, A, b, B, start)
    solution = closest_point(linear((fA, fa), (fB, fb)), begin, EXACT, ToyRun())
    for z0, z in zip(start, solution.z.double().numpy(), strict=True):
        rules = [{"type": "eq", "fun": lambda x: A @ x - a}]
        if inequalities:
            rules.append({"type": "ineq", "fun": lambda x: b - B @ x})
        reference = minimize(lambda x, z0=z0: ((x - z0) ** 2).sum(), z0, method="SLSQP", constraints=rules)
        assert reference.success
        assert np.abs(A @ z - a).max() <= 1e-3
        assert inequalities == 0 or (B @ z - b).max() <= 1e-3
        # A closest point is unique here, so that an equal distance means an equal point.
        assert np.linalg.norm(z - z0) <= np.sqrt(reference.fun) * 1.03 + 1e-2


@pytest.mark.training
def test_an_inequality_that_holds_changes_nothing():
    A, a, _, _, start = problem(3, 5, 1, 1)
    fA, fa, begin = tensors(A, a, start)
    none, slack = (torch.zeros(0, 5), torch.zeros(0)), (torch.ones(1, 5), torch.tensor([100.0]))
    free = closest_point(linear((fA, fa), none), begin, EXACT, ToyRun())
    bounded = closest_point(linear((fA, fa), slack), begin, EXACT, ToyRun())
    torch.testing.assert_close(free.z, bounded.z)


def test_what_cannot_be_satisfied_is_reported():
    rows = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    start = torch.zeros(2, 2)
    none = torch.zeros(0, 2), torch.zeros(0)
    solution = closest_point(linear((rows, torch.tensor([1.0, 3.0])), none), start, CdeepexParams(steps=50), ToyRun())
    assert not solution.feasible.any()
    assert (solution.steps == 50).all()
    assert solution.z.isfinite().all()


def test_a_start_that_satisfies_everything_is_the_answer():
    start = torch.tensor([[2.0, 7.0]])
    equality = torch.tensor([[1.0, 0.0]]), torch.tensor([2.0])
    solution = closest_point(linear(equality, (torch.zeros(0, 2), torch.zeros(0))), start, CdeepexParams(), ToyRun())
    assert torch.equal(solution.z, start)


def test_rows_do_not_see_each_other():
    A, a, B, b, start = problem(5, 6, 1, 2)
    start[1] *= 20  # takes far longer than its neighbours
    fA, fa, fB, fb, begin = tensors(A, a, B, b, start)
    constraints = linear((fA, fa), (fB, fb))
    together = closest_point(constraints, begin, CdeepexParams(), ToyRun(), record=(0, 3, 400))
    for row in range(3):
        alone = closest_point(constraints, begin[row : row + 1], CdeepexParams(), ToyRun(), record=(0, 3, 400))
        torch.testing.assert_close(together.z[row], alone.z[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(together.path[row], alone.path[0], atol=1e-5, rtol=1e-5)
        assert together.steps[row] == alone.steps[0]
    assert len(set(together.steps.tolist())) > 1


def test_a_row_is_evaluated_with_its_own_index():
    offsets = torch.tensor([1.0, 2.0, 3.0, 4.0])

    def constraints(z, rows):
        return Values(z[:, :1] * (1 + rows[:, None]) - offsets[rows, None], z[:, :0])

    solution = closest_point(constraints, torch.zeros(4, 2), CdeepexParams(tolerance=1e-3), ToyRun())
    torch.testing.assert_close(solution.z[:, 0], torch.ones(4), atol=2e-3, rtol=0)


def test_the_path_leads_from_the_start_to_the_answer():
    A, a, B, b, start = problem(8, 4, 1, 1)
    fA, fa, fB, fb, begin = tensors(A, a, B, b, start)
    solution = closest_point(linear((fA, fa), (fB, fb)), begin, CdeepexParams(), ToyRun(), record=(0, 1, 5, 400))
    assert torch.equal(solution.path[:, 0], begin)
    assert torch.equal(solution.path[:, -1], solution.z)
    assert (solution.steps < 400).all()


def test_cancelling_stops_the_search():
    equality = torch.tensor([[1.0, 0.0]]), torch.tensor([50.0])
    with pytest.raises(Cancelled):
        closest_point(
            linear(equality, (torch.zeros(0, 2), torch.zeros(0))),
            torch.zeros(1, 2),
            CdeepexParams(),
            ToyRun(cancel_after=3),
        )


numbers = st.floats(-3, 3, allow_nan=False, width=32)


@settings(max_examples=30, deadline=None)
@given(h=numbers, g=numbers, lam=numbers, mu=st.floats(0, 3, width=32), c=st.floats(0.25, 8, width=32))
def test_weights_are_the_derivative_of_equation_3(h, g, lam, mu, c):
    value = torch.tensor([[h, g]], dtype=torch.float64, requires_grad=True)
    multipliers = Multipliers(*(torch.tensor(x, dtype=torch.float64) for x in ([[lam]], [[mu]], [c], [9.0])))
    penalty = lam * value[0, 0] + c / 2 * value[0, 0] ** 2
    penalty = penalty + ((mu + c * value[0, 1]).clamp(min=0) ** 2 - mu**2) / (2 * c)
    (expected,) = torch.autograd.grad(penalty, value)
    weights = multipliers.weights(Values(value[:, :1], value[:, 1:]))
    torch.testing.assert_close(torch.cat(weights, 1), expected)


def test_equation_4_grows_the_penalty_only_after_too_little_progress():
    values = Values(torch.tensor([[0.23], [0.25], [-0.25]]), torch.tensor([[-5.0], [-5.0], [0.1]]))
    before = Multipliers(torch.zeros(3, 1), torch.ones(3, 1), torch.full((3,), 10.0), torch.ones(3))
    after = before.update(values, growth=1.01, progress=0.24)
    torch.testing.assert_close(after.c, torch.tensor([10.0, 10.1, 10.1]))
    torch.testing.assert_close(after.lam, torch.tensor([[2.3], [2.5], [-2.5]]))
    torch.testing.assert_close(after.mu, torch.tensor([[0.0], [0.0], [2.0]]))
    torch.testing.assert_close(after.violation, torch.tensor([0.23, 0.25, 0.25]))


def test_the_scaled_step_is_newtons_where_one_constraint_is_active():
    a, z, c = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([[0.3, 0.2, -0.4]]), torch.tensor([4.0])
    values = Values((z * a).sum(1, keepdim=True) - 1, z[:, :0])
    weights = Multipliers.initial(z, 4.0).weights(values)
    params = CdeepexParams(rate=1.0, tangential_rate=1.0, max_step=100.0)
    step = descent_step(2 * z, weights[0] * a, weights, c, 0, params)
    hessian = 2 * torch.eye(3) + 4 * a.T @ a
    newton = -torch.linalg.solve(hessian, (2 * z + weights[0] * a)[0])
    torch.testing.assert_close(step[0], newton)


def test_no_step_is_longer_than_allowed():
    z = torch.full((2, 3), 100.0)
    weights = Multipliers.initial(z, 1.0).weights(Values(z[:, :1], z[:, :0]))
    step = descent_step(2 * z, torch.ones(2, 3), weights, torch.ones(2), 1, CdeepexParams(max_step=0.25))
    assert (step.norm(dim=1) <= 0.25 + 1e-6).all()


def two_lines(z, rows):
    """h = 0 on the lines x = -2 and x = 1."""
    del rows
    return Values((z[:, :1] + 2) * (z[:, :1] - 1), torch.zeros(len(z), 0))


def test_a_search_that_begins_elsewhere_still_looks_for_the_closest_to_z0():
    start = torch.tensor([[-0.8, 0.5]])
    here, there = (
        closest_point(two_lines, start, EXACT, ToyRun(), offset=offset) for offset in (None, torch.tensor([3.0, 2.0]))
    )
    torch.testing.assert_close(here.z, torch.tensor([[-2.0, 0.5]]), atol=1e-2, rtol=0)
    torch.testing.assert_close(there.z, torch.tensor([[1.0, 0.5]]), atol=1e-2, rtol=0)


def test_patience_changes_when_a_search_ends_and_not_where_it_goes():
    def circle(z, rows):
        del rows
        return Values(z.square().sum(1, keepdim=True) - 1, 0.2 - z[:, :1])

    start, record = torch.tensor([[0.1, 2.0], [-0.4, 0.3]]), tuple(range(1, 61))
    short, long = (
        closest_point(circle, start, CdeepexParams(patience=patience, steps=60), ToyRun(), record=record)
        for patience in (5, 1000)
    )
    for row, steps in enumerate(short.steps.tolist()):
        assert steps < 60
        torch.testing.assert_close(short.path[row, : steps - 1], long.path[row, : steps - 1], rtol=0, atol=0)
    assert (long.objective <= short.objective).all()


def test_the_nearest_solution_that_was_found_is_kept_for_each_row():
    def solution(lengths, feasible, steps):
        z, ok = torch.tensor([[length, 0.0] for length in lengths]), torch.tensor(feasible)
        objective = torch.where(ok, z[:, 0], torch.inf)
        return Solution(z=z, feasible=ok, objective=objective, steps=torch.tensor(steps), path=z[:, None])

    one = solution([1.0, 5.0, 9.0], [True, True, False], [4, 4, 4])
    other = solution([2.0, 3.0, 1.0], [True, True, False], [1, 2, 3])
    best = nearest_solution([one, other])
    assert best.z[:2, 0].tolist() == [1, 3]
    assert best.path[:2, 0, 0].tolist() == [1, 3]
    assert best.feasible.tolist() == [True, True, False]
    assert best.z[2, 0] == 9  # none is feasible: the search from z0 itself is shown
    assert best.steps.tolist() == [5, 6, 7]


def test_rows_that_are_done_may_stay_in_the_batch_for_some_steps(monkeypatch):
    """As on a GPU, where the host does not look at every step; no bit of the answers changes."""
    A, a, B, b, start = problem(5, 6, 1, 2)
    start[1] *= 20  # takes far longer than its neighbours
    fA, fa, fB, fb, begin = tensors(A, a, B, b, start)
    constraints, record = linear((fA, fa), (fB, fb)), (0, 3, 400)

    def solve(interval):
        monkeypatch.setattr(augmented_lagrangian, "leave_every", lambda _tensor: interval)
        with HostReads() as reads:
            solution = closest_point(constraints, begin, CdeepexParams(), ToyRun(), record=record)
        return solution, len(reads)

    expected, every_step = solve(1)
    solution, at_intervals = solve(8)
    for field in attrs.fields(Solution):
        assert torch.equal(getattr(solution, field.name), getattr(expected, field.name))
    steps = int(expected.steps.max())
    assert steps > 16
    assert every_step - at_intervals == steps - (steps + 7) // 8
