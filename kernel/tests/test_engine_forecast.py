"""Forecast of a run: the folder that it overwrites, and the steps that the store holds."""

import json
from pathlib import Path

import pytest
import sidelight
from sidelight.cli import main
from sidelight.engine.api import forecast
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
    assert (before.out, before.overwrites, before.open) == (Path("runs/toys"), "", 2)
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
    assert (found.stored, found.computed, found.open) == ((), (), 4)


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
