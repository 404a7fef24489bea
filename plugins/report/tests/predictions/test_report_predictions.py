"""Questions about predictions: balanced, the same for everybody, and never with a hint."""

import base64
import io

import attrs
import numpy as np
import pytest
from PIL import Image
from sidelight_report.user_study.predictions import predictions
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun

PAIRS = 4  # of each of the three images


def drawn(results, chosen=(), count=20, seed=0):
    return predictions(results, chosen, count, np.random.default_rng(seed))


def pixels(uri):
    return np.moveaxis(np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))), 2, 0)


def test_either_side_is_right_equally_often_and_images_are_asked_about_evenly(quiz_results):
    questions = drawn(quiz_results, count=10).questions
    assert sum(one.swapped for one in questions) == 5
    assert sorted(np.bincount([one.row for one in questions])) == [3, 3, 4]
    keys = {(one.row, one.pair) for one in questions}
    assert len(keys) == 10
    assert [one.row for one in questions] != sorted(one.row for one in questions)


def test_the_seed_fixes_the_questions(quiz_results):
    def order(seed):
        return [(one.row, one.pair, one.swapped) for one in drawn(quiz_results, seed=seed).questions]

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert len(order(0)) == 3 * PAIRS  # fewer than 20: all of them


def test_pairs_that_two_metrics_emitted_are_asked_once(quiz_results):
    one = quiz_results.emitted["quiz/queries"]
    again = attrs.evolve(quiz_results, emitted={"a": one, "b": one.select(range(3))})
    assert len(drawn(again).questions) == 3 * PAIRS


def test_images_that_one_explanation_has_no_answer_for_are_left_out_for_all(unanswered):
    asked = drawn(unanswered)
    assert {one.row for one in asked.questions} == {2}
    assert "first is not asked about: no answer from sag" in asked.notes
    assert "second is not asked about: no answer from xgems" in asked.notes
    assert {one.row for one in drawn(unanswered, ["grad-cam"]).questions} == {0, 1, 2}


def test_images_without_queries_are_named(quiz_results):
    queries = quiz_results.emitted["quiz/queries"].select(range(2 * PAIRS))
    few = attrs.evolve(quiz_results, emitted={"queries": queries})
    assert drawn(few).notes == ["no two versions of third differ in the answer, so nothing is asked about it"]


def test_an_explanation_that_the_run_does_not_have_is_refused(quiz_results):
    with pytest.raises(UserError, match='no explanation "sga"; known are sag, grad-cam, xgems'):
        drawn(quiz_results, ["sga"])


def test_an_explanation_of_the_class_asked_about_is_no_condition(quiz_results):
    given = dict(quiz_results.explanations)
    given["grad-cam"] = attrs.evolve(given["grad-cam"], answers="probe")
    asked = drawn(attrs.evolve(quiz_results, explanations=given))
    assert asked.conditions == ["sag", "xgems"]
    assert asked.notes == ["not shown to anybody, because not about the predicted class: grad-cam"]
    assert len(asked.questions) == 3 * PAIRS


def test_no_explainer_takes_the_name_of_the_condition_without_one(quiz_results):
    given = {"none" if name == "sag" else name: one for name, one in quiz_results.explanations.items()}
    with pytest.raises(UserError, match='an explainer is called "none"'):
        drawn(attrs.evolve(quiz_results, explanations=given))


def test_the_page_shows_the_pixels_that_were_judged(quiz_results, write, tmp_path):
    _, content = write(quiz_results, tmp_path)
    queries = quiz_results.emitted["quiz/queries"]
    stored = {one.tobytes() for pair in queries.versions for one in pair}
    for question in content["predict"]:
        shown = [pixels(one["src"]) for one in question["versions"]]
        assert {one.tobytes() for one in shown} <= stored
        right = question["correct"]
        assert question["probabilities"] == [[0.8, 0.1], [0.1, 0.8]][right]
        assert question["answers"][right] == content["images"][question["image"]]["class"] == "cat"
        assert {5, 6} <= set(question["visible"][right])
    assert [one["name"] for one in content["conditions"]] == ["sag", "grad-cam", "xgems"]


def test_a_graph_keeps_the_question_in_view(quiz_results, write, tmp_path):
    """Roots and what they lose first; the deeper nodes are counted."""
    _, content = write(quiz_results, tmp_path)
    entry = content["images"][0]["explanations"][0]
    assert [node["depth"] for node in entry["nodes"]] == [0, 1, 1]
    assert [node["children"] for node in entry["nodes"]] == [[1, 2], [], []]
    assert entry["left_out"] == 1


def test_the_same_run_gives_the_same_page_and_another_seed_another_study(quiz_results, write, tmp_path):
    (first, content), (again, _) = (write(quiz_results, tmp_path) for _ in range(2))
    assert first.read_bytes() == again.read_bytes()
    assert write(quiz_results, tmp_path, run=ToyRun(seed=2))[1]["study"] != content["study"]


def test_a_run_with_nothing_to_ask_says_what_to_add(quiz_results, write, tmp_path):
    run = ToyRun()
    _, content = write(attrs.evolve(quiz_results, emitted={}), tmp_path, run=run)
    assert content["predict"] == content["conditions"] == []
    assert any("nothing to ask" in text and "structured/simulatability" in text for text in run.warnings)
