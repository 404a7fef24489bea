"""Runs whose units of work are computed by an executor: the same results, whoever computes them."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest
import sidelight
from sidelight.engine.store import Store, read_document
from sidelight.engine.units import Work, _sessions
from sidelight.recipe.model import ResolvedComponent
from sidelight_specs import SidelightError, UserError

LOCAL = {"use": "sidelight/local"}


def outcome(finished):
    """All that must not depend on the executor."""
    manifest = finished.manifest
    kept = {name: manifest[name] for name in ("outputs", "warnings", "seeds", "failures", "cache", "rendered")}
    kept = json.loads(json.dumps(kept))
    del kept["outputs"]["files"]["recipe.yaml"]  # which names it
    return kept


def processes(workers, **options):
    return {"use": "sidelight/processes", "with": {"workers": workers, **options}}


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Each call has the next runs begin with an empty store."""
    numbers = iter(range(100))
    return lambda: monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / f"cache-{next(numbers)}"))


@pytest.mark.parametrize("shard", [1, 2, 64])
def test_units_in_this_process_change_nothing(toys, fresh, shard):
    recipe = {**toys.RECIPE, "explain": {**toys.RECIPE["explain"], "shard": shard}}
    fresh()
    plain = toys.run(recipe)
    calls, _ = sorted(toys.calls), toys.calls.clear()
    fresh()
    filled = toys.run({**recipe, "executor": LOCAL})
    assert outcome(filled) == outcome(plain)
    assert sorted(toys.calls) == calls, "nothing is computed twice"
    assert filled.manifest["workers"]["made"] > 5
    again = toys.run({**recipe, "executor": LOCAL})
    assert again.manifest["workers"]["made"] == again.manifest["cache"]["made"] == 0
    assert outcome(again)["outputs"] == outcome(plain)["outputs"]


@pytest.mark.processes
@pytest.mark.parametrize(
    "workers", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)]
)
def test_worker_processes_change_nothing(toys, fresh, workers):
    fresh()
    plain = toys.run()
    fresh()
    toys.calls.clear()
    filled = toys.run({**toys.RECIPE, "executor": processes(workers)})
    assert outcome(filled) == outcome(plain)
    assert not any(call.startswith(("explain", "find", "measure", "invert")) for call in toys.calls)


BRIGHT = {"use": "toy/brightness"}
FAILURES = {
    "an error": {"explainers": {"bad": {"use": "toy/failing"}, "bright": BRIGHT}},
    "the user's mistake": {
        "explainers": {"bad": {"use": "toy/failing", "with": {"error": "user"}}, "talk": {"use": "toy/talkative"}}
    },
    "an invalid answer": {"explainers": {"bad": {"use": "toy/wrong", "with": {"how": "NaN"}}}},
    "a disturbance": {
        "generator": {"use": "toy/pixels"},
        "explainers": {"bad": {"use": "toy/vandal"}, "bright": BRIGHT},
    },
    "what cannot be measured": {
        "explainers": {"bright": BRIGHT, "talk": {"use": "toy/talkative"}},
        "metrics": {"bad": {"use": "toy/failing-metric", "with": {"of": "talk", "error": "user"}}},
    },
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("executor", [LOCAL, pytest.param(processes(1), marks=pytest.mark.processes)])
def test_failures_are_told_as_ever(toys, fresh, name, executor):
    recipe = toys.small(**FAILURES[name])
    fresh()
    plain = toys.run(recipe, check=False)
    fresh()
    filled = toys.run({**recipe, "executor": executor}, check=False)
    assert outcome(filled) == outcome(plain)
    for error, expected in zip(filled.errors, plain.errors, strict=True):
        assert type(error) is type(expected)
        assert "Traceback" in str(error.__cause__)


@pytest.mark.processes
def test_a_unit_that_ends_its_worker_is_told_once_and_costs_no_other(toys):
    explainers = {"bad": {"use": "toy/failing", "with": {"error": "kill"}}, "bright": {"use": "toy/brightness"}}
    executor = processes(2, retries=1)
    finished = toys.run(toys.small(explainers=explainers, executor=executor), set=["explain.shard=6"], check=False)
    (error,) = finished.errors
    assert "explainers.bad (toy/failing) failed in the step `explain questions 0 to 5`" in str(error)
    assert "it ended 2 worker processes, the last by SIGKILL" in str(error)
    assert list(finished.results.explanations) == ["bright"]


@pytest.mark.processes
def test_live_objects_are_refused_with_the_cure(toys):
    torch = pytest.importorskip("torch")
    recipe = toys.small(executor=processes(2), classifier=torch.nn.Flatten())
    with pytest.raises(SidelightError, match="save the model or the images to files"):
        toys.run(recipe)


def test_the_executor_is_named_in_short(toys):
    finished = toys.run(toys.small(explainers={"bright": {"use": "toy/brightness"}}), executor="local")
    assert finished.manifest["workers"]["made"] == 6
    with pytest.raises(SidelightError, match='no executor "nowhere/some" is installed'):
        sidelight.run(toys.small(), executor="nowhere/some", progress=False)
    with pytest.raises(SidelightError, match="workers"):
        sidelight.run(toys.small(), executor="local", workers=2, progress=False)
    with pytest.raises(UserError, match='no executor "processs" is installed') as raised:
        sidelight.run(toys.small(), executor="processs", progress=False)
    assert raised.value.fix == 'did you mean "processes"?'
    with pytest.raises(UserError, match="there is no executor") as raised:
        sidelight.run(toys.small(), workers=2, progress=False)
    assert "processes" in raised.value.fix


@pytest.mark.parametrize("argument", ["--workers=0", "--threads=-1", "--workers=x"])
def test_a_number_of_workers_is_asked_for_in_words(argument, capsys):
    from sidelight.cli import main

    assert main(["run", "recipe.yaml", argument]) == 2
    assert "is no whole number above 0" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_to_is_named(toys, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"the cache .*file cannot be written to"):
        toys.run(toys.small(executor=LOCAL))


def test_an_executor_that_does_not_close_costs_no_result(toys, monkeypatch, capsys):
    def fail(self):
        raise OSError("no route to host")

    monkeypatch.setattr("sidelight.executors.local.Local.close", fail)
    toys.run(toys.small(executor=LOCAL), progress=True)
    assert "warning: executor (sidelight/local) did not end its workers: OSError: no route" in capsys.readouterr().err


def test_a_worker_that_outlives_a_run_lets_go_of_its_models(toys, fresh, monkeypatch, tmp_path):
    with ThreadPoolExecutor(1) as worker:
        monkeypatch.setattr(
            "sidelight.executors.local.Local.map",
            lambda self, work, units: ((place, worker.submit(work, unit).result()) for place, unit in enumerate(units)),
        )
        other = Work("{}", "of a run that goes on", "cpu", 1, *[str(tmp_path)] * 3, "here")
        worker.submit(lambda: _sessions().update({other: None})).result()
        for _ in range(2):
            fresh()
            assert toys.run(toys.small(explainers={"bright": BRIGHT}, executor=LOCAL)).manifest["workers"]["made"] == 6
            kept = worker.submit(lambda: list(_sessions())).result()
            assert len(kept) == 2
            assert other in kept


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """The local executor computes in another thread, which does not see the run's cache and has a store of its own."""
    with ThreadPoolExecutor(1) as worker:

        def compute(work, unit):
            away = attrs.evolve(work, store=str(tmp_path / "gone"), mark=str(tmp_path / "gone" / "mark"))
            return away(unit)

        def submit(self, work, units):
            with monkeypatch.context() as patch:
                patch.setattr("sidelight.engine.store.cache_folder", lambda: tmp_path / "elsewhere")
                for place, unit in enumerate(units):
                    yield place, worker.submit(compute, work, unit).result()

        monkeypatch.setattr("sidelight.executors.local.Local.map", submit)
        yield tmp_path / "elsewhere"


@pytest.mark.parametrize("shard", [2, 64])
def test_a_worker_that_does_not_see_the_cache_sends_entries_and_gets_what_was_learned(toys, fresh, elsewhere, shard):
    recipe = {**toys.RECIPE, "explain": {**toys.RECIPE["explain"], "shard": shard}}
    fresh()
    plain = toys.run(recipe)
    toys.calls.clear()
    fresh()
    filled = toys.run({**recipe, "executor": LOCAL})
    assert outcome(filled) == outcome(plain)
    assert toys.calls.count("fit step 0") == 1, "in the run's process alone"
    assert filled.manifest["workers"]["made"] > 5
    assert filled.manifest["workers"]["failed"] == 0
    steps = [json.loads(one.folder.joinpath("entry.json").read_text())["step"] for one in Store(elsewhere).entries()]
    assert steps.count("fit") == 1


def test_what_was_learned_is_not_sent_where_it_is_too_large(toys, fresh, elsewhere, monkeypatch):
    monkeypatch.setattr("sidelight.engine.parcels.MOST", 10)
    fresh()
    with pytest.raises(UserError, match="MB of learned weights are too many") as raised:
        toys.run(toys.small(executor=LOCAL))
    assert raised.value.fix == "set SIDELIGHT_CACHE to a folder that all workers share"


def test_progress_counts_the_units_of_like_steps_together(toys, monkeypatch, capsys):
    monkeypatch.setattr("sidelight.engine.progress.PAUSE", 0.0)
    explainers = {"bright": BRIGHT, "talk": {"use": "toy/talkative"}}
    toys.run(toys.small(explainers=explainers, executor=LOCAL), progress=True)
    told = [line for line in capsys.readouterr().err.splitlines() if "units of work" in line]
    assert [line.split(", about")[0].strip() for line in told] == [
        *(f"units of work: {done} of 3" for done in (1, 2, 3)),  # predictions
        *(f"units of work of 2 steps: {done} of 6" for done in range(1, 7)),  # of both explainers
    ]


# the toys' six images are three different ones: three units of single images, and three of pairs
@pytest.mark.parametrize(("shard", "explained"), [(1, 3), (2, 0)])
def test_what_cuts_its_own_work_is_cut_by_images_where_a_shard_has_one(toys, monkeypatch, shard, explained):
    provides = ResolvedComponent.provides.fget
    mapping = property(lambda one: (*provides(one), "maps") if one.use == "toy/brightness" else provides(one))
    monkeypatch.setattr(ResolvedComponent, "provides", mapping)
    recipe = toys.small(explainers={"bright": BRIGHT}, executor=LOCAL)
    recipe["explain"] |= {"count": 6, "shard": shard}
    predicted = 3
    assert toys.run(recipe).manifest["workers"]["made"] == predicted + explained


@pytest.mark.parametrize(("shard", "workers", "expected"), [(64, 2, 3), (64, 4, 2), (2, 2, None), (64, None, None)])
def test_a_shard_that_leaves_workers_idle_is_told_once(toys, monkeypatch, capsys, shard, workers, expected):
    monkeypatch.setattr("sidelight.engine.steps.LONG", 0.0)
    monkeypatch.setattr("sidelight.executors.local.Local.workers", workers, raising=False)
    toys.run(toys.small(explainers={"bright": BRIGHT}, executor=LOCAL), set=[f"explain.shard={shard}"], progress=True)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]
    assert len(told) == (expected is not None)
    for line in told:
        assert f"note: 1 of {workers} workers had something to do" in line
        assert f"explain.shard={expected} shares it out" in line


def test_an_executor_that_fails_is_named(toys, monkeypatch):
    def break_down(self, work, units):
        yield None
        raise RuntimeError("no room")

    monkeypatch.setattr("sidelight.executors.local.Local.map", break_down)
    with pytest.raises(SidelightError, match=r"executor \(sidelight/local\) failed: RuntimeError: no room"):
        toys.run(toys.small(executor=LOCAL))


def test_a_recipe_has_one_executor(toys):
    with pytest.raises(SidelightError, match="one executor"):
        toys.run(toys.small(executor={"a": LOCAL, "b": LOCAL}))


def workers_of(process):
    """Worker processes below one, by /proc."""
    children = Path("/proc", str(process), "task", str(process), "children").read_text().split()
    found = [child for child in children if b"executors.processes" in Path("/proc", child, "cmdline").read_bytes()]
    return found + [worker for child in children if child not in found for worker in workers_of(child)]


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_run(toys, tmp_path, number):
    """At the first Ctrl-C, though a unit is under way; and when the command is killed."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps({**toys.SMALL, "explainers": {"bright": BRIGHT, "talk": {"use": "toy/talkative"}}}))
    path = [str(Path(toys.__file__).parent), os.environ.get("PYTHONPATH")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    command = [sys.executable, "-m", "sidelight", "run", str(recipe), "--executor", "processes", "--workers", "2"]
    with subprocess.Popen([*command, "--quiet"], env=environment, cwd=tmp_path, stderr=subprocess.PIPE) as run:
        while not (workers := workers_of(run.pid)):
            assert run.poll() is None
            time.sleep(0.02)
        run.send_signal(number)
        _, said = run.communicate()
    assert run.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), said
    while any(Path("/proc", worker).exists() for worker in workers):  # a parent that was killed left them to init
        time.sleep(0.05)


@pytest.mark.processes
def test_a_run_says_for_whom_its_workers_wait(toys, fresh, capfd):
    recipe = toys.small(explainers={"bright": {"use": "toy/brightness"}})
    fresh()
    toys.run(recipe)
    documents = [read_document(entry.folder) for entry in Store().entries()]
    key = next(one["key"] for one in documents if one["component"] == "toy/brightness" and one.get("within"))
    fresh()
    holding, store = threading.Event(), Store()

    def hold():
        with store.alone(key, lambda *_: None):
            holding.set()
            while not list(store.root.glob("temporary/*/*/waits-*")):
                time.sleep(0.05)
            time.sleep(1)  # for the run to read it

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    toys.run({**recipe, "executor": processes(1)}, progress=True)
    thread.join()
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("worker ")]
    assert re.fullmatch(
        rf"worker \d+: waiting for process {os.getpid()}, which makes explain explainers.bright", said[0]
    )
    assert re.fullmatch(rf"worker \d+: waited [\d.]+ s for process {os.getpid()}: explain explainers.bright", said[1])
