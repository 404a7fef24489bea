import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sidelight_specs import Cancelled, SidelightError
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.training import minibatches, train, triangular


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 9))
def test_every_epoch_is_a_permutation_and_batches_are_full(count, size, seed):
    batches = minibatches(count, size, np.random.default_rng(seed))
    each = min(size, count)
    per_epoch = count // each
    for _ in range(3):
        epoch = list(itertools.islice(batches, per_epoch))
        assert all(len(batch) == each for batch in epoch)
        rows = np.concatenate(epoch)
        assert len(set(rows.tolist())) == len(rows)
        assert rows.min() >= 0
        assert rows.max() < count


def test_epochs_differ():
    first, second = itertools.islice(minibatches(50, 50, np.random.default_rng(0)), 2)
    assert first.tolist() != second.tolist()
    assert sorted(first) == sorted(second)


@given(st.integers(1, 300))
def test_the_learning_rate_rises_then_falls_and_is_never_zero(steps):
    rates = [triangular(step, steps) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
    top = int(np.argmax(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[top] > 0.7
    assert rates[-1] <= rates[top]


def fit(run, steps=60, lr=0.2, schedule=triangular):
    weight = torch.zeros(3, requires_grad=True)
    goal = torch.tensor([1.0, -2.0, 0.5])
    optimizer = torch.optim.SGD([weight], lr=lr)
    batches = minibatches(3, 2, run.rng("batches"))
    losses = train(
        run,
        lambda rows: (weight[rows] - goal[rows]).square().sum(),
        optimizer,
        batches,
        steps,
        "fitting",
        schedule,
        stateful={"weight": weight},
    )
    return weight.detach(), goal, losses


def test_it_minimises_and_gives_the_loss_of_every_step():
    run = ToyRun()
    weight, goal, losses = fit(run)
    torch.testing.assert_close(weight, goal, rtol=0, atol=0.05)
    assert losses.shape == (60,)
    assert losses.dtype == np.float32
    assert losses[-1] < losses[0] / 100
    assert run.steps == {"fitting": 60}


def test_the_schedule_scales_the_rate():
    assert torch.equal(fit(ToyRun(), schedule=lambda step, steps: 0.0)[0], torch.zeros(3))
    constant = fit(ToyRun(), steps=1, schedule=lambda step, steps: 1.0)[0]
    half = fit(ToyRun(), steps=1, schedule=lambda step, steps: 0.5)[0]
    torch.testing.assert_close(half, constant / 2)


def test_every_parameter_group_keeps_its_own_rate():
    slow, fast = (torch.zeros(1, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.SGD([{"params": [slow], "lr": 0.1}, {"params": [fast], "lr": 0.4}])
    batches = minibatches(1, 1, np.random.default_rng(0))
    train(ToyRun(), lambda _: -(slow + fast).sum(), optimizer, batches, 3, "x", lambda step, steps: 1.0, stateful={})
    assert slow.item() == pytest.approx(0.3)
    assert fast.item() == pytest.approx(1.2)


def test_a_loss_that_is_not_finite_stops_and_names_the_step():
    weight = torch.zeros(1, requires_grad=True)
    losses = iter([1.0, 1.0, float("nan")])
    batches = minibatches(1, 1, np.random.default_rng(0))
    with pytest.raises(SidelightError, match=r"descent: the loss is nan at step 3; try a lower learning rate"):
        train(
            ToyRun(),
            lambda _: weight.sum() * 0 + next(losses),
            torch.optim.SGD([weight], lr=1.0),
            batches,
            9,
            "descent",
            stateful={},
        )


def test_it_can_be_cancelled():
    with pytest.raises(Cancelled):
        fit(ToyRun(cancel_after=3))
