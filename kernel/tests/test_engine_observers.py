"""Observers hear of a run as it goes on; one that fails costs the run nothing."""

import json
from contextlib import contextmanager

import pytest
from sidelight.registry.load import Observers
from sidelight_specs import SidelightError, UserError, hookimpl


class Listener:
    def __init__(self):
        self.heard = []

    @hookimpl
    def sidelight_recipe_resolved(self, recipe):
        self.heard.append(("recipe", recipe.name, recipe.seed, recipe.recipe["data"]["use"]))

    @hookimpl
    def sidelight_run_started(self, run):
        self.heard.append(("started", len(run.steps), run.errors))

    @hookimpl
    def sidelight_step_started(self, step):
        self.heard.append(("begins", step.title))

    @hookimpl
    def sidelight_step_finished(self, step, cached, error, made):
        self.heard.append(("step", step.title, cached, error, made))

    @hookimpl
    def sidelight_artifact_saved(self, name, key, artifact, digest, path):
        assert "/".join(key) == name
        assert digest == artifact.digest()
        assert (path / "artifact.json").is_file()
        self.heard.append(("saved", name, artifact.kind))

    @hookimpl
    def sidelight_run_finished(self, run):
        manifest = json.loads((run.folder / "run.json").read_text())
        self.heard.append(("finished", manifest["status"], run.errors))


class Failing:
    def __init__(self, error):
        self.error, self.told = error, 0

    @hookimpl
    def sidelight_step_finished(self, step):
        self.told += 1
        raise self.error


@pytest.fixture
def observed(monkeypatch):
    """Add observers as if a plugin had brought them."""

    def add(*observers):
        def add_all(self, catalog):
            for number, observer in enumerate(observers):
                self.add(observer, f"toy/observer-{number}")

        monkeypatch.setattr(Observers, "add_installed", add_all)

    return add


def test_an_observer_hears_of_everything_in_order(toys, observed):
    listener = Listener()
    observed(listener)
    recipe = toys.small(explainers={"bright": {"use": "toy/brightness"}}, renderers={"page": {"use": "toy/text"}})
    toys.run(recipe)
    titles = ["read data", "fit classifier", "predict classifier", "explain explainers.bright", "render renderers.page"]
    assert listener.heard[:2] == [("recipe", "toys", 7, "toy/squares"), ("started", 5, ())]
    steps = [("step", title, False, "", 3 if "ea" not in title and "fit" not in title else 1) for title in titles]
    assert [event[:2] for event in listener.heard if event[0] == "begins"] == [("begins", title) for title in titles]
    assert [event[:4] for event in listener.heard if event[0] == "step"] == [event[:4] for event in steps]
    saved = {event[1]: event[2] for event in listener.heard if event[0] == "saved"}
    assert saved["explanations/bright"] == "heatmap"
    assert saved["emitted/classifier/training"] == "state"
    assert listener.heard[-1] == ("finished", "done", ())
    listener.heard.clear()
    toys.run(recipe)
    assert all(event[2] for event in listener.heard if event[0] == "step"), "all came from the store"


@pytest.mark.parametrize("error", [ValueError("no disk"), SystemExit(3), UserError("no server")])
def test_an_observer_that_raises_is_named_once_and_costs_nothing(toys, observed, error):
    failing, listener = Failing(error), Listener()
    observed(failing, listener)
    run = toys.run()
    assert failing.told == 1
    assert run.manifest["status"] == "done"
    assert len([text for text in run.manifest["warnings"] if "observer toy/observer-0 raised" in text]) == 1
    assert listener.heard[-1] == ("finished", "done", ())


def test_an_observer_hears_of_failures(toys, observed):
    listener = Listener()
    observed(listener)
    recipe = toys.small(explainers={"bad": {"use": "toy/failing"}}, renderers={"page": {"use": "toy/text"}})
    with pytest.raises(SidelightError, match="no such thing"):
        toys.run(recipe)
    (failed,) = [event for event in listener.heard if event[0] == "step" and event[3]]
    assert failed[1] == "explain explainers.bad"
    assert "no such thing" in failed[3]
    assert listener.heard[-1][1] == "failed"
    assert "no such thing" in listener.heard[-1][2][0]


def test_an_observer_under_way_is_named_to_the_supervising_process(toys, observed, monkeypatch):
    named = []

    @contextmanager
    def doing(text, limit=0):
        named.append(text)
        yield

    monkeypatch.setattr("sidelight.registry.load.doing", doing)
    observed(Listener())
    toys.run(toys.small(renderers={"page": {"use": "toy/text"}}))
    assert "observer toy/observer-0, told of run_finished" in named
