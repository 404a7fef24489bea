import random

import numpy as np
import pytest
import torch
from sidelight_specs import Cancelled
from sidelight_specs.results import State
from sidelight_specs.testing import ToyRun
from sidelight_specs.testing.run import Killed
from sidelight_toolkit.checkpoints import captured, gathered, restored, resumed_steps
from sidelight_toolkit.muon import Muon
from sidelight_toolkit.seeding import seeded
from sidelight_toolkit.training import Curves, minibatches, train

STEPS = 12


def sgd(weights):
    return torch.optim.SGD(weights, 0.05, momentum=0.9, nesterov=True)


OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "fused adam": lambda weights: torch.optim.Adam(weights, fused=True),
    "adamw": torch.optim.AdamW,
    "sgd": sgd,
    "muon": lambda weights: Muon([{"params": [weight for weight in weights if weight.ndim > 1], "lr": 0.02}]),
}


def learned(run, optimizer="adam", steps=STEPS):
    """Convolutions with running statistics, dropout, noise, mirroring and shuffled minibatches."""
    images, noise, mirror = torch.linspace(0, 1, 7 * 3 * 8 * 8).reshape(7, 3, 8, 8), torch.Generator(), run.rng("flip")
    with seeded(run, "weights"):
        network = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Dropout(0.3), torch.nn.Conv2d(4, 1, 3)
        ).to(memory_format=torch.channels_last)

    def loss_of(rows):
        batch = images[torch.from_numpy(rows)] + 0.1 * torch.randn(len(rows), 3, 8, 8, generator=noise)
        batch = batch.flip(3) if mirror.random() < 0.5 else batch
        return network(batch.contiguous(memory_format=torch.channels_last)).square().mean()

    with seeded(run, "dropout"):
        losses = train(
            run,
            loss_of,
            OPTIMIZERS[optimizer](list(network.parameters())),
            minibatches(7, 2, run.rng("batches")),
            steps,
            "learning",
            stateful={"network": network, "noise": noise, "mirror": mirror},
        )
    return {**network.state_dict(), "losses": torch.from_numpy(losses)}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("how", ["kill_after", "cancel_after"])
def test_an_interrupted_training_ends_with_the_same_bits(optimizer, how, tmp_path):
    expected = learned(ToyRun(), optimizer)
    for after in range(1, STEPS):
        first = ToyRun(checkpoint_every=3, **{how: after})
        with pytest.raises((Killed, Cancelled)):
            learned(first, optimizer)
        states = {}
        for name, state in first.states.items():  # as it is kept: in a file
            state.save(tmp_path / f"{after}")
            states[name] = State.load(tmp_path / f"{after}")
        second = ToyRun(states=states)
        assert same(learned(second, optimizer), expected)
        done = after if how == "cancel_after" else after // 3 * 3
        assert sum(second.steps.values()) == STEPS - done


def test_another_number_of_steps_is_another_training():
    first = ToyRun(cancel_after=3)
    with pytest.raises(Cancelled):
        learned(first)
    second = ToyRun(states=first.states)
    learned(second, steps=STEPS - 1)
    assert sum(second.steps.values()) == STEPS - 1


def test_moments_have_the_strides_of_their_weights_again():
    weight = torch.nn.Parameter(torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last))
    optimizer = torch.optim.Adam([weight], fused=True)
    weight.square().sum().backward()
    optimizer.step()
    restored(captured(1, {"optimizer": optimizer}), {"optimizer": optimizer})
    assert optimizer.state[weight]["exp_avg"].stride() == weight.stride()


def test_every_kind_of_state_comes_back():
    things = {
        "torch": torch.Generator().manual_seed(1),
        "numpy": np.random.default_rng(2),
        "tensor": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "list": [1.0, 2.0],
        "dict": {"loss": 0.5, "other": torch.ones(2)},
        "curves": Curves(["loss"]),
    }
    things["curves"].append({"loss": 3.0})
    streams = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    state = captured(7, things)
    draws = [torch.rand(3, generator=things["torch"]), things["numpy"].random(3)]
    things["tensor"].zero_()
    things["list"].append(3.0)
    things["dict"] |= {"loss": 9.0, "other": torch.zeros(2)}
    things["curves"].append({"loss": 4.0})
    random.random(), np.random.rand(), torch.rand(1)
    assert restored(state, things) == 7
    assert torch.equal(torch.rand(3, generator=things["torch"]), draws[0])
    assert np.array_equal(things["numpy"].random(3), draws[1])
    assert things["tensor"].tolist() == [0.0, 0.0], "the state may share memory until it is written"
    assert things["list"] == [1.0, 2.0]
    assert things["dict"]["loss"] == 0.5
    assert things["curves"].arrays()["loss"].tolist() == [3.0]
    assert random.getstate() == streams[0]
    assert np.random.get_state()[1].tolist() == streams[1]
    assert torch.equal(torch.get_rng_state(), streams[2])


def test_nothing_is_saved_before_a_step_was_taken():
    run = ToyRun(cancel_after=0)
    with pytest.raises(Cancelled):
        list(resumed_steps(run, 3, "x", {}))
    assert not run.states


def test_a_loss_that_is_not_finite_is_no_checkpoint():
    """A training that diverged and was checkpointed would diverge for ever."""
    run, curves = ToyRun(checkpoint_every=1), Curves(["loss"], lambda step, _: f"step {step}")
    curves._waiting.append(torch.tensor([float("nan")]))  # as on a GPU, where it is looked at later
    with pytest.raises(Exception, match="step 0"):
        list(resumed_steps(run, 3, "x", {"curves": curves}))
    assert not run.states


def test_values_on_a_device_are_read_some_at_a_time_and_the_right_step_is_named():
    curves = Curves(["a", "b"], lambda step, values: f"step {step}: {values}")
    for step in range(5):
        curves._waiting.append(torch.tensor([step, 1.0 if step != 3 else float("inf")]))
    assert len(curves) == 5
    with pytest.raises(Exception, match=r"step 3: \{'a': 3.0, 'b': inf\}"):
        curves.read()


@pytest.mark.parametrize("after", range(1, 5))
@pytest.mark.parametrize("how", ["kill_after", "cancel_after"])
def test_what_a_loop_has_gathered_is_not_computed_again(how, after):
    computed = []

    def collect(run):
        with gathered(run, "features") as parts:
            for number in run.progress(range(5), "features"):
                if number >= parts.done:
                    computed.append(number)
                    parts.append(torch.full((2,), float(number)), torch.tensor([number]))
        return [torch.cat(tensors).tolist() for tensors in zip(*parts.rows, strict=True)]

    first = ToyRun(checkpoint_every=1, **{how: after})
    with pytest.raises((Killed, Cancelled)):
        collect(first)
    assert collect(ToyRun(states=first.states)) == [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [0, 1, 2, 3, 4]]
    assert computed == [0, 1, 2, 3, 4]
