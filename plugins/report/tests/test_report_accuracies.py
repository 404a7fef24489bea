"""Accuracies of the classifiers, and the classifier of each explainer."""

import attrs
import numpy as np
import pytest
from sidelight_report import HtmlParams
from sidelight_report.document.accuracies import about, accuracies
from sidelight_report.document.context import Context
from sidelight_report.document.phrases import headline
from sidelight_report.document.report import document
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.results.run import ComponentRecord


def measured(**shares):
    named = {name.replace("_", " "): value for name, value in shares.items()}
    return Measurements(
        items=tuple(Measurement(name=name, values=np.array([value], np.float32)) for name, value in named.items())
    )


def classifier(name):
    return ComponentRecord(id=name, role="classifier", use="classifiers/lenet")


@pytest.fixture
def compared(digits):
    """Two classifiers, each explained by one explainer, and everybody asked about 8."""
    predicted = np.where(digits.targets.predicted == 8, 3, digits.targets.predicted)
    return attrs.evolve(
        digits,
        targets=attrs.evolve(digits.targets, predicted=predicted, probe=np.full(len(predicted), 8)),
        components=(*digits.components[3:], classifier("few"), classifier("many")),
        recipe={
            "explainers": {"cdeepex": {"needs": {"classifier": "few"}}, "xgems": {"needs": {"classifier": "many"}}}
        },
        emitted={
            "few/accuracy": measured(accuracy=0.9, accuracy_on_8=0.31, false_positives_of_8=0.0),
            "few/accuracy on test-square": measured(accuracy=0.2, accuracy_on_8=1.0, false_positives_of_8=0.84),
            "many/accuracy": measured(accuracy=0.98, accuracy_on_8=0.97),
            "vae/accuracy": measured(accuracy=0.5),
            "few/other": measured(accuracy=0.5),
        },
    )


def context(results):
    return Context(results, HtmlParams())


def test_one_class_asked_about_makes_the_headline_and_the_columns(compared):
    assert headline(compared) == "Why not an 8?"
    assert accuracies(context(compared)) == {
        "names": ["accuracy", "accuracy on 8", "false positives of 8"],
        "rows": [
            {"classifier": "few", "split": "test", "values": [0.9, 0.31, 0]},
            {"classifier": "few", "split": "test-square", "values": [0.2, 1, 0.84]},
            {"classifier": "many", "split": "test", "values": [0.98, 0.97, None]},
        ],
    }


def test_different_questions_leave_the_overall_accuracy(compared, digits):
    several = attrs.evolve(compared, targets=digits.targets)
    assert accuracies(context(several))["names"] == ["accuracy"]
    assert [row["values"] for row in accuracies(context(several))["rows"]] == [[0.9], [0.2], [0.98]]


def test_explainers_name_their_classifier_where_there_are_several(compared):
    told = {entry["id"]: entry["about"] for entry in document(context(compared))["explainers"]}
    assert told == {
        "cdeepex": "classifier few, accuracy on 8 31%",
        "xgems": "classifier many, accuracy on 8 97%",
        "gradients": "",
    }
    assert about(context(attrs.evolve(compared, components=(classifier("few"),))), "cdeepex") == ""


def test_a_judge_is_no_explained_classifier(digits):
    needs = {"needs": {"classifier": "classifier"}}
    recipe = digits.recipe | {"explainers": {"cdeepex": needs, "xgems": needs}}
    judged = attrs.evolve(digits, recipe=recipe, components=(*digits.components, classifier("judge")))
    assert about(context(judged), "cdeepex") == ""


def test_without_accuracies_there_is_no_table(digits):
    assert accuracies(context(digits))["rows"] == []
    assert about(context(digits), "cdeepex") == ""


@pytest.mark.browser
def test_the_page_shows_the_classifiers_and_every_map_at_a_glance(chromium, render, compared):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(render(compared).as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    cells = page.locator("#classifiers tbody tr").nth(1).locator("th, td").all_text_contents()
    assert [text.replace("\u202f", " ") for text in cells] == ["few", "test-square", "20 %", "100 %", "84 %"]
    assert page.locator(".glance tbody th").all_text_contents()[0] == "cdeepexclassifier few, accuracy on 8 31%"
    drawn = [row.locator("sl-difference, sl-heatmap").count() for row in page.locator(".glance tbody tr").all()]
    assert drawn == [7, 8, 8]  # one search failed
    assert page.locator(".glance thead a").first.get_attribute("href") == "#image-1"
    context.close()
