"""The counter itself, and loops of the toolkit whose reads do not follow their steps."""

import numpy as np
import pytest
import torch
from sidelight_specs.testing import ToyRun
from sidelight_toolkit import imputation, training
from sidelight_toolkit.host_reads import HostReads
from sidelight_toolkit.imputation import noisy_linear
from sidelight_toolkit.training import READ_EVERY, minibatches, train


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x[0].item(),
        lambda x: bool(x.any()),
        lambda x: float(x.sum()),
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: x.cpu(),
        lambda x: x.nonzero(),
        lambda x: x[x > 1],
        lambda x: x.__setitem__(x > 1, torch.zeros(())),
    ],
)
def test_what_makes_the_host_wait_is_counted(read):
    with HostReads() as reads:
        read(torch.arange(4.0))
    assert len(reads) >= 1
    assert all(place.startswith(__file__) for place in reads.places)


def test_what_stays_on_the_device_is_not():
    x, rows = torch.arange(4.0), torch.tensor([2, 0])
    with HostReads() as reads:
        y = torch.where(x > 1, x, 0)[rows] + x.sum()
        x[rows] = y
    assert len(reads) == 0


def reads_of_training(steps):
    x = torch.randn(32, 3, generator=torch.Generator().manual_seed(0))
    layer = torch.nn.Linear(3, 1)
    optimizer = torch.optim.Adam(layer.parameters(), 0.01)

    def loss_of(rows):
        return layer(x[torch.from_numpy(rows)]).square().mean()

    batches = minibatches(32, 8, np.random.default_rng(0))
    with HostReads() as reads:
        train(ToyRun(), loss_of, optimizer, batches, steps, "toy", stateful={"layer": layer})
    return len(reads)


def test_a_training_reads_its_losses_at_intervals(monkeypatch):
    monkeypatch.setattr(training, "is_far", lambda _tensor: True)  # as on a GPU
    assert reads_of_training(4 * READ_EVERY) - reads_of_training(2 * READ_EVERY) == 2


def test_an_imputation_looks_at_intervals(monkeypatch):
    random = torch.Generator().manual_seed(0)
    images = torch.rand(3, 2, 24, 24, generator=random)
    visible = torch.rand(3, 1, 24, 24, generator=random) < 0.05
    with HostReads() as every_step:
        expected = noisy_linear(images, visible)
    monkeypatch.setattr(imputation, "look_every", lambda _tensor: imputation.LOOK_EVERY)
    with HostReads() as at_intervals:
        filled = noisy_linear(images, visible)
    assert torch.equal(filled, expected)  # a solved row stands still
    steps = sum("imputation.py" in place for place in every_step.places)
    looks = sum("imputation.py" in place for place in at_intervals.places)
    assert steps > imputation.LOOK_EVERY
    assert looks <= steps // imputation.LOOK_EVERY + 2
