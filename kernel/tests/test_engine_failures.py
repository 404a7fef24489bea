"""What fails names itself, keeps what was finished, and leaves nothing half-written."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from sidelight.cli import main
from sidelight.engine.machine import Cancellation, on_interrupt
from sidelight.engine.results import LeftOut, Run
from sidelight_specs import Cancelled, SidelightError, UserError


def failing(toys, **options):
    return toys.small(
        explainers={"bright": {"use": "toy/brightness"}, "bad": {"use": "toy/failing", "with": options}},
        renderers={"page": {"use": "toy/text"}},
    )


def leftovers(tmp_path):
    """Everything in the working folder that is not the cache."""
    return [path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "cache") and path.is_file()]


def test_an_exception_names_the_component_and_the_step(toys, tmp_path):
    with pytest.raises(SidelightError) as caught:
        toys.run(failing(toys))
    assert str(caught.value) == (
        "explainers.bad (toy/failing) failed in the step `explain questions 0 to 1`: ValueError: no such thing"
    )
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.training
def test_earlier_steps_and_shards_are_kept(toys):
    with pytest.raises(SidelightError, match="questions 2 to 3"):
        toys.run(failing(toys, image=2))
    toys.calls.clear()
    with pytest.raises(SidelightError, match="questions 4 to 5"):  # it fails at the third image that it sees again
        toys.run(failing(toys, image=2))
    assert toys.calls == ["try", "try", "try", "render"]


def test_a_users_mistake_stays_one_and_names_the_component(toys):
    with pytest.raises(UserError) as caught:
        toys.run(failing(toys, error="user"))
    assert caught.value.message == "explainers.bad (toy/failing): the mask file is missing"
    assert caught.value.fix == "Draw one."


@pytest.mark.training
def test_a_component_cannot_end_the_process(toys):
    with pytest.raises(SidelightError, match="SystemExit"):
        toys.run(failing(toys, error="exit"))


@pytest.mark.training
def test_ctrl_c_stops_at_the_next_item_and_keeps_what_was_finished(toys, tmp_path):
    before = signal.getsignal(signal.SIGINT)  # ignored where the shell has started the tests in the background
    with pytest.raises(Cancelled, match="running again continues"):
        toys.run(failing(toys, error="interrupt", image=1))
    assert toys.calls.count("try") == 2
    assert leftovers(tmp_path) == []
    toys.calls.clear()
    finished = toys.run(failing(toys, error="none"))
    assert "explain 2" not in toys.calls
    assert finished.pages[0].exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_stops_at_once():
    said = []
    cancellation = Cancellation()
    with on_interrupt(cancellation, said.append):
        signal.raise_signal(signal.SIGINT)
        assert cancellation.is_asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert "again to stop at once" in said[0]


def test_a_run_can_be_stopped_from_outside(toys):
    from sidelight.engine.api import run

    cancellation = Cancellation()
    cancellation.ask()
    with pytest.raises(Cancelled):
        run(toys.small(), progress=False, cancellation=cancellation)
    assert toys.calls == []


@pytest.mark.parametrize("role", ["data", "classifier"])
@pytest.mark.training
def test_without_images_or_classifier_the_run_ends_and_leaves_the_last_good_one(toys, role, monkeypatch):
    good = toys.run(failing(toys, error="none"), out="mine")
    before = {path: path.read_bytes() for path in good.folder.rglob("*") if path.is_file()}
    place = {"data": "sidelight_toy.data.Squares.split", "classifier": "sidelight_toy.behaviour.Mean.scores"}[role]
    monkeypatch.setattr(place, lambda *_: 1 / 0)
    with pytest.raises(SidelightError, match=f"{role} .*ZeroDivisionError"):
        toys.run({**failing(toys), "seed": 8}, set=["explain.count=5"], out="mine")
    assert {path: path.read_bytes() for path in good.folder.rglob("*") if path.is_file()} == before


def test_the_command_line_says_it_in_one_message(toys, tmp_path, capfd):
    recipe = Path("recipe.yaml")
    recipe.write_text(
        "recipe: 1\nname: bad\ndata: {use: toy/squares}\nclassifier: {use: toy/mean}\nexplainers: {use: toy/failing}\n"
    )
    assert main(["run", str(recipe)]) == 1
    error = capfd.readouterr().err
    assert error.rstrip().splitlines()[-1].startswith("error: explainers (toy/failing) failed")
    assert "Traceback" not in error
    assert json.loads(Path("runs/bad/run.json").read_text())["status"] == "failed"


@pytest.mark.training
def test_a_broken_cache_entry_is_mended_on_the_way(toys, tmp_path):
    recipe = failing(toys, error="none")
    first = toys.run(recipe)
    for document in (tmp_path / "cache" / "v2").rglob("entry.json"):
        document.write_text("{")
    again = toys.run(recipe)
    assert toys.hashes(again) == toys.hashes(first)
    noticed = [text for text in again.manifest["warnings"] if "is not used" in text]
    assert len(noticed) >= first.manifest["cache"]["made"]
    assert again.results.warnings == first.results.warnings


@pytest.mark.training
def test_entries_that_have_changed_places_are_made_anew(toys, tmp_path):
    first = toys.run()
    entries = sorted(document.parent for document in (tmp_path / "cache" / "v2").rglob("entry.json"))
    for index, entry in enumerate(entries):
        entry.rename(tmp_path / f"moved-{index}")
    for index, entry in enumerate(entries[1:] + entries[:1]):
        (tmp_path / f"moved-{index}").rename(entry)
    again = toys.run(out="again")
    assert toys.hashes(again) == toys.hashes(first)
    noticed = [text for text in again.manifest["warnings"] if "it is the entry of another key" in text]
    assert len(noticed) == len(entries) >= 23


@pytest.mark.training
def test_a_run_folder_on_a_full_disk_is_the_users_to_mend_and_costs_no_cache_entry(toys, monkeypatch, tmp_path):
    recipe = failing(toys, error="none")
    toys.run(recipe)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.copytree", full)
        with pytest.raises(UserError, match="other cannot be written: No space left on device"):
            toys.run(recipe, out="other")
    assert not (tmp_path / "other").exists()
    assert toys.run(recipe).manifest["cache"]["made"] == 0


def with_failing(toys, **sections):
    """Everything that may fail, beside one of its kind that does not."""
    good = {"total": {"use": "toy/total"}}
    return toys.small(
        explainers={"bright": {"use": "toy/brightness"}, "talk": {"use": "toy/talkative"}},
        metrics={**sections.get("metrics", {}), **good},
        renderers={**sections.get("renderers", {}), "page": {"use": "toy/text"}},
    )


@pytest.mark.training
def test_a_failing_metric_costs_nothing_but_its_own_number(toys):
    recipe = with_failing(toys, metrics={"bad": {"use": "toy/failing-metric", "with": {"of": "bright"}}})
    run = toys.run(recipe, check=False)
    assert set(run.results.measurements["total"]) == {"bright", "talk"}
    assert set(run.results.measurements["bad"]) == {"talk"}
    said = "metrics.bad (toy/failing-metric) failed in the step `measure bright`: ValueError: no such thing"
    failure = {"step": "measure metrics.bad", "component": "toy/failing-metric", "error": said}
    assert run.manifest["failures"] == [failure]
    assert run.manifest["status"] == "failed"
    assert said in run.pages[0].read_text()
    with pytest.raises(SidelightError, match="no such thing"):
        run.check()


@pytest.mark.training
def test_what_a_metric_cannot_measure_is_an_answer_and_no_error(toys):
    options = {"of": "bright", "error": "user"}
    recipe = with_failing(toys, metrics={"bad": {"use": "toy/failing-metric", "with": options}})
    run = toys.run(recipe)
    assert set(run.results.measurements["bad"]) == {"talk"}
    assert "bright is not measured: metrics.bad (toy/failing-metric): two finders" in "".join(run.results.warnings)
    assert run.manifest["status"] == "done"


def test_a_failing_renderer_costs_no_other_page_and_leaves_no_half_page(toys):
    run = toys.run(with_failing(toys, renderers={"bad": {"use": "toy/failing-page"}}), check=False)
    assert [page.parent.name for page in run.pages] == ["page"]
    assert not (run.folder / "bad").exists()
    assert "renderers.bad (toy/failing-page) failed in the step `render`" in run.manifest["failures"][0]["error"]
    assert any("renderers.bad" in text for text in run.manifest["warnings"])


@pytest.mark.training
def test_several_failures_are_one_error_that_names_all(toys):
    recipe = with_failing(
        toys,
        metrics={"bad": {"use": "toy/failing-metric", "with": {"of": "talk"}}},
        renderers={"worse": {"use": "toy/failing-page"}},
    )
    with pytest.raises(SidelightError, match=r"2 steps failed:\n  metrics.bad .*\n  renderers.worse "):
        toys.run(recipe)


def test_a_users_mistake_stays_one_when_other_steps_are_left_out_because_of_it():
    mistake, consequence = UserError("layer: no such layer"), LeftOut("a step is left out")
    with pytest.raises(UserError, match="2 steps failed"):
        Run(Path(), {}, None, [mistake, consequence]).check()
    with pytest.raises(SidelightError, match="2 steps failed") as raised:
        Run(Path(), {}, None, [SidelightError("it broke"), consequence]).check()
    assert not isinstance(raised.value, UserError)


@pytest.mark.training
def test_a_renderer_that_changes_the_results_ends_the_run(toys):
    recipe = with_failing(toys, renderers={"bad": {"use": "toy/failing-page", "with": {"how": "change"}}})
    with pytest.raises(SidelightError, match=r"renderers.bad \(toy/failing-page\) changed the results"):
        toys.run(recipe)


@pytest.mark.training
def test_a_metric_that_changes_what_it_measures_changes_nothing(toys):
    options = {"of": "bright", "error": "change"}
    changing = toys.run(with_failing(toys, metrics={"bad": {"use": "toy/failing-metric", "with": options}}))
    plain = toys.run(with_failing(toys), out="plain")
    found, expected = (run.results.measurements["total"] for run in (changing, plain))
    assert {name: item.digest() for name, item in found.items()} == {n: item.digest() for n, item in expected.items()}
    assert changing.results.explanations["bright"].digest() == plain.results.explanations["bright"].digest()


def without_answers(toys, how):
    return toys.small(
        explainers={"bright": {"use": "toy/wrong", "with": {"how": how}}}, metrics={"total": {"use": "toy/total"}}
    )


def test_a_metric_is_not_asked_about_images_without_an_answer(toys):
    run = toys.run(without_answers(toys, "first unanswered"))  # the first of each shard of two
    assert toys.calls.count("measure heatmap 2") == 1
    assert toys.calls.count("measure heatmap 1") == 1
    explanation, (item,) = run.results.explanations["bright"], run.results.measurements["total"]["bright"].items
    assert explanation.answered.tolist() == [False, True] * 3
    assert np.isnan(item.values).tolist() == [True, False] * 3
    np.testing.assert_allclose(item.values[1::2], explanation.values[1::2].sum((1, 2)))
    said = "explainers.bright (toy/wrong): 3 of 6 images have no answer: it is too dark"
    assert said in run.results.warnings
    assert run.manifest["status"] == "done"


def test_an_explanation_without_any_answer_is_told_and_not_measured(toys):
    run = toys.run(without_answers(toys, "all unanswered"))
    assert "bright" not in run.results.measurements["total"]
    assert "bright is not measured: metrics.total (toy/total): no image has an answer" in run.results.warnings
    assert run.manifest["status"] == "done"
