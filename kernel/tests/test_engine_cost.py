"""Cost of a run, estimated by a trial: a clock that only the components' work moves makes every figure exact."""

import json

import pytest
from sidelight.cli import main
from sidelight.engine import cost
from sidelight.engine.cost import LEAST, SEARCH, SHORT, _Clock, estimate
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_specs import SidelightError


@pytest.fixture
def time(monkeypatch):
    """Seconds, moved by hand."""

    class Time:
        now = 100.0

        def __call__(self):
            return self.now

        def passes(self, seconds):
            self.now += seconds

    time = Time()
    monkeypatch.setattr(cost, "perf_counter", time)
    monkeypatch.setattr(cost, "process_time", time)
    return time


@pytest.fixture
def work(time, toys, monkeypatch):
    """What the toys do takes time: a training step 1 s, an explanation 3 s and 2 s for each image."""
    from sidelight_toy import behaviour

    done = []

    def called(text):
        done.append(text)
        name, _, number = text.rpartition(" ")
        time.passes(
            {"fit step": 1.0, "explain": 3.0 + 2.0 * int(number or 0)}.get(name, 0.0) if number.isdigit() else 0
        )

    monkeypatch.setattr(behaviour, "called", called)
    return done


def small(toys, **changes):
    recipe = toys.small(**{"explainers": {"bright": {"use": "toy/brightness"}}, **changes})
    recipe["explain"] |= {"count": 6, "shard": 8}
    recipe["classifier"]["with"] = {"steps": 100}
    return recipe


def estimated(toys, **changes):
    recipe = small(toys, **changes)
    return estimate(load_recipe(recipe, catalog=installed()))


def test_a_loop_that_is_cut_counts_as_whole(time):
    clock, seen = _Clock(), []
    begun = clock.now()
    for number in clock.loop(range(1000), 1000):
        seen.append(number)
        time.passes(5.0 if number == 0 else 0.25)  # the first one warms up
    assert len(seen) == LEAST
    assert clock.now() - begun == pytest.approx(5.0 + 999 * 0.25)
    assert (clock.cut, clock.unknown) == (1, 0)


def test_a_loop_in_a_loop_counts_as_often(time):
    clock, seen = _Clock(), []
    begun = clock.now()
    for _ in clock.loop(range(50), 50):
        for _ in clock.loop(range(200), 200):
            seen.append(1)
            time.passes(SEARCH / 2)
    assert len(seen) == LEAST * LEAST
    assert clock.now() - begun == pytest.approx(50 * 200 * SEARCH / 2)


def test_quick_and_short_loops_are_not_cut(time):
    clock = _Clock()
    assert len(list(clock.loop(range(SHORT), SHORT))) == SHORT
    quick = 0
    for _ in clock.loop(range(10), 10):
        quick += 1
        time.passes(SEARCH / 20)
    assert (quick, clock.cut, clock.skipped) == (10, 0, 0.0)


def test_a_loop_of_unknown_length_is_told(time):
    clock = _Clock()
    for _ in clock.loop(iter(int, 1), None):
        time.passes(1.0)
    assert (clock.cut, clock.unknown, clock.skipped) == (1, 1, 0.0)


def test_training_is_extrapolated_by_steps_and_explanations_by_images(toys, work):
    found = estimated(toys)
    seconds = {step.title: step.seconds for step in found.steps}
    assert seconds["fit classifier"] == pytest.approx(100.0)
    assert seconds["explain explainers.bright"] == pytest.approx(3.0 + 2.0 * 6)
    assert found.images == 6
    assert sum(text.startswith("fit step") for text in work) == LEAST
    assert [text for text in work if text.startswith("explain")] == ["explain 1", "explain 2", "explain 4"]
    assert not any(step.is_least for step in found.steps)
    assert found.disk > 0
    assert found.memory > 0


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_images_take_what_their_trials_took(toys, work, count):
    recipe = small(toys)
    recipe["explain"]["count"] = count
    found = estimate(load_recipe(recipe, catalog=installed()))
    seconds = {step.title: step.seconds for step in found.steps}
    assert seconds["explain explainers.bright"] == pytest.approx(3.0 + 2.0 * count)


@pytest.mark.parametrize("question", [{"target": "a"}, {"target": "expected"}, {"targets": {"b": "c"}}])
def test_questions_that_few_images_raise_are_asked_of_all(toys, work, question):
    """A run of these images alone would have nothing to ask."""
    recipe = small(toys)
    recipe["explain"] |= question
    found = estimate(load_recipe(recipe, catalog=installed()))
    assert {step.title: step.seconds for step in found.steps}["explain explainers.bright"] == pytest.approx(15.0)


def test_the_store_is_read_for_models_and_never_written(toys, work):
    from sidelight.engine.store import Store

    estimated(toys)
    assert not list(Store().entries())
    toys.run(small(toys))
    entries = {entry.folder for entry in Store().entries()}
    work.clear()
    found = {step.title: step.seconds for step in estimated(toys).steps}
    assert found["fit classifier"] == 0.0
    assert not any(text.startswith("fit step") for text in work)
    assert found["explain explainers.bright"] == pytest.approx(15.0)
    assert {entry.folder for entry in Store().entries()} == entries


def test_what_cannot_be_tried_is_told_and_the_rest_is_estimated(toys, work):
    explainers = {"bad": {"use": "toy/failing", "with": {"image": 0}}, "bright": {"use": "toy/brightness"}}
    steps = {step.title: step for step in estimated(toys, explainers=explainers).steps}
    assert steps["explain explainers.bad"].is_least
    assert "no such thing" in steps["explain explainers.bad"].why
    assert steps["explain explainers.bright"].seconds == pytest.approx(15.0)


def test_a_classifier_that_diverges_after_a_cut_is_told_and_no_later_step_is_tried(toys, work):
    recipe = small(toys)
    recipe["classifier"]["with"]["task"] = "diverging"
    steps = {step.title: step for step in estimate(load_recipe(recipe, catalog=installed())).steps}
    assert steps["fit classifier"].is_least
    assert steps["fit classifier"].seconds == pytest.approx(100.0)
    assert steps["explain explainers.bright"].why == "it needs classifier, which could not be tried"
    assert not any(text.startswith("explain") for text in work)


def test_data_that_fail_are_an_error(toys, work, monkeypatch):
    from sidelight_toy import data

    def split(self, name):
        raise SidelightError("the disk is gone")

    monkeypatch.setattr(data.Squares, "split", split)
    with pytest.raises(SidelightError, match="the disk is gone"):
        estimated(toys)


def test_check_says_it(toys, work, tmp_path, capsys):
    (tmp_path / "recipe.yaml").write_text(json.dumps(small(toys)))
    assert main(["check", "recipe.yaml", "--cost"]) == 0
    said, progress = capsys.readouterr()
    assert "explain explainers.bright  15 s" in said
    assert "fit classifier             2 min" in said
    assert "takes     about 2 min on the cpu for 6 images" in said
    assert "trial with 4 of 6 images ..." in progress
