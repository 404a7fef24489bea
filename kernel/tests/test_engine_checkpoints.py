"""States of long work under way: kept, found again, verified, and gone when the work is done."""

from types import SimpleNamespace

import numpy as np
import pytest
from sidelight.cli import main
from sidelight.engine import checkpoints
from sidelight.engine.checkpoints import Checkpoint
from sidelight.engine.session import ComponentRun
from sidelight.engine.store import Store
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Heatmap, State


@pytest.fixture
def store(tmp_path):
    notices = []
    store = Store(tmp_path / "cache", notices.append)
    store.notices = notices
    yield store
    store.close()


def checkpoint(store, key="key", warnings=None):
    return Checkpoint(store, key, "toy/mean", [].append if warnings is None else warnings.append)


def state(number):
    return State(arrays={"weights": np.full(4, number, np.float32)})


def number(found):
    return None if found is None else int(found.arrays["weights"][0])


def test_the_newest_state_is_found_and_is_the_only_one(store):
    first = checkpoint(store)
    assert first.load() is None
    for step in range(5):
        first.save(state(step))
        assert number(checkpoint(store).load()) == step
        assert len(list(store.entries())) == 1
    again = checkpoint(store)
    assert number(again.load()) == 4
    again.save(state(5))
    assert number(checkpoint(store).load()) == 5
    assert checkpoint(store, "other").load() is None
    again.remove()
    assert list(store.entries()) == []


def test_killed_between_writing_one_and_removing_the_other(store, monkeypatch):
    first = checkpoint(store)
    first.save(state(0))
    removed = []
    monkeypatch.setattr(store, "remove", removed.append)
    first.save(state(1))
    monkeypatch.undo()
    assert len(list(store.entries())) == 2
    again = checkpoint(store)
    assert number(again.load()) in (0, 1), "either is a whole state of this work"
    again.save(state(2))
    assert number(checkpoint(store).load()) == 2
    assert len(list(store.entries())) == 1


def test_a_damaged_state_is_none(store):
    checkpoint(store).save(state(0))
    (entry,) = store.entries()
    path = entry.folder / "result" / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert checkpoint(store).load() is None
    assert "is not used" in store.notices[0]


def test_anything_else_is_refused(store):
    with pytest.raises(SidelightError, match="a checkpoint keeps a state, not a Heatmap"):
        checkpoint(store).save(Heatmap(values=np.zeros((1, 2, 2), np.float32)))


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(store, monkeypatch):
    warnings = []
    full = checkpoint(store, warnings=warnings)
    full.save(state(0))

    def fail(*_):
        raise UserError("the cache cannot be written to: no space left")

    monkeypatch.setattr(store, "put", fail)
    full.save(state(1))
    assert warnings == ["no checkpoint could be kept: the cache cannot be written to: no space left"]
    monkeypatch.undo()
    assert number(checkpoint(store).load()) == 0
    full.save(state(2))
    assert number(checkpoint(store).load()) == 2


def test_saving_takes_at_most_a_percent(store, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoints, "monotonic", lambda: now[0])
    monkeypatch.setenv(checkpoints.SECONDS_VARIABLE, "10")
    slow = checkpoint(store)
    put = store.put

    def slow_put(*arguments):
        now[0] += 2
        put(*arguments)

    assert not slow.is_due()
    now[0] = 10
    assert slow.is_due()
    slow.save(state(0))
    assert not slow.is_due()
    now[0] = 20
    assert slow.is_due()
    monkeypatch.setattr(store, "put", slow_put)
    slow.save(state(1))
    now[0] = 22 + 199
    assert not slow.is_due()
    now[0] = 22 + 200
    assert slow.is_due()


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_seconds_that_are_none(store, monkeypatch, text):
    monkeypatch.setenv(checkpoints.SECONDS_VARIABLE, text)
    with pytest.raises(UserError, match="SIDELIGHT_CHECKPOINT_SECONDS"):
        checkpoint(store)


@pytest.mark.training
def test_a_fit_that_was_interrupted_continues_and_leaves_no_checkpoint(toys, tmp_path, monkeypatch, capsys):
    from sidelight_toy import behaviour

    monkeypatch.setenv(checkpoints.SECONDS_VARIABLE, "0")
    expected = toys.run(toys.small(), out=tmp_path / "whole").manifest["outputs"]
    assert [call for call in toys.calls if call.startswith("fit")] == [f"fit step {step}" for step in range(5)]
    assert main(["cache", "clear"]) == 0
    toys.calls.clear()
    called = behaviour.called

    def fail_at(what):
        called(what)
        if what == "fit step 3":
            raise RuntimeError("the power went")

    monkeypatch.setattr(behaviour, "called", fail_at)
    with pytest.raises(SidelightError, match="the power went"):
        toys.run(toys.small(), out=tmp_path / "broken")
    capsys.readouterr()
    assert main(["cache"]) == 0
    assert "toy/mean" in capsys.readouterr().out
    monkeypatch.setattr(behaviour, "called", called)
    toys.calls.clear()
    assert toys.run(toys.small(), out=tmp_path / "continued").manifest["outputs"] == expected
    assert [call for call in toys.calls if call.startswith("fit")] == ["fit step 3", "fit step 4"]
    steps = {path.read_text().split('"step": "')[1].split('"')[0] for path in tmp_path.glob("cache/v2/*/*/entry.json")}
    assert "fit" in steps
    assert "checkpoint" not in steps


def test_what_is_done_for_another_classifier_has_no_checkpoint():
    """The key is that of the recipe's component, whose training would continue it."""
    session = SimpleNamespace(device="cpu", progress=None)
    checkpoint = ComponentRun(session, component=None, is_kept=False).checkpoint("training")
    checkpoint.save(state(0))
    assert checkpoint.load() is None
    assert not checkpoint.is_due()
