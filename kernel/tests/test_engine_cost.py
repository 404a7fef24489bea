"""Cost of a run, estimated by a trial: a clock that only the components' work moves makes every figure exact."""

import json

import numpy as np
import pytest
from sidelight.cli import main
from sidelight.engine import cost, cut_loops, machine, trial
from sidelight.engine.cost import TRIALS, estimate
from sidelight.engine.cut_loops import LEAST, PATIENCE, SEARCH, SHORT, Clock
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
    monkeypatch.setattr(cut_loops, "perf_counter", time)
    for module in (cost, cut_loops, trial):
        monkeypatch.setattr(module, "process_time", time)
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
    clock, seen = Clock(), []
    begun = clock.now()
    for number in clock.loop(range(1000), 1000, "steps"):
        seen.append(number)
        time.passes(5.0 if number == 0 else 0.25)  # the first one warms up
    assert len(seen) == LEAST
    assert clock.now() - begun == pytest.approx([5.0 + 999 * 0.25] * 2)
    assert (clock.cut, clock.unknown) == (1, 0)


def test_a_loop_in_a_loop_counts_as_often(time):
    clock, seen = Clock(), []
    begun = clock.now()
    for _ in clock.loop(range(50), 50, "rows"):
        for _ in clock.loop(range(200), 200, "steps"):
            seen.append(1)
            time.passes(SEARCH / 2)
    assert len(seen) == LEAST * LEAST
    assert clock.now() - begun == pytest.approx([50 * 200 * SEARCH / 2] * 2)


def test_quick_and_short_loops_are_not_cut(time):
    clock = Clock()
    assert len(list(clock.loop(range(SHORT), SHORT, "steps"))) == SHORT
    quick = 0
    for _ in clock.loop(range(10), 10, "steps"):
        quick += 1
        time.passes(SEARCH / 20)
    assert (quick, clock.cut, clock.skipped.tolist()) == (10, 0, [0.0, 0.0])


def test_a_loop_of_unknown_length_is_told(time):
    clock = Clock()
    for _ in clock.loop(iter(int, 1), None, "steps"):
        time.passes(1.0)
    assert (clock.cut, clock.unknown, clock.skipped.tolist()) == (1, 1, [0.0, 0.0])


def search(clock, time, steps, end, seconds):
    """A search with a stopping rule; gives the time that the clock counts."""
    begun = clock.now()
    for step in clock.loop(range(steps), steps, "searching"):
        time.passes(seconds)
        if step + 1 == end:
            break
    return clock.now() - begun


def test_a_search_that_stops_early_takes_what_it_took_and_at_most_all_its_steps(time):
    clock = Clock()
    assert search(clock, time, 800, 100, 0.125) == pytest.approx([100 * 0.125, 800 * 0.125])
    assert (clock.cut, clock.unknown) == (0, 0)


def test_a_search_that_is_cut_goes_as_far_as_the_one_that_was_seen_to_end(time):
    clock = Clock()
    search(clock, time, 800, 100, 0.125)
    later = Clock(clock.endings)
    assert search(later, time, 800, 200, 1.0) == pytest.approx([100.0, 800.0])
    assert (later.cut, later.unknown) == (1, 0)


def test_a_search_whose_end_nobody_sees_takes_at_least_what_was_seen(time):
    clock = Clock()
    assert search(clock, time, 800, None, 1.0) == pytest.approx([PATIENCE, 800.0])
    assert (clock.cut, clock.unknown) == (1, 1)
    assert search(Clock(clock.endings), time, 800, None, 1.0) == pytest.approx([SEARCH, 800.0])  # not waited for again


def test_searches_of_another_component_are_told_apart(time):
    clock = Clock(component="one")
    search(clock, time, 800, 100, 0.125)
    other = Clock(clock.endings, component="two")
    assert search(other, time, 800, None, 1.0) == pytest.approx([PATIENCE, 800.0])


def test_a_return_ends_a_search_too(time):
    clock = Clock()

    def first_over(limit):
        for step in clock.loop(range(800), 800, "searching"):
            time.passes(0.125)
            if step == limit:
                return step
        return None

    begun = clock.now()
    assert first_over(99) == 99
    assert clock.now() - begun == pytest.approx([100 * 0.125, 800 * 0.125])


def test_the_break_of_an_inner_loop_ends_no_outer_one(time):
    clock, seen = Clock(), []
    for step in clock.loop(range(800), 800, "rows"):
        seen.append(step)
        while True:
            time.passes(1.0)
            break
    assert len(seen) == SEARCH
    assert (clock.cut, clock.unknown) == (1, 0)


def test_items_that_are_handed_on_are_cut(time):
    clock, seen = Clock(), []

    def steps():
        yield from clock.loop(range(1000), 1000, "steps")

    for step in steps():
        seen.append(step)
        time.passes(1.0)
    assert (len(seen), clock.cut) == (PATIENCE, 1)


def test_a_training_is_cut_however_it_takes_its_items(time):
    clock, taken = Clock(is_training=True), 0
    steps = clock.loop(range(1000), 1000, "steps")
    while next(steps, None) is not None:
        time.passes(1.0)
        taken += 1
    assert (taken, clock.skipped.tolist()) == (LEAST, [1000.0 - LEAST] * 2)


def test_items_that_only_count_the_work_are_not_cut(time):
    """Without them the work would go on, and be counted twice."""
    clock, taken = Clock(), 0
    ticks = clock.loop(range(100), 100, "searching")
    while next(ticks, None) is not None:
        time.passes(1.0)
        taken += 1
    assert (taken, clock.cut) == (100, 0)


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


def test_there_is_no_trial_with_four_images_after_two_long_ones(toys, work, time, monkeypatch):
    from sidelight_toy import behaviour

    told = behaviour.called

    def called(text):
        told(text)
        time.passes(TRIALS if text.startswith("explain") else 0.0)

    monkeypatch.setattr(behaviour, "called", called)
    seconds = {step.title: step.seconds for step in estimated(toys).steps}
    assert [text for text in work if text.startswith("explain")] == ["explain 1", "explain 2"]
    assert seconds["explain explainers.bright"] == pytest.approx(TRIALS + 3.0 + 2.0 * 6)


def test_data_are_built_once_and_their_split_is_listed_once(toys, work, monkeypatch):
    """Else what they draw at the first call would count as the time of whoever calls, image by image."""
    from sidelight_toy import data

    listed, built = [], []

    class Counted(data.Squares):
        def __init__(self, params, *, run):
            super().__init__(params, run=run)
            built.append(run)

    monkeypatch.setattr(data, "called", listed.append)
    monkeypatch.setattr(data, "Squares", Counted)
    estimated(toys)
    assert listed.count("split test") == 1
    assert len(built) == 1


def test_a_question_that_the_recipe_names_is_asked_once_of_a_misclassified_image(toys, work, monkeypatch):
    from sidelight.engine import steps

    monkeypatch.setattr(steps, "expected_classes", lambda split, names: np.full(len(split), 0))
    recipe = small(toys)
    recipe["explain"]["targets"] = {"b": "a", "c": "a"}
    estimate(load_recipe(recipe, catalog=installed()))
    assert [text for text in work if text.startswith("explain")] == ["explain 1", "explain 2", "explain 4"]


@pytest.mark.parametrize("target", ["second", "all", "a"])
def test_finders_are_scaled_by_classes_and_images(toys, time, monkeypatch, target):
    from sidelight_toy import behaviour

    class Slow(behaviour.Axes):
        def find(self, latents, target):
            time.passes(10.0 + 2.0 * len(latents))
            return super().find(latents, target)

    monkeypatch.setattr(behaviour, "Axes", Slow)
    parts = {"generator": {"use": "toy/pixels"}, "inverter": {"use": "toy/flatten"}}
    recipe = small(toys, **parts, attribute_finders={"axes": {"use": "toy/axes"}})
    recipe["explain"] |= {"count": 9, "target": target}
    (found,) = [one for one in estimate(load_recipe(recipe, catalog=installed())).steps if one.title.startswith("find")]
    recipe["explain"]["if_predicted"] = "ask"
    classes = len(set(toys.run(recipe).results.targets.probe.tolist()))
    assert found.seconds == pytest.approx(classes * (10.0 + 2.0 * 9))


@pytest.mark.parametrize("target", ["second", "all", "a"])
@pytest.mark.parametrize("about", ["a class", "nothing", "an image"])
def test_what_an_explainer_keeps_counts_for_each_class_or_once_or_for_each_image(
    toys, time, monkeypatch, target, about
):
    from sidelight_toy import behaviour

    def explain(self, images, targets):
        def make():
            time.passes(10.0)
            return behaviour.State(arrays={})

        for row, probe in enumerate(targets.probe.tolist()):
            key = {"a class": ("attributes", probe), "nothing": "table", "an image": (row, images[row])}[about]
            self.run.cached(key, make)
        time.passes(2.0 * len(images))
        return behaviour.Heatmap(values=images.mean(1).numpy())

    monkeypatch.setattr(behaviour.Brightness, "explain", explain)
    recipe = small(toys)
    recipe["explain"] |= {"count": 9, "target": target, "if_predicted": "ask", "shard": 64}
    cost = estimate(load_recipe(recipe, catalog=installed()))
    seconds = {step.title: step.seconds for step in cost.steps}["explain explainers.bright"]
    begun = time()
    results = toys.run(recipe).results
    assert len(results.targets) in (9, 18)
    assert seconds == pytest.approx(time() - begun, rel=0.01)


def test_what_an_explainer_keeps_for_a_class_takes_its_place_on_the_disk_once(toys, time, monkeypatch):
    from sidelight_toy import behaviour

    def explain(self, images, targets):
        for probe in targets.probe.tolist():
            self.run.cached(("attributes", probe), lambda: behaviour.State(arrays={"x": np.zeros(1 << 20, np.float32)}))
        return behaviour.Heatmap(values=images.mean(1).numpy())

    monkeypatch.setattr(behaviour.Brightness, "explain", explain)
    recipe = small(toys)
    recipe["explain"] |= {"count": 9, "target": "second", "if_predicted": "ask"}
    cost = estimate(load_recipe(recipe, catalog=installed()))
    classes = len(set(toys.run(recipe).results.targets.probe.tolist()))
    assert classes * 4 < cost.disk / 2**20 < classes * 4 + 1


def test_where_the_system_does_not_tell_of_memory_nothing_is_made_up(toys, work, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(machine, "resource", None)
    assert estimated(toys).memory is None
    (tmp_path / "recipe.yaml").write_text(json.dumps(small(toys)))
    assert main(["check", "recipe.yaml", "--cost"]) == 0
    assert "for 6 images, memory that this system does not tell, " in capsys.readouterr().out


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


def test_metrics_of_what_could_not_be_tried_cost_at_least_the_rest(toys, work):
    explainers = {"bad": {"use": "toy/failing", "with": {"image": 0}}, "bright": {"use": "toy/brightness"}}
    steps = {
        step.title: step for step in estimated(toys, explainers=explainers, metrics={"t": {"use": "toy/total"}}).steps
    }
    assert steps["measure metrics.t"].is_least
    assert steps["measure metrics.t"].why == "without explainers.bad, which could not be tried"
    assert not steps["explain explainers.bright"].is_least


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


def test_check_says_the_most_that_a_search_takes(toys, work, time, tmp_path, capsys, monkeypatch):
    from sidelight_toy import behaviour

    def explain(self, images, targets):
        search_of(self.run.progress, time, len(images))
        return behaviour.Heatmap(values=images.mean(1).numpy())

    monkeypatch.setattr(behaviour.Brightness, "explain", explain)
    (tmp_path / "recipe.yaml").write_text(json.dumps(small(toys)))
    assert main(["check", "recipe.yaml", "--cost"]) == 0
    said, _ = capsys.readouterr()
    assert "explain explainers.bright  30 s, at most 5 min" in said
    assert "takes     about 2 min, at most 7 min on the cpu for 6 images" in said


def search_of(progress, time, images):
    for step in progress(range(1000), "searching"):
        time.passes(0.05 * images)
        if step == 99:
            break
