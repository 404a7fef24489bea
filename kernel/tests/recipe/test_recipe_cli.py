"""`sidelight check`."""

from __future__ import annotations

from pathlib import Path

import pytest
from sidelight.cli import main
from sidelight_specs.release import how_to_install

RECIPE = """\
generator: {use: gans/vae}
explainers:
  why: {use: gans/contrast}
  heat: {use: shop/occlusion, with: {patch: 4}}
metrics: {flips: {use: shop/flips}}
"""

CHECKED = """\
digits (recipe.yaml), seed 3: no mistakes found

COMPONENT        USE             VERSION  GETS                                                         GIVES
data             shop/digits     1.0
classifier       shop/lenet      1.0                                                                   trainable, \
differentiable, activations
generator        gans/vae        1.0                                                                   trainable, \
differentiable, latent.z, encoder
explainers.why   gans/contrast   1.0      classifier: classifier, generator: generator, inverter: none  counterfactual
explainers.heat  shop/occlusion  1.0      classifier: classifier                                       heatmap
metrics.flips    shop/flips      1.0                                                                   numbers about \
counterfactual

explains  up to 8 images of the split test
asks      why the predicted class and not the true one, or where it is right, the second most likely one
trains    classifier on data, unless the cache holds it
trains    generator on data, unless the cache holds it
writes    runs/digits
computes  at most 7 steps, looked up on the way
"""


@pytest.fixture
def sidelight(catalog, monkeypatch, tmp_path, working, capsys):
    """Run the command line in a folder with recipe.yaml; gives the exit code, stdout and stderr."""
    monkeypatch.setattr("sidelight.registry.catalog.installed", lambda: catalog)
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(working + RECIPE)

    def ran(*arguments):
        return main(arguments), *capsys.readouterr()

    return ran


def test_check_prints_all_that_can_be_known(sidelight):
    code, out, err = sidelight("check", "recipe.yaml")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [line.split() for line in CHECKED.splitlines()]


def test_check_with_overrides(sidelight):
    overrides = ("--set", "explain={indices: [4, 2], target: 7}", "--set", "explainers.why=null")
    code, out, _ = sidelight("check", "recipe.yaml", *overrides, "--swap", "flips=shop/deletion")
    assert code == 0
    assert "images 4, 2 of the split test" in out
    assert "why the predicted class and not 7" in out
    assert "shop/deletion" in out
    assert "gans/contrast" not in out


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("count=null", "every image of the split test"),
        ("labels=[4, nine]", "up to 8 images of the classes 4, nine of the split test"),
        ("target=all", "why the predicted class and not each of the others"),
        ("target=predicted", "why the predicted class\n"),
    ],
)
def test_check_says_what_is_explained(sidelight, setting, text):
    assert text in sidelight("check", "recipe.yaml", "--set", f"explain.{setting}")[1]


def test_mistakes_are_listed_without_a_traceback(sidelight):
    code, out, err = sidelight("check", "recipe.yaml", "--set", "explainers.heat.with.patch=0", "--swap", "why=a/b")
    assert (code, out) == (2, "")
    assert '--set explainers.heat.with.patch=0: "patch" of shop/occlusion is 0' in err
    assert '--swap why=a/b: no explainer "a/b" is installed' in err
    assert "Traceback" not in err


def test_a_missing_recipe(sidelight):
    code, _, err = sidelight("check", "recipes.yaml")
    assert code == 2
    assert 'did you mean "recipe.yaml"?' in err


def test_what_dev_brings_is_named_where_it_is_missing(sidelight):
    for command in ("schema", "new", "verify", "describe"):
        fix = how_to_install("sidelight-dev")
        missing = f'error: the command "{command}" is not installed\n  fix: {fix}\n'
        assert sidelight(command) == (2, "", missing)
