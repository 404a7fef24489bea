"""The model overview: its numbers against scikit-learn and closed forms, its findings, its errors."""

import json
import tracemalloc

import attrs
import numpy as np
import pytest
from sidelight_report import HtmlParams
from sidelight_report.document.calibration import MOST_BINS, calibration
from sidelight_report.document.context import Context
from sidelight_report.document.overview import balanced_accuracy, confusion, overview, r_squared, suspected_labels
from sidelight_report.document.report import document
from sidelight_specs.intervals import student_interval, wilson_interval
from sidelight_specs.results import Split, SplitPredictions, SplitValues
from sidelight_specs.results.question import softmax
from sidelight_specs.testing import toy_results

NAMES = ("rows", "columns", "third")
PREDICTIONS, WORST = "classifier/predictions on test", "classifier/worst errors on test"


def synthetic(count=400, classes=3, seed=0, sharpness=2.0):
    """Logits, labels and a split without images worth looking at."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(size=(count, classes)).astype(np.float32) * 2
    logits[np.arange(count), labels] += sharpness
    names = tuple(f"class {k}" for k in range(classes)) if classes > 3 else NAMES[:classes]
    images = rng.random((count, 1, 8, 8)).astype(np.float32)
    ids = tuple(f"test/{row}" for row in range(count))
    return logits, Split(images=images, labels=labels, class_names=names, ids=ids), names


def told(artifact, worst=None, results=None, options=None, **changes):
    results = results or toy_results()
    emitted = {PREDICTIONS: artifact, **({} if worst is None else {WORST: worst})}
    changed = attrs.evolve(results, emitted=emitted, class_names=getattr(artifact, "class_names", ()), **changes)
    content = document(Context(changed, HtmlParams(**(options or {}))))
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    return content["overview"]


def section(logits, split, names, size=None, **changes):
    (one,) = told(SplitPredictions.of(logits, split, np.arange(len(split)), names, size), **changes)
    return one


def valued(one):
    return {item["name"]: item for item in one["numbers"]}


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_numbers_are_those_of_scikit_learn(classes):
    from sklearn import metrics

    logits, split, names = synthetic(classes=classes)
    labels, predicted, shares = split.labels, logits.argmax(1), softmax(logits)
    one = section(logits, split, names)
    numbers = valued(one)
    expected = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "Brier score": ((shares - np.eye(classes)[labels]) ** 2).sum(1).mean(),
        "log loss": metrics.log_loss(labels, shares, labels=range(classes)),
    }
    for name, value in expected.items():
        assert numbers[name]["value"] == pytest.approx(value, rel=1e-3), name
    if classes == 2:  # the sum over two classes is twice scikit-learn's
        assert numbers["Brier score"]["value"] == pytest.approx(
            2 * metrics.brier_score_loss(labels, shares[:, 1]), rel=1e-3
        )
    assert one["matrix"]["counts"] == metrics.confusion_matrix(labels, predicted).tolist()
    precision, recall, _, count = metrics.precision_recall_fscore_support(labels, predicted)
    assert [row["recall"][0] for row in one["classes"]] == pytest.approx(recall, rel=1e-3)
    assert [row["precision"][0] for row in one["classes"]] == pytest.approx(precision, rel=1e-3)
    assert [row["count"] for row in one["classes"]] == count.tolist()


def test_intervals_are_wilsons_and_students():
    logits, split, names = synthetic()
    one = section(logits, split, names)
    right = (logits.argmax(1) == split.labels).sum()
    assert valued(one)["accuracy"]["interval"] == pytest.approx(wilson_interval(float(right), 400), rel=1e-3)
    row = one["classes"][0]
    hits = int(((logits.argmax(1) == 0) & (split.labels == 0)).sum())
    assert row["recall"][1:] == pytest.approx(wilson_interval(hits, row["count"]), rel=1e-3)
    loss = -np.log(softmax(logits)[np.arange(400), split.labels])
    assert valued(one)["log loss"]["interval"] == pytest.approx(student_interval(loss), rel=1e-3)


def test_the_interval_of_balanced_accuracy_is_wilsons_for_one_class():
    value, limits = balanced_accuracy(np.array([8, 0]), np.array([10, 0]))
    assert value == 0.8
    assert limits == pytest.approx(wilson_interval(8, 10))


def test_the_interval_of_balanced_accuracy_covers():
    rng, recall, counts, hits = np.random.default_rng(0), np.array([0.95, 0.7, 0.5]), np.array([200, 40, 15]), 0
    for _ in range(400):
        right = rng.binomial(counts, recall)
        low, high = balanced_accuracy(right, counts)[1]
        hits += low <= recall.mean() <= high
    assert hits >= 0.92 * 400


def slow_error(confidence, correct, bins):
    """ECE by a loop over bins of equal mass."""
    order = sorted(range(len(confidence)), key=lambda row: confidence[row])
    total = 0.0
    for m in range(bins):
        rows = order[m * len(order) // bins : (m + 1) * len(order) // bins]
        total += (
            len(rows) / len(order) * abs(np.mean([correct[r] for r in rows]) - np.mean([confidence[r] for r in rows]))
        )
    return total


@pytest.mark.parametrize("count", [60, 260, 1003])
def test_calibration_error_is_that_of_a_plain_loop(count):
    rng = np.random.default_rng(count)
    confidence = rng.beta(6, 1.5, count)
    correct = rng.random(count) < confidence - 0.1
    value = calibration(confidence, correct)
    assert len(value.bins) == min(MOST_BINS, count // 25)
    assert sum(one.count for one in value.bins) == count
    assert value.error == pytest.approx(slow_error(confidence, correct, len(value.bins)))
    assert value.gap == pytest.approx(confidence.mean() - correct.mean())


def test_calibration_tells_overconfidence_from_chance():
    rng, rejected, covered = np.random.default_rng(1), [0, 0], 0
    for _ in range(60):
        confidence = rng.beta(6, 1.5, 500)
        chance = calibration(confidence, rng.random(500) < confidence, draws=200)
        over = calibration(confidence, rng.random(500) < np.clip(confidence - 0.1, 0, 1), draws=200)
        rejected[0] += chance.p <= 0.05
        rejected[1] += over.p <= 0.05
        covered += chance.interval[0] == 0
        assert chance.expected > 0, "finite images alone give an error"
    assert rejected[0] <= 8
    assert rejected[1] >= 58
    assert covered >= 52


def test_too_few_images_for_calibration():
    assert calibration(np.full(49, 0.9), np.ones(49, bool)) is None
    logits, split, names = synthetic(30)
    one = section(logits, split, names)
    assert one["calibration"] is None
    assert "calibration error (ECE)" not in valued(one)


def test_labels_are_suspected_by_confident_learning():
    logits, split, names = synthetic(classes=3, sharpness=4.0)
    labels = split.labels.copy()
    surest = int(np.argmax(softmax(logits).max(1)))
    labels[surest] = (labels[surest] + 1) % 3  # a wrong label
    answers = SplitPredictions.of(logits, attrs.evolve(split, labels=labels), np.arange(400), names)
    shares = softmax(logits)
    thresholds = [shares[labels == k, k].mean() for k in range(3)]
    expected = [
        shares[row].argmax() != labels[row] and shares[row].max() >= thresholds[shares[row].argmax()] - 1e-9
        for row in range(400)
    ]
    assert suspected_labels(answers).tolist() == expected
    assert suspected_labels(answers)[surest]


def test_of_no_more_than_twenty_images_the_cards_say_it_all():
    logits, split, names = synthetic(19)
    assert told(SplitPredictions.of(logits, split, np.arange(19), names)) == []


def test_it_says_how_many_images_of_how_many():
    logits, split, names = synthetic()
    assert (
        section(logits, split, names, 10_000)["about"] == "400 of the 10,000 images of the split test, drawn at random"
    )
    assert section(logits, split, names, 400)["about"] == "400 images of the split test"
    assert (
        section(logits, split, names, 401)["about"]
        == "400 of the 401 images of the split test; the others cannot be read"
    )
    other = attrs.evolve(split, class_names=("rows", "columns", "unheard-of"))
    about = section(logits, other, names)["about"]
    known = int((split.labels < 2).sum())
    assert about == f"{known} images of the split test; {400 - known} more have no label that the classifier knows"


def test_without_the_overview_predictions_are_by_products():
    logits, split, names = synthetic()
    answers = SplitPredictions.of(logits, split, np.arange(400), names)
    results = attrs.evolve(toy_results(), emitted={PREDICTIONS: answers}, choice="errors", class_names=names)
    shown, left_out = (document(Context(results, HtmlParams(overview=most))) for most in (2000, 0))
    assert [len(one["overview"]) for one in (shown, left_out)] == [1, 0]
    assert [PREDICTIONS in {item["name"] for item in one["emitted"]} for one in (shown, left_out)] == [False, True]


@pytest.mark.parametrize(("counts", "kind"), [((9, 1), "measured"), ((5, 4), "heuristic"), ((6, 0), "heuristic")])
def test_the_most_frequent_error_is_measured_where_a_sign_test_carries_it(counts, kind):
    """Errors of class 0 for 1, and of 1 for 2: of 9 and 1 a coin gives so unequal ones in 2.1 % of cases."""
    labels = np.repeat([0, 1, 2], 40)
    predicted = labels.copy()
    predicted[: counts[0]], predicted[40 : 40 + counts[1]], predicted[100] = 1, 2, 0
    logits = np.eye(3, dtype=np.float32)[predicted]
    split = Split(images=np.zeros((120, 1, 8, 8), np.float32), labels=labels, class_names=NAMES)
    found = [item for item in section(logits, split, NAMES)["findings"] if "most frequent error" in item["text"]]
    if counts == (6, 0):  # 6 and the 1 of the third kind: 12.5 %
        assert "of the next kind there are 1" in found[0]["text"]
    assert [item["kind"] for item in found] == [kind]


def test_calibration_that_is_not_refused_is_not_called_calibrated():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 400)
    right = rng.random(400) < confidence
    odds = np.log(confidence / (1 - confidence))
    logits = np.stack([odds, np.zeros(400)], 1).astype(np.float32)
    split = Split(images=np.zeros((400, 1, 8, 8), np.float32), labels=np.where(right, 0, 1), class_names=NAMES[:2])
    value = calibration(confidence, right)
    assert value.p > 0.05
    (text,) = [item["text"] for item in section(logits, split, NAMES[:2])["findings"] if "calibra" in item["text"]]
    assert text.startswith("Miscalibration is not shown: in ")
    assert f"an ECE of {value.error:.3f} or more" in text


@pytest.mark.parametrize(("count", "is_told"), [(400, True), (2000, False)])
def test_the_interval_of_a_small_ece_is_told_to_be_too_narrow(count, is_told):
    """Overconfident by far: docs/reference/report.md has the coverage."""
    logits, split, names = synthetic(count)
    assert ("too narrow" in valued(section(3 * logits, split, names))["calibration error (ECE)"]["note"]) == is_told


def test_labels_without_names_go_into_lines_as_indices():
    logits, split, names = synthetic(sharpness=6.0)
    logits[split.labels == 1, 2] += 6.0
    results = toy_results()
    results = attrs.evolve(results, split=attrs.evolve(results.split, class_names=()))
    lines = [
        item["line"]
        for item in section(logits, attrs.evolve(split, class_names=()), names, results=results)["findings"]
    ]
    assert "explain: {labels: [1], choose: errors}" in lines


def test_a_class_that_is_found_worst_is_a_measured_finding():
    logits, split, names = synthetic(sharpness=6.0)
    logits[split.labels == 1, 2] += 6.0
    texts = {item["text"]: item for item in section(logits, split, names)["findings"]}
    (weak,) = [item for text, item in texts.items() if "found worst" in text]
    assert weak["kind"] == "measured"
    assert weak["text"].startswith("\u201ccolumns\u201d is found worst")
    assert weak["line"] == 'explain: {labels: ["columns"], choose: errors}'
    (often,) = [item for text, item in texts.items() if "most frequent error" in text]
    assert often["line"] == 'explain: {choose: {confused: ["columns", "third"]}}'


def test_equal_classes_are_no_finding():
    found = 0
    for seed in range(40):
        found += any("found worst" in item["text"] for item in section(*synthetic(seed=seed))["findings"])
    assert found <= 4


def test_unequal_classes_are_a_heuristic_finding():
    logits, split, names = synthetic()
    few = np.flatnonzero((split.labels != 2) | (np.arange(400) % 5 == 0))
    one = section(logits[few], split.take(few.tolist()), names)
    (finding,) = [item for item in one["findings"] if "unequal" in item["text"]]
    assert finding["kind"] == "heuristic"


def test_of_many_classes_the_worst_are_shown():
    logits, split, names = synthetic(2000, 40)
    one = section(logits, split, names)
    assert one["matrix"] is None
    assert (len(one["classes"]), one["of_classes"]) == (20, 40)
    assert len(one["pairs"]) == 10


def test_memory_follows_the_images_and_not_the_square_of_the_classes():
    classes, count = 20_000, 60  # a matrix of all pairs has 3.2 GB
    rng = np.random.default_rng(0)
    labels, names = rng.integers(0, classes, count), tuple(map(str, range(classes)))
    split = Split(images=np.zeros((count, 1, 8, 8), np.float32), labels=labels, class_names=names)
    answers = SplitPredictions(
        index=np.arange(count),
        predicted=rng.integers(0, classes, count),
        surprisal=np.full(count, 0.1, np.float32),
        margin=np.full(count, 0.5, np.float32),
        class_names=names,
        labels=labels,
        label_names=split.class_names,
    )
    context = Context(attrs.evolve(toy_results(), class_names=names), HtmlParams())
    tracemalloc.start()
    overview(answers, context, "test")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def worst_of(artifact, split):
    rows = artifact.index[artifact.worst(12)].tolist()
    return split.take(rows)


def test_errors_are_linked_to_their_card_or_to_a_recipe_line():
    logits, split, names = synthetic()
    answers = SplitPredictions.of(logits, split, np.arange(400), names)
    worst = worst_of(answers, split)
    results = toy_results()
    shown = attrs.evolve(results.split, ids=("elsewhere", worst.ids[1], "nowhere"))
    recipe = {"explain": {"split": "test", "target": "auto", "data": None}}
    (one,) = told(answers, worst, attrs.evolve(results, split=shown, recipe=recipe))
    errors = one["errors"]
    assert errors["total"] == int((logits.argmax(1) != split.labels).sum())
    assert [error["card"] for error in errors["images"]] == [None, 1, *[None] * 10]
    row = int(answers.worst(12)[0])
    assert errors["images"][0] | {"src": "", "crisp": True} == {
        "label": names[split.labels[row]],
        "said": names[logits[row].argmax()],
        "confidence": pytest.approx(softmax(logits)[row].max(), rel=1e-5),
        "id": f"test/{row}",
        "index": row,
        "src": "",
        "crisp": True,
        "card": None,
        "line": f"explain: {{split: test, indices: [{row}]}}",
    }
    assert str(errors["images"][1]["index"]) not in errors["line"].partition("[")[2].strip("]}").split(", ")
    confidences = [error["confidence"] for error in errors["images"]]
    assert confidences == sorted(confidences, reverse=True)


def test_images_without_names_are_found_by_their_pixels():
    logits, split, names = synthetic()
    answers = SplitPredictions.of(logits, split, np.arange(400), names)
    worst = worst_of(answers, attrs.evolve(split, ids=()))
    results = toy_results()
    images = np.stack([split.images[0], worst.images[2], split.images[1]])
    logits_shown = results.predictions.logits
    results = attrs.evolve(results, split=attrs.evolve(results.split, images=images, ids=()), explanations={})
    assert len(logits_shown) == 3
    (one,) = told(answers, worst, results, inversion=None, attributes={}, counterparts={}, measurements={})
    assert [error["card"] for error in one["errors"]["images"]][:4] == [None, None, 1, None]


def test_a_regression_has_residuals():
    from sklearn import metrics

    rng = np.random.default_rng(0)
    labels = rng.normal(size=300).astype(np.float32)
    predicted = (labels + rng.normal(0.2, 0.3, 300)).astype(np.float32)
    predicted[7] += 9
    split = Split(images=np.zeros((300, 1, 8, 8), np.float32), labels=labels)
    artifact = SplitValues.of(predicted[:, None], split, np.arange(300))
    (one,) = told(artifact, worst_of(artifact, split), toy_results("regression"))
    numbers = valued(one)
    assert numbers["mean absolute residual"]["value"] == pytest.approx(
        metrics.mean_absolute_error(labels, predicted), rel=1e-3
    )
    assert numbers["root mean square residual"]["value"] == pytest.approx(
        metrics.mean_squared_error(labels, predicted) ** 0.5, rel=1e-3
    )
    assert numbers["R\u00b2"]["value"] == pytest.approx(metrics.r2_score(labels, predicted), rel=1e-3)
    for item in numbers.values():
        assert item["interval"][0] < item["value"] < item["interval"][1]
    kinds = [(item["kind"], item["text"].split()[0]) for item in one["findings"]]
    assert kinds == [("measured", "Values"), ("heuristic", "1")]
    assert one["errors"]["images"][0]["index"] == 7
    assert one["errors"]["images"][0]["confidence"] is None
    assert len(one["scatter"]["true"]) == 300


def test_r_squared_of_perfect_values():
    assert r_squared(np.zeros(30), np.arange(30.0)) == (1.0, (1.0, 1.0))


def test_confusion_counts_rows_by_true_class():
    assert confusion(np.array([0, 0, 1]), np.array([0, 2, 2]), 3).tolist() == [[1, 0, 1], [0, 0, 1], [0, 0, 0]]


def test_equal_results_give_equal_sections():
    logits, split, names = synthetic()
    assert section(logits, split, names) == section(logits, split, names)


def test_class_names_go_into_lines_as_texts():
    logits, split, _ = synthetic(sharpness=6.0)
    names = ("7", 'a "b", ${c}', "no")
    split = attrs.evolve(split, class_names=names)
    logits[split.labels == 1, 2] += 6.0
    lines = [item["line"] for item in section(logits, split, names)["findings"] if item["line"]]
    assert 'explain: {labels: ["a \\"b\\", $${c}"], choose: errors}' in lines


@pytest.mark.browser
@pytest.mark.parametrize("width", [1440, 390])
def test_the_section_fits_and_links_work(chromium, render, width):
    logits, split, names = synthetic(classes=12)
    answers = SplitPredictions.of(logits, split, np.arange(400), names)
    worst = worst_of(answers, split)
    results = toy_results()
    shown = attrs.evolve(results.split, ids=("elsewhere", worst.ids[1], "nowhere"))
    results = attrs.evolve(results, split=shown, emitted={PREDICTIONS: answers, WORST: worst}, class_names=names)
    page = chromium.new_page(viewport={"width": width, "height": 900})
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(render(results).as_uri())
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#overview h2").inner_text() == "The model"
    assert page.locator(".overview-detail").get_attribute("open") == ("" if width > 640 else None)
    if width <= 640:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator(".overview-detail").get_attribute("open") == "", "paper has it unfolded"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.locator(".overview-detail > summary").click()
    assert page.locator(".matrix tbody tr").count() == 12
    page.get_by_role("link", name="Its explanation").click()
    assert page.evaluate("location.hash") == "#image-2"
    page.locator(".overview-errors li .recipe-line summary").first.click()
    assert page.locator(".overview-errors li code").first.inner_text().startswith("explain: {indices: [")
    assert problems == []
    page.close()
