"""Forecast of a run: the folder that it overwrites, and the steps that the store holds."""

import json
from pathlib import Path

import pytest
import sidelight
from sidelight.cli import main
from sidelight.engine.forecast import forecast
from sidelight.engine.machine import arithmetic
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_specs import UserError


@pytest.fixture
def recipe(toys):
    return toys.small(explainers={"bright": {"use": "toy/brightness"}})


@pytest.fixture
def ahead(recipe):
    def told(out=None, **options):
        return forecast(load_recipe(recipe, catalog=installed(), **options), out)

    return told


def test_nothing_is_stored_before_and_what_was_made_after(toys, recipe, ahead):
    before = ahead()
    assert (before.stored, before.computed) == ((), ("read data", "fit classifier"))
    assert (before.out, before.overwrites, len(before.open)) == (Path("runs/toys"), "", 2)
    toys.run(recipe)
    after = ahead()
    assert (after.stored, after.computed) == (("read data", "fit classifier"), ())
    assert after.overwrites.startswith("20")


def test_a_change_is_seen(toys, recipe, ahead):
    toys.run(recipe)
    other = ahead(set=["classifier.with.steps=6", "explain.count=5"])
    assert other.computed == ("read data", "fit classifier")
    assert ahead(set=["explain.count=5"]).stored == ("fit classifier",)


def test_of_data_that_do_not_tell_nothing_is_said(ahead, tmp_path):
    (tmp_path / "content").write_text("one")
    found = ahead(set=[f"data.with.file={tmp_path / 'content'}"])
    assert (found.stored, found.computed, len(found.open)) == ((), (), 4)


def test_a_folder_of_something_else_is_refused_as_by_a_run(toys, recipe, ahead, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(UserError, match="no Sidelight run"):
        ahead(out="thesis")
    with pytest.raises(UserError, match="no Sidelight run"):
        toys.run(recipe, out="thesis")


def test_check_says_it(recipe, tmp_path, capsys):
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    finished = sidelight.run("recipe.yaml", progress=False)
    capsys.readouterr()
    assert main(["check", "recipe.yaml"]) == 0
    said = capsys.readouterr().out
    assert f"writes    runs/toys, over the run finished {finished.manifest['finished']}" in said
    assert "explains  6 of the 9 images of the split test" in said
    assert "trains    classifier on data: done, in the cache" in said
    assert "cached    read data, fit classifier (on the cpu)" in said
    assert "computes  at most 2 steps, looked up on the way" in said


def test_a_run_repeats_the_warnings_of_a_check(toys, recipe, monkeypatch):
    import sidelight_toy
    from sidelight_specs.facts import Mistake

    monkeypatch.setattr(
        sidelight_toy.SquaresDescriptor, "mistakes", lambda *_: [Mistake("small", "use more", "size", refused=False)]
    )
    finished = toys.run(recipe)
    assert [text for text in finished.manifest["warnings"] if "small" in text] == [
        'the recipe given as a dict, at data.use: "size" of toy/squares: small; use more'
    ]


def test_steps_that_were_timed_are_told_with_their_times(toys, recipe, ahead):
    assert ahead().seconds == {}
    toys.run(recipe)
    known = ahead().seconds
    assert set(known) == {"read data", "fit classifier", "predict classifier", "explain explainers.bright"}
    other = ahead(set=["explain.count=3", "seed=9"])  # other images of the same, by a model of the same kind
    assert other.seconds["explain explainers.bright"] == pytest.approx(known["explain explainers.bright"] / 2)
    assert other.seconds["fit classifier"] == known["fit classifier"]
    assert other.lines[-1].startswith("takes     at most about ")
    assert other.lines[-1].endswith(" by earlier times of these steps")
    assert "fit classifier" not in ahead(set=["classifier.with.steps=6"]).seconds


def test_times_of_a_run_with_other_arithmetic_are_not_told(toys, recipe, ahead, monkeypatch):
    """Compiling takes minutes, which a run without it does not have ahead."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "kept")
    toys.run(recipe, compile=True)
    assert ahead().seconds == {}
    with arithmetic(compile=True):
        assert ahead().seconds


def test_times_of_what_is_stored_are_not_forgotten(toys, recipe, ahead):
    toys.run(recipe)
    known = ahead().seconds
    toys.run(recipe)
    assert ahead().seconds == known


def test_a_trial_tells_its_times_but_those_of_models_that_are_stored(toys, recipe, ahead):
    from sidelight.engine.cost import estimate

    toys.run(recipe)
    trained = ahead().seconds["fit classifier"]
    cost = estimate(load_recipe(recipe, catalog=installed()))
    known = ahead().seconds
    assert known["explain explainers.bright"] in [step.seconds for step in cost.steps]
    assert known["fit classifier"] == trained


@pytest.mark.parametrize(
    "content", ["", "[1]", '{"a": 1}', '{"a": [NaN, 1], "b": [1.0, 0]}', f'{{"a": [{10**400}, 1]}}']
)
def test_damaged_times_are_passed_over(toys, recipe, ahead, content):
    from sidelight.engine.store import Store

    Store().root.mkdir(parents=True, exist_ok=True)
    (Store().root / "times.json").write_text(content)
    assert ahead().seconds == {}
    toys.run(recipe)
    assert ahead().seconds


def test_a_run_says_what_is_ahead(recipe, tmp_path, capsys, monkeypatch):
    from sidelight.engine import progress

    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    sidelight.run("recipe.yaml")
    first = capsys.readouterr().err.splitlines()
    assert first[0] == "computes  read data, fit classifier; at most 2 further steps, looked up on the way"
    monkeypatch.setattr(progress, "LONG", 0.0)
    sidelight.run("recipe.yaml", set="explain.count=5")
    again = capsys.readouterr().err.splitlines()
    assert again[0] == "cached    fit classifier (on the cpu)"
    assert again[2].startswith("takes     at most about ")
    assert any(line.startswith("[4/4] explain explainers.bright, about ") for line in again)
