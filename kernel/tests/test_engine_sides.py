"""Misclassified images: explainers that answer either side are asked about the true class as well."""

import attrs
import numpy as np
import pytest
import sidelight
from sidelight_specs import SidelightError

LABELS = np.array([0, 2, 2, 0, 0, 2, 0, 1, 2])  # of the 9 test images; predicted 0, 1, 2, 0, 1, 2, ...


@pytest.fixture
def recipe(toys, monkeypatch):
    from sidelight_toy.data import Squares

    split = Squares.split

    def relabelled(self, name):
        whole = split(self, name)
        return attrs.evolve(whole, labels=LABELS) if name == "test" else whole

    monkeypatch.setattr(Squares, "split", relabelled)
    recipe = toys.small(explainers={"bright": {"use": "toy/brightness"}}, metrics={"total": {"use": "toy/total"}})
    recipe["explain"] |= {"target": "auto"}
    return recipe


def test_both_sides_are_explained(toys, recipe):
    results = toys.run(recipe).results
    assert results.contested == (1, 4)
    assert results.targets.probe[[1, 4]].tolist() == [2, 0]
    (name, other), = results.counterparts.items()  # fmt: skip
    main = results.explanations["bright"]
    assert (name, main.answers, other.answers) == ("bright", "predicted", "probe")
    assert other.values.shape == (2, 4, 4)
    # the toy adds the class that it is told as probe: asked from the other side, that is the predicted one
    images, probe, predicted = (values[[1, 4]] for values in (
        main.values, results.targets.probe, results.targets.predicted))  # fmt: skip
    np.testing.assert_allclose(other.values, images + (predicted - probe)[:, None, None], atol=1e-6)


def test_measurements_are_those_of_the_side_that_the_explainer_answers(toys, recipe):
    auto = toys.run(recipe)
    second = toys.run(recipe, set=["explain.target=second"])
    assert second.results.contested == ()
    assert second.results.counterparts == {}
    assert list(auto.results.measurements["total"]) == list(second.results.measurements["total"]) == ["bright"]
    assert len(auto.results.measurements["total"]["bright"].items[0].values) == 6


def test_what_names_a_class_gets_one_answer(toys, recipe):
    for change in ("explain.target=predicted", "explain.target=all", "explain.target=c", "explain.targets={b: c}"):
        results = toys.run(recipe, set=[change]).results
        assert (results.contested, results.counterparts) == ((), {})


def test_both_sides_survive_saving_and_the_second_run_makes_nothing(toys, recipe):
    run = toys.run(recipe)
    assert "counterparts/bright" in run.manifest["outputs"]["artifacts"]
    loaded = sidelight.load_run(run.folder).results
    assert loaded.contested == (1, 4)
    assert loaded.counterparts["bright"].digest() == run.results.counterparts["bright"].digest()
    toys.calls.clear()
    assert toys.run(recipe).manifest["cache"]["made"] == 0
    assert toys.calls == []


def test_images_without_labels_are_never_contested(toys, recipe, monkeypatch):
    from sidelight_toy.data import Squares

    split = Squares.split
    names = ("x", "y", "z")
    monkeypatch.setattr(Squares, "split", lambda self, name: attrs.evolve(split(self, name), class_names=names))
    assert toys.run(recipe).results.contested == ()


def test_an_explainer_that_ignores_the_class_is_asked_once(toys, recipe):
    recipe["explainers"]["talk"] = {"use": "toy/talkative"}
    results = toys.run(recipe).results
    assert list(results.explanations) == ["bright", "talk"]
    assert list(results.counterparts) == ["bright"]


def test_an_answer_that_is_the_same_for_both_classes_is_kept_once(toys, recipe, monkeypatch):
    from sidelight_toy.behaviour import Brightness

    explain = Brightness.explain

    def of_no_class(self, images, targets):
        return explain(self, images, attrs.evolve(targets, probe=0 * targets.probe))

    monkeypatch.setattr(Brightness, "explain", of_no_class)
    results = toys.run(recipe).results
    assert results.contested == (1, 4)
    assert results.counterparts == {}


def test_a_contrast_has_both_sides_in_it(toys, recipe, monkeypatch):
    from sidelight_toy.behaviour import Brightness

    explain = Brightness.explain
    monkeypatch.setattr(Brightness, "explain", lambda *arguments: attrs.evolve(explain(*arguments), answers="contrast"))
    results = toys.run(recipe).results
    assert results.contested == (1, 4)
    assert results.counterparts == {}


def test_where_the_other_side_fails_the_first_is_kept_and_the_failure_is_named(toys, recipe, monkeypatch):
    from sidelight_toy.behaviour import Brightness

    explain = Brightness.explain

    def failing(self, images, targets):
        if targets.predicted.tolist() == [2, 0]:
            raise RuntimeError("only of what is predicted")
        return explain(self, images, targets)

    monkeypatch.setattr(Brightness, "explain", failing)
    run = toys.run(recipe, set=["explain.shard=8"], check=False)
    assert list(run.results.explanations) == ["bright"]
    assert run.results.counterparts == {}
    with pytest.raises(SidelightError, match="only of what is predicted"):
        run.check()
