"""Errors of a real classifier: chosen by its answers, asked about their true class, explained from both sides."""

import json
import re

import numpy as np
import pytest
import sidelight

RECIPE = {
    "recipe": 1,
    "name": "errors",
    "data": {"use": "images/optical-digits", "with": {"size": 32}},
    "classifier": {"use": "zoo/digits-classifier"},
}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIDELIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    def go(explain, **sections):
        out = tmp_path_factory.mktemp("runs") / "run"
        return sidelight.run({**RECIPE, "explain": explain, **sections}, out=out, progress=False)

    return go


@pytest.fixture(scope="module")
def whole(run):
    """Predictions and labels of all 400 images, without any choosing; digits are their own indices."""
    results = run({"count": None, "target": "predicted"}).results
    return results.predictions.logits.astype(np.float64), results.split.labels, results.split.ids


@pytest.fixture(scope="module")
def errors(run):
    explainers = {
        "saliency": {"use": "captum/saliency"},
        "contrast": {"use": "captum/saliency", "with": {"target": "contrast"}},
    }
    explain = {"choose": "confident-errors", "count": 5}
    return run(explain, explainers=explainers, renderers={"page": {"use": "report/html"}})


def test_the_most_confident_errors(errors, whole):
    logits, labels, ids = whole
    p = np.exp(logits - logits.max(1, keepdims=True))
    confidence = (p / p.sum(1, keepdims=True)).max(1)
    wrong = np.flatnonzero(logits.argmax(1) != labels)
    expected = [ids[row] for row in wrong[np.argsort(-confidence[wrong], kind="stable")][:5]]
    assert list(errors.results.split.ids) == expected
    assert errors.results.choice == f"the 5 most confident of {len(wrong)} errors among 400 images of the split test"


def test_the_question_is_about_the_label_and_both_sides_are_answered(errors):
    results = errors.results
    assert results.targets.probe.tolist() == results.split.labels.tolist()
    assert results.contested == (0, 1, 2, 3, 4)
    assert list(results.counterparts) == ["saliency"]
    main, other = results.explanations["saliency"].values, results.counterparts["saliency"].values
    assert (np.abs(main - other).reshape(5, -1).max(1) > 0).all()


def test_the_other_side_is_what_the_explainer_says_of_the_expected_class(errors, run):
    asked = run(
        {"choose": "confident-errors", "count": 5, "target": "expected"},
        explainers={"saliency": {"use": "captum/saliency", "with": {"target": "probe"}}},
    ).results
    np.testing.assert_allclose(
        asked.explanations["saliency"].values, errors.results.counterparts["saliency"].values, rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        asked.counterparts["saliency"].values, errors.results.explanations["saliency"].values, rtol=1e-4, atol=1e-6
    )


def test_the_lowest_margins(run, whole):
    logits, _, ids = whole
    p = np.sort(np.exp(logits - logits.max(1, keepdims=True)), 1)
    margin = (p[:, -1] - p[:, -2]) / p.sum(1)
    results = run({"choose": "lowest-margin", "count": 6}).results
    assert list(results.split.ids) == [ids[row] for row in np.argsort(margin, kind="stable")[:6]]


def test_two_classes_that_are_confused(run, whole):
    logits, labels, ids = whole
    said = logits.argmax(1)
    rows = np.flatnonzero(((labels == 4) & (said == 6)) | ((labels == 6) & (said == 4)))
    results = run({"choose": {"confused": ["4", "6"]}, "count": None}).results
    assert list(results.split.ids) == [ids[row] for row in rows]


def test_the_page_says_why_these_and_how_the_classifier_does(errors, whole):
    (page,) = errors.pages
    text = page.read_text(encoding="utf-8")
    document = json.loads(re.search(r'<script type="application/json" id="document">(.*?)</script>', text, re.S)[1])
    logits, labels, _ = whole
    accuracy = (logits.argmax(1) == labels).mean()
    assert f"They are {errors.results.choice}." in document["answer"]["asked"]
    (model,) = document["overview"]
    assert model["numbers"][0]["name"] == "accuracy"
    assert model["numbers"][0]["value"] == pytest.approx(accuracy)
    assert all(card["misclassified"] for card in document["images"])
    assert all("counterpart" in card["explanations"][0] for card in document["images"])
    assert not any("counterpart" in card["explanations"][1] for card in document["images"])
