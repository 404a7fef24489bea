"""The document: encodings, words, comparisons, and what must never be in it."""

import base64
import io
import json
import re

import attrs
import numpy as np
import pytest
from PIL import Image
from sidelight_report import HtmlParams
from sidelight_report.document import search_paths
from sidelight_report.document.context import Context
from sidelight_report.document.measurements import best, incomparable
from sidelight_report.document.phrases import headline, question, side
from sidelight_report.document.report import document
from sidelight_report.encoding import grid, number, saturation
from sidelight_specs.mapped import blocks
from sidelight_specs.recipe_yaml import recipe_text
from sidelight_specs.results import (
    Counterfactual,
    Explanation,
    Heatmap,
    Measurement,
    Measurements,
    Predictions,
    SplitPredictions,
)
from sidelight_specs.results.run import ComponentRecord
from sidelight_specs.testing import toy_results
from sidelight_ui.images import image_uri


def told(results, **options):
    return document(Context(results, HtmlParams(**options)))


def pixels(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


@pytest.mark.parametrize("channels", [1, 3])
def test_png_keeps_every_8_bit_value(channels):
    codes = np.arange(256, dtype=np.float32).reshape(1, 16, 16).repeat(channels, 0)
    expected = codes[0] if channels == 1 else np.moveaxis(codes, 0, 2)
    assert (pixels(image_uri(codes / 255)) == expected).all()


def test_png_of_other_channel_counts_is_their_mean():
    image = np.stack([np.zeros((4, 4)), np.ones((4, 4))])
    assert (pixels(image_uri(image)) == 128).all()


def decoded(packed):
    codes = np.frombuffer(base64.b64decode(packed["data"]), "<i2").reshape(packed["height"], packed["width"])
    return np.where(codes == -32768, np.nan, codes / 32767 * packed["largest"])


def test_grid_is_exact_to_a_32767th_and_marks_what_is_missing():
    values = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32) * 1e-6
    values[2, 3] = np.nan
    packed = grid(values)
    assert np.nanmax(np.abs(decoded(packed) - values)) <= np.nanmax(np.abs(values)) / 65534 * 1.01
    assert np.isnan(decoded(packed)[2, 3])
    assert (decoded(grid(np.zeros((2, 2)))) == 0).all()


def test_saturation_is_robust_to_one_extreme_pixel_and_ignores_the_background():
    values = np.zeros((100, 100))
    values[:20] = 1.0
    values[0, 0] = 1e6
    assert saturation(values, 99.5) == 1.0
    assert saturation(np.zeros((3, 3)), 99.5) == 0.0


def test_numbers_that_json_lacks_become_null():
    assert number(float("nan")) is None
    assert number(0.123456789, 3) == 0.123


def test_questions_use_articles_for_digits_and_quotes_for_names(digits):
    predicted, probe = digits.targets.predicted[0], digits.targets.probe[0]
    assert (
        question(digits, 0) == f"Why a{'n' * int(predicted == 8)} {predicted} and not a{'n' * int(probe == 8)} {probe}?"
    )
    assert question(toy_results(), 0) == "Why “rows” and not “columns”?"
    assert headline(digits) == "Why this class, and not the second most likely?"
    regression = toy_results("regression")
    assert question(regression, 0) == f"Why {float(regression.predictions.logits[0, 0]):.3g}?"


def test_an_eight_takes_an(digits):
    targets = attrs.evolve(digits.targets, predicted=np.full(8, 8), probe=np.full(8, 1))
    assert question(attrs.evolve(digits, targets=targets), 0) == "Why an 8 and not a 1?"
    assert headline(attrs.evolve(digits, targets=targets)) == "Why an 8 and not a 1?"


def test_the_side_of_an_explanation():
    results = toy_results()
    sides = {answers: side(results, 0, answers) for answers in ("predicted", "probe", "contrast", "any")}
    assert sides == {
        "predicted": "for rows",
        "probe": "for columns",
        "contrast": "rows against columns",
        "any": "the same for every class",
    }


def test_questions_that_depend_on_the_predicted_class_are_not_called_the_second_most_likely(digits):
    recipe = {**digits.recipe, "explain": {**digits.recipe.get("explain", {}), "targets": {"4": "9"}}}
    assert headline(attrs.evolve(digits, recipe=recipe)) == "Why this class, and not that one?"


@pytest.mark.parametrize("task", ["multiclass", "binary", "regression"])
def test_every_task_gives_a_document_of_plain_json(task):
    content = told(toy_results(task))
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_cards_follow_the_recipe_and_the_limit(digits):
    content = told(digits, images=3)
    assert [len(content["images"]), content["total"]] == [3, 8]
    assert [entry["explainer"] for entry in content["images"][0]["explanations"]] == ["cdeepex", "xgems", "gradients"]


def test_a_failed_search_brings_no_picture(digits):
    failed, answered = told(digits)["images"][2], told(digits)["images"][1]
    entry = failed["explanations"][0]
    assert entry["converged"] is False
    assert not {"picture", "difference"} & set(entry)
    assert "frames" not in entry["path"]
    assert {"picture", "difference"} <= set(answered["explanations"][0])


def test_a_failed_search_is_nowhere_in_the_page(digits, render):
    text = render(digits).read_text()
    cdeepex = digits.explanations["cdeepex"]
    assert image_uri(cdeepex.images[1]) in text
    assert image_uri(cdeepex.images[2]) not in text
    assert not [step for step in cdeepex.path_images[2][1:] if image_uri(step) in text]


def test_differences_of_one_image_share_a_scale_and_failed_searches_do_not_set_it(digits):
    card = told(digits)["images"][2]
    assert "saturation" not in card["explanations"][0]
    other = told(digits)["images"][1]["explanations"]
    assert other[0]["saturation"] == other[1]["saturation"]


def test_a_tiny_difference_is_not_magnified(digits):
    same = attrs.evolve(digits.explanations["cdeepex"], images=digits.split.images + 1e-4)
    content = told(attrs.evolve(digits, explanations={"cdeepex": same}))
    assert content["images"][0]["explanations"][0]["saturation"] == 0.05


def test_a_third_class_above_both_is_named(digits):
    xgems = digits.explanations["xgems"]
    for row, card in enumerate(told(digits)["images"]):
        top = int(xgems.logits_after[row].argmax())
        sides = {int(digits.targets.predicted[row]), int(digits.targets.probe[row])}
        assert card["explanations"][1]["third"] == (None if top in sides else str(top))
    assert any(card["explanations"][1]["third"] for card in told(digits)["images"])


def test_mean_path_is_taken_block_by_block(digits, monkeypatch):
    whole = told(digits)["paths"]
    monkeypatch.setattr(search_paths, "blocks", lambda array: blocks(array, 1))
    assert told(digits)["paths"] == whole


def test_mean_path_takes_each_image_s_own_sides(digits):
    path = told(digits)["paths"][0]
    cdeepex = digits.explanations["cdeepex"]
    chances = np.exp(cdeepex.path_logits) / np.exp(cdeepex.path_logits).sum(-1, keepdims=True)
    expected = [chances[n, -1, digits.targets.probe[n]] for n in range(8)]
    assert path["likelihoods"][1][-1] == pytest.approx(np.mean(expected), rel=1e-3)


def test_a_stranger_s_kind_of_explanation_gets_a_notice(digits):
    @attrs.frozen(eq=False, kw_only=True)
    class Haiku(Explanation):
        kind = "acme-haiku"

    content = told(attrs.evolve(digits, explanations={"poet": Haiku()}))
    assert content["images"][0]["explanations"][0]["what"] == "acme-haiku"


def test_a_stranger_s_subclass_of_a_heatmap_is_drawn_as_one(digits):
    @attrs.frozen(eq=False, kw_only=True)
    class Better(Heatmap):
        kind = "acme-heatmap"

    better = Better(values=digits.explanations["gradients"].values)
    content = told(attrs.evolve(digits, explanations={"better": better}))
    assert content["images"][0]["explanations"][0]["kind"] == "heatmap"


def measured(values, **facts):
    facts = {"name": "m", "better": "higher", "unit": "u"} | facts
    return Measurement(values=np.array(values, dtype=np.float32), **facts)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({}, ""),
        ({"unit": "v"}, "units differ"),
        ({"settings": {"steps": "9"}}, "settings differ"),
        ({"values": [1, np.nan]}, "measured on different images"),
    ],
)
def test_only_like_numbers_are_ranked(photos, other, reason):
    facts = {"values": [3.0, 4.0]} | other
    columns = [("saliency", measured([1.0, 2.0])), ("grad-cam", measured(**facts))]
    assert incomparable(Context(photos, HtmlParams()), columns) == reason


def test_numbers_of_different_kinds_of_explanation_are_not_ranked(digits):
    columns = [("cdeepex", measured([1.0])), ("gradients", measured([2.0]))]
    assert "kinds" in incomparable(Context(digits, HtmlParams()), columns)
    assert "neither" in incomparable(
        Context(digits, HtmlParams()), [(k, measured([1], better="neither")) for k in "ab"]
    )


def test_an_inversion_among_the_explanations_is_shown_and_measured():
    toy = toy_results()
    numbers = {key: Measurements(items=(measured([1, 2, 3]),)) for key in ("one", "two")}
    results = attrs.evolve(
        toy, explanations={"one": toy.inversion, "two": toy.inversion}, measurements={"error": numbers}
    )
    content = told(results)
    entries = content["images"][0]["explanations"]
    assert [(entry["what"], entry["side"]) for entry in entries] == [("inversion", "reconstruction")] * 2
    assert entries[0]["blocks"][0]["caption"].startswith("mean squared error ")
    assert content["table"]["rows"][0]["reason"] == ""


def test_best_knows_directions_and_ties():
    pair = [("a", measured([1.0])), ("b", measured([2.0]))]
    assert best(pair) == ["b"]
    assert best([(key, attrs.evolve(item, better="lower")) for key, item in pair]) == ["a"]
    assert best([("a", measured([1.0])), ("b", measured([1.0]))]) == []
    assert best([*pair, ("c", measured([2.0]))]) == ["b", "c"]


def test_a_winner_that_depends_on_the_baseline_is_not_marked_and_the_pair_is_named(photos):
    def over(blur, black):
        parts = {"blur": np.array(blur, np.float32), "black": np.array(black, np.float32)}
        return measured(np.mean([blur, black], axis=0), variants=parts, varied="baseline")

    found = {
        "saliency": Measurements(items=(over([0.6, 0.6, 0.7], [0.3, 0.4, 0.1]),)),
        "grad-cam": Measurements(items=(over([0.1, 0.2, 0.1], [0.5, 0.5, 0.6]),)),
    }
    (row,) = told(attrs.evolve(photos, measurements={"m": found}))["table"]["rows"]
    assert (row["best"], row["varied"]) == ([], "baseline")
    assert row["depends"] == "depends on the baseline: saliency or grad-cam"
    cell = row["cells"]["saliency"]
    assert cell["variants"] == pytest.approx({"blur": 0.6333, "black": 0.2667}, abs=1e-3)
    assert cell["interval"][0] < cell["mean"] < cell["interval"][1]


def test_of_many_pairs_that_depend_on_the_baseline_the_first_are_named(photos):
    parts = [{"blur": np.full(3, at, np.float32), "black": np.full(3, -at, np.float32)} for at in range(4)]
    named = dict.fromkeys(photos.explanations)
    explanations = dict(zip([*named, "c", "d"][:4], [next(iter(photos.explanations.values()))] * 4, strict=True))
    found = {
        name: Measurements(items=(measured([0, 0, 0], variants=part, varied="baseline"),))
        for name, part in zip(explanations, parts, strict=True)
    }
    changed = attrs.evolve(photos, explanations=explanations, measurements={"m": found})
    (row,) = told(changed)["table"]["rows"]
    assert row["depends"].count(" or ") == 3
    assert row["depends"].endswith(", and 3 more pairs")


def test_a_measurement_that_applies_nowhere_is_shown_as_such(photos):
    nothing = {key: Measurements(items=(measured([np.nan, np.nan, np.nan]),)) for key in photos.explanations}
    (row,) = told(attrs.evolve(photos, measurements={"m": nothing}))["table"]["rows"]
    assert row["cells"]["saliency"]["mean"] is None
    assert row["best"] == []


def test_a_name_that_two_metrics_use_says_which(photos):
    found = {metric: {"saliency": Measurements(items=(measured([1, 2, 3]),))} for metric in ("blur", "black")}
    content = told(attrs.evolve(photos, measurements=found))
    assert [row["name"] for row in content["table"]["rows"]] == ["m (blur)", "m (black)"]
    assert [one["name"] for one in content["images"][0]["explanations"][1]["measures"]] == ["m (blur)", "m (black)"]


def test_a_number_of_the_whole_set_is_not_on_the_only_card():
    results = toy_results(count=1)
    items = measured([0.5], name="R2", whole=True), measured([0.5], name="error")
    content = told(attrs.evolve(results, measurements={"m": {"heatmap": Measurements(items=items)}}))
    assert [one["name"] for one in content["images"][0]["explanations"][0]["measures"]] == ["error"]
    assert [row["name"] for row in content["table"]["rows"]] == ["R2", "error"]


def metric(name, **params):
    return ComponentRecord(id=name, role="metric", use="metrics/sufficiency", params=params)


def test_model_cards_go_with_their_components(photos):
    record = ComponentRecord(id="g", role="generator", use="faces/dcgan", card={"licence": "MIT"})
    (component,) = told(attrs.evolve(photos, components=(record,)))["components"]
    assert component["card"] == {"licence": "MIT"}


def test_metrics_that_ask_the_same_of_different_generators_share_a_row(photos):
    found = {
        name: {key: Measurements(items=(measured([1, 2, 3]),))}
        for name, key in (("ours", "saliency"), ("theirs", "grad-cam"), ("more", "grad-cam"), ("again", "saliency"))
    }
    kinds = (metric("ours"), metric("theirs"), metric("more", count=9), metric("again"))
    content = told(attrs.evolve(photos, measurements=found, components=kinds))
    rows = {row["name"]: list(row["cells"]) for row in content["table"]["rows"]}
    assert rows == {"m (ours)": ["saliency", "grad-cam"], "m (more)": ["grad-cam"], "m (again)": ["saliency"]}


def test_attributes_stand_in_the_order_of_the_recipe_whichever_metric_comes_first():
    toy = toy_results()
    (found,) = toy.attributes.values()
    numbers = {name: {name: Measurements(items=(measured([1]),))} for name in ("second", "first")}
    results = attrs.evolve(toy, attributes={"first": found, "second": found}, measurements=numbers)
    assert told(results)["table"]["columns"] == ["first", "second"]


def test_by_products_show_their_numbers_and_their_curves(digits):
    curve = measured([0.5], curve_x=np.arange(3, dtype=np.float32), curve_y=np.array([[1, 0.7, 0.5]], dtype=np.float32))
    (entry,) = told(attrs.evolve(digits, emitted={"vae/loss": Measurements(items=(curve, measured([2.0])))}))["emitted"]
    assert [line["y"] for line in entry["lines"]] == [[1.0, 0.7, 0.5]]
    assert [one["value"] for one in entry["numbers"]] == [0.5, 2.0]


def test_bars_show_what_any_answer_raises(digits):
    """A class that an answer makes likely is in the card even when it was unlikely before."""
    after = np.full((8, 10), -9.0, dtype=np.float32)
    rare = int(digits.predictions.logits[0].argmin())
    after[:, rare] = 9.0
    changed = attrs.evolve(digits.explanations["cdeepex"], logits_after=after)
    card = told(attrs.evolve(digits, explanations={"x": changed}), classes=1)["images"][0]
    assert str(rare) in [entry["name"] for entry in card["classes"]]


def test_the_recipe_reads_back_as_yaml():
    yaml = pytest.importorskip("yaml", reason="NOT RUN: PyYAML is not installed")
    recipe = {
        "name": "a: b",
        "seed": 0,
        "on": True,
        "none": None,
        "empty": {},
        "nothing": [],
        "rate": 1e-3,
        "text": "1.5",
        "word": "yes",
        "steps": [{"use": "a/b", "with": {"layers": ["x", "y"]}}, {"use": "c/d"}],
        "quote": 'say "hi" <b>',
        "deep": {"er": {"est": [1, 2]}},
    }
    assert yaml.safe_load(recipe_text(recipe)) == recipe


def test_the_same_results_give_the_same_bytes(digits, render):
    assert render(digits).read_bytes() == render(digits).read_bytes()


def test_pages_stay_small(digits, seven_photos, render):
    assert render(digits).stat().st_size < 1_000_000
    assert render(seven_photos).stat().st_size < 8_000_000


def test_the_page_names_no_host_and_no_folder(photos, render):
    page = render(photos)
    outside = re.sub(r"http://www\.w3\.org/2000/svg", "", page.read_text())
    assert not re.findall(r"https?://[^\s\"']+", outside)
    assert str(page.parent) not in outside


def test_names_cannot_leave_their_block(digits, render):
    evil = "</script><script>window.hacked = 1</script><!--"
    names = (evil, *digits.class_names[1:])
    text = render(attrs.evolve(digits, name=evil, class_names=names, warnings=(evil,))).read_text()
    assert "<script>window" not in text
    assert text.count("<script") == 2
    assert "<!--" not in text


def test_predictions_of_a_regression_are_values_not_probabilities(digits):
    values = Predictions(logits=np.linspace(0, 2, 8, dtype=np.float32)[:, None], task="regression")
    zeros = attrs.evolve(digits.targets, predicted=np.zeros(8, np.int64), probe=np.zeros(8, np.int64))
    chosen = {key: value for key, value in digits.explanations.items() if not isinstance(value, Counterfactual)}
    content = told(attrs.evolve(digits, predictions=values, targets=zeros, class_names=("age",), explanations=chosen))
    assert content["images"][7]["scores"] == [2.0]
    assert content["images"][7]["classes"] == [{"name": "age", "part": "predicted"}]


def test_a_misclassified_image_has_both_sides_on_one_scale(misclassified):
    content = told(misclassified)
    assert [card["misclassified"] for card in content["images"]] == [False, True, False]
    entries = [card["explanations"][0] for card in content["images"]]
    assert ["counterpart" in entry for entry in entries] == [False, True, False]
    other = entries[1]["counterpart"]
    assert (entries[1]["about"], other["about"]) == ("predicted", "expected")
    names = misclassified.class_names
    probe = names[misclassified.targets.probe[1]]
    assert (other["side"], other["answers"]) == (f"for {probe}", "probe")
    assert entries[1]["saturation"] == other["saturation"] > entries[0]["saturation"]
    assert "They are the <worst> errors." in content["answer"]["asked"]
    assert headline(misclassified) == "Why this class, and not the expected or second most likely?"


def test_an_explainer_of_the_probe_has_the_predicted_class_beside_it(misclassified):
    heatmap, other = misclassified.explanations["heatmap"], misclassified.counterparts["heatmap"]
    reversed_ = attrs.evolve(
        misclassified,
        explanations={"heatmap": attrs.evolve(heatmap, answers="probe")},
        counterparts={"heatmap": attrs.evolve(other, answers="predicted")},
    )
    entry = told(reversed_)["images"][1]["explanations"][0]
    assert (entry["about"], entry["counterpart"]["about"]) == ("expected", "predicted")


def test_a_label_that_is_no_class_of_the_classifier_is_not_called_misclassified(misclassified):
    split = attrs.evolve(misclassified.split, class_names=("x", "y", "z"))
    content = told(attrs.evolve(misclassified, split=split))
    assert not any(card["misclassified"] for card in content["images"])
    assert content["images"][0]["label"] in ("x", "y", "z")


def test_the_classifier_as_a_whole_has_a_section_of_its_own(misclassified):
    results = misclassified
    whole = SplitPredictions.of(results.predictions.logits, results.split, np.arange(3), results.class_names)
    content = told(attrs.evolve(results, emitted={**results.emitted, "classifier/predictions on test": whole}))
    assert [item["name"] for item in content["emitted"]] == ["samples"]
    (section,) = content["overview"]
    assert section["about"] == "3 images of the split test"
    true, said = (results.class_names[side[1]] for side in (results.targets.probe, results.targets.predicted))
    assert [(pair["true"], pair["said"], pair["count"]) for pair in section["pairs"]] == [(true, said, 1)]
    assert told(results)["overview"] == []


def test_predictions_without_labels_are_a_by_product(misclassified):
    results = attrs.evolve(misclassified, split=attrs.evolve(misclassified.split, labels=None))
    whole = SplitPredictions.of(results.predictions.logits, results.split, np.arange(3), results.class_names)
    content = told(attrs.evolve(results, emitted={"classifier/predictions on test": whole}))
    assert content["overview"] == []
    (item,) = content["emitted"]
    (row,) = item["rows"]
    assert row["blocks"][0]["text"].endswith("no label is known")


def test_a_counterfactual_that_keeps_details_shows_what_the_generator_alone_draws():
    results = toy_results()
    found = results.explanations["counterfactual"]
    entry = next(one for one in told(results)["images"][1]["explanations"] if one["explainer"] == "counterfactual")
    for picture, image in zip(entry["generated"], found.generated[1], strict=True):
        assert (pixels(picture["src"]) == (image[0] * 255).round()).all()
    for scores, logits in zip(entry["alone"], found.generated_logits[1], strict=True):
        odds = np.exp(logits - logits.max())
        assert np.allclose(sorted(scores), sorted(odds / odds.sum()), atol=1e-3)
    own = attrs.evolve(found, generated=None, generated_logits=None)
    entry = told(attrs.evolve(results, explanations={"own": own}))["images"][1]["explanations"][0]
    assert not {"generated", "alone"} & entry.keys()


def test_an_image_without_an_answer_has_the_reason_in_place_of_a_map(digits):
    gradients, answered = digits.explanations["gradients"], np.arange(len(digits.split)) != 1
    none = attrs.evolve(
        gradients,
        values=gradients.values * answered[:, None, None],
        answered=answered,
        no_answer="hiding a region shows nothing",
    )
    results = attrs.evolve(digits, explanations={"gradients": none})
    entries = [card["explanations"][0] for card in told(results)["images"]]
    assert [entry["kind"] for entry in entries[:3]] == ["heatmap", "blocks", "heatmap"]
    assert entries[1]["blocks"][0]["text"] == "no answer: hiding a region shows nothing"
    assert "values" not in entries[1]
    assert entries[1]["side"] == side(results, 1, "contrast")


def test_the_curve_of_a_by_product_is_the_mean_over_what_was_measured(digits):
    curves = np.array([[1, 2], [np.nan, np.nan], [3, 6]], dtype=np.float32)
    item = Measurement(
        name="m", values=np.array([1, np.nan, 3], np.float32), curve_x=np.arange(2, dtype=np.float32), curve_y=curves
    )
    (shown,) = told(attrs.evolve(digits, emitted={"one": Measurements(items=(item,))}))["emitted"]
    assert shown["lines"][0]["y"] == [2, 4]
