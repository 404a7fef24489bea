"""Answers of an independent classifier under a counterfactual."""

import attrs
import numpy as np
import pytest
from sidelight_report import HtmlParams
from sidelight_report.document.context import Context
from sidelight_report.document.report import document
from sidelight_specs.results import Measurement, Measurements

SURE = np.linspace(0.9, 0.6, 8)


def judgement(digits, key):
    """A judge that finds each answer of `key` to be the predicted class, image by image less surely."""
    count, found = len(digits.targets), digits.explanations[key]
    answers = np.full((count, 2, 10), 0.0, np.float32)
    answers[np.arange(count), 0, digits.targets.predicted] = 1
    answers[np.arange(count), 1, digits.targets.probe] = 1 - SURE
    answers[np.arange(count), 1, digits.targets.predicted] = SURE
    answers[~found.converged] = np.nan
    probe = Measurement(name="probe after", values=answers[np.arange(count), 1, digits.targets.probe], better="higher")
    return Measurements(items=(probe,), answers=answers)


@pytest.fixture
def judged(digits):
    return with_judge(digits, "judge")


def with_judge(digits, name):
    explained = {"needs": {"classifier": "classifier"}}
    recipe = digits.recipe | {
        "explainers": {"cdeepex": explained, "xgems": explained},
        "metrics": {"verdict": {"use": "metrics/confidence-change", "needs": {"classifier": name}}},
    }
    metric = {"verdict": {"cdeepex": judgement(digits, "cdeepex")}}
    return attrs.evolve(digits, recipe=recipe, measurements=digits.measurements | metric)


def entries(results):
    made = document(Context(results, HtmlParams()))
    return made, [card["explanations"][0] for card in made["images"]]


def test_a_judge_s_answer_stands_under_the_counterfactual(judged):
    made, cards = entries(judged)
    (judge,) = cards[0]["judges"]
    predicted = judged.class_names[judged.targets.predicted[0]]
    assert (judge["name"], judge["says"], judge["part"]) == ("judge", predicted, "predicted")
    assert judge["sure"] == pytest.approx(0.9)
    assert judge["before"][0] == 1  # the predicted class stands first
    assert judge["after"][:2] == pytest.approx([0.9, 0.1])
    assert "judges" not in cards[2]  # its search failed
    assert not [measure for measure in cards[0]["measures"] if "probe after" in measure["name"]]
    assert "probe after, by judge" in [row["name"] for row in made["table"]["rows"]]


def test_an_answer_that_turns_the_judge_or_shows_it_a_third_class_says_so(judged):
    verdict = judged.measurements["verdict"]["cdeepex"]
    answers, third = (
        verdict.answers.copy(),
        (set(range(10)) - {judged.targets.predicted[1], judged.targets.probe[1]}).pop(),
    )
    answers[0, 1] = answers[1, 1] = 0
    answers[0, 1, judged.targets.probe[0]] = answers[1, 1, third] = 1
    changed = {"verdict": {"cdeepex": attrs.evolve(verdict, answers=answers)}}
    _, cards = entries(attrs.evolve(judged, measurements=judged.measurements | changed))
    assert [cards[row]["judges"][0]["part"] for row in (0, 1)] == ["probe", "other"]
    assert cards[1]["judges"][0]["says"] == judged.class_names[third]


def test_the_explained_classifier_is_no_judge(digits):
    made, cards = entries(with_judge(digits, "classifier"))
    assert cards[0]["judges"] == []
    assert "probe after" in [row["name"] for row in made["table"]["rows"]]


@pytest.mark.browser
def test_the_page_says_what_the_judge_says(chromium, render, judged):
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(render(judged).as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    text = page.locator("#image-1 .judge p").first.text_content().replace("\u202f", " ")
    predicted = judged.class_names[judged.targets.predicted[0]]
    assert text == f"An independent classifier (judge) says: still {predicted}, 90 %"
    assert page.locator("#image-1 .judge").count() == 1
    page.close()
