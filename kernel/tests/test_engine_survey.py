"""The classifier's answers about the split, which a renderer asks for."""

import attrs
import numpy as np
import pytest
from sidelight_specs import UserError
from sidelight_specs.results import SplitPredictions, SplitValues

LABELS = np.array([0, 1, 2, 0, 2, 1, 0, 1, 1])  # predicted are 0, 1, 2, 0, 1, 2, ...: 4, 5, 8 are wrong
PREDICTIONS, WORST = "classifier/predictions on test", "classifier/worst errors on test"


def relabel(monkeypatch, labels):
    from sidelight_toy.data import Squares

    split = Squares.split

    def relabelled(self, name):
        whole = split(self, name)
        named = {"class_names": ()} if labels is None or labels.dtype.kind == "f" else {}
        return attrs.evolve(whole, labels=labels, **named) if name == "test" else whole

    monkeypatch.setattr(Squares, "split", relabelled)


@pytest.fixture
def recipe(toys, monkeypatch):
    """Three explained images of nine, and a page that shows the answers about all."""
    relabel(monkeypatch, LABELS)
    recipe = toys.small(explainers={"bright": {"use": "toy/brightness"}}, renderers={"page": {"use": "toy/survey"}})
    recipe["explain"] |= {"count": 3, "shard": 4}
    return recipe


def test_the_split_is_surveyed_and_its_worst_errors_are_kept(toys, recipe):
    run = toys.run(recipe)
    answers, worst = run.results.emitted[PREDICTIONS], run.results.emitted[WORST]
    assert isinstance(answers, SplitPredictions)
    assert (answers.index.tolist(), answers.split_size) == (list(range(9)), 9)
    np.testing.assert_array_equal(answers.predicted, np.arange(9) % 3)
    assert sorted(worst.ids) == ["test/4", "test/5", "test/8"]
    assert [f"test/{answers.index[row]}" for row in answers.worst(12)] == list(worst.ids)
    (step,) = [one for one in run.manifest["steps"] if one["step"].startswith("survey")]
    assert step["made"] > 0


def test_what_is_explained_stays_as_it_is(toys, recipe):
    plain = toys.run(recipe, set=["renderers.page.use=toy/text"])
    surveyed = toys.run(recipe)
    assert not any("survey" in one["step"] for one in plain.manifest["steps"])
    mine, theirs = (toys.hashes(one)["artifacts"] for one in (surveyed, plain))
    assert {name: mine[name] for name in theirs} == theirs
    assert sorted(mine.keys() - theirs.keys()) == [f"emitted/{PREDICTIONS}", f"emitted/{WORST}"]


def test_a_second_run_makes_nothing_and_reads_nothing(toys, recipe):
    toys.run(recipe)
    toys.calls.clear()
    assert toys.run(recipe).manifest["cache"]["made"] == 0
    assert toys.calls == []


def test_no_more_images_than_the_renderer_asks_for_drawn_at_random(toys, recipe):
    few = ["renderers.page.with.most=4"]
    answers = toys.run(recipe, set=few).results.emitted[PREDICTIONS]
    assert (len(answers), answers.split_size) == (4, 9)
    assert answers.index.tolist() != [0, 1, 2, 3]
    assert sorted(answers.index.tolist()) == answers.index.tolist()
    assert toys.run(recipe, set=few).results.emitted[PREDICTIONS].digest() == answers.digest()
    other = toys.run(recipe, set=[*few, "seed=1"]).results.emitted[PREDICTIONS]
    assert other.index.tolist() != answers.index.tolist()


def test_opting_out(toys, recipe):
    run = toys.run(recipe, set=["renderers.page.with.most=0"])
    assert not any("survey" in one["step"] for one in run.manifest["steps"])
    assert PREDICTIONS not in run.results.emitted


def test_without_labels_nobody_is_asked(toys, recipe, monkeypatch):
    toys.run(recipe, set=["renderers.page.with.most=0"])
    relabel(monkeypatch, None)
    toys.calls.clear()
    run = toys.run(recipe, set=["explain.count=2"])
    assert not {PREDICTIONS, WORST} & set(run.results.emitted)
    assert "scores 9" not in toys.calls


def test_images_that_are_chosen_by_all_answers_are_not_asked_about_again(toys, recipe):
    results = toys.run(recipe, set=["explain.choose=errors", "renderers.page.with.most=4"]).results
    assert len(results.emitted[PREDICTIONS]) == 9, "all answers are there"
    assert f"{PREDICTIONS}-2" not in results.emitted
    assert sorted(results.emitted[WORST].ids) == ["test/4", "test/5", "test/8"]
    assert toys.calls.count("scores 4") == 2
    assert "scores 9" not in toys.calls


def test_a_regression_gives_values(toys, recipe, monkeypatch):
    relabel(monkeypatch, LABELS.astype(np.float32))
    recipe["classifier"]["with"] = {"task": "regression"}
    recipe["explain"]["target"] = "auto"
    results = toys.run(recipe).results
    answers = results.emitted[PREDICTIONS]
    assert isinstance(answers, SplitValues)
    np.testing.assert_array_equal(answers.labels, LABELS)
    np.testing.assert_allclose(answers.predicted[:3], results.predictions.logits[:, 0], rtol=1e-6)
    assert len(results.emitted[WORST]) == 9
    sizes = np.abs(answers.residuals[answers.worst(12)])
    assert (np.diff(sizes) <= 0).all()


def test_a_survey_that_fails_is_a_warning(toys, recipe, monkeypatch):
    from sidelight_toy.behaviour import Mean

    scores = Mean.scores

    def failing(self, images):
        if len(images) == 9:
            raise UserError("too many images", "give fewer")
        return scores(self, images)

    monkeypatch.setattr(Mean, "scores", failing)
    run = toys.run(recipe)
    assert run.results.explanations
    assert any(text.startswith("no overview of the model: ") for text in run.results.warnings)


def test_it_is_a_step_of_its_own(toys, recipe):
    steps = {one["step"]: one for one in toys.run(recipe).manifest["steps"]}
    assert list(steps).index("survey classifier") == list(steps).index("predict classifier") + 1


def test_cost_tells_of_the_survey(toys, recipe):
    from sidelight.engine.cost import estimate
    from sidelight.recipe.load import load_recipe
    from sidelight.registry.catalog import installed

    cost = estimate(load_recipe(recipe, catalog=installed()))
    assert [step.title for step in cost.steps].count("survey classifier") == 1
