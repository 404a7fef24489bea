"""The first screen: its numbers are those of the results, and its links lead to the evidence and back."""

from types import SimpleNamespace

import attrs
import numpy as np
import pytest
from sidelight_report import HtmlParams
from sidelight_report.document.agreement import CELLS, agreement
from sidelight_report.document.answer import MOST_TILES
from sidelight_report.document.context import Context
from sidelight_report.document.limits import limits
from sidelight_report.document.report import document
from sidelight_specs.intervals import wilson_interval
from sidelight_specs.results import (
    Attribute,
    Attributes,
    Concepts,
    Counterfactual,
    Heatmap,
    Measurement,
    Measurements,
    Predictions,
    Split,
    Targets,
)
from sidelight_specs.results.run import ComponentRecord, Results
from sidelight_specs.testing import toy_results

from .conftest import LIMITS

THIN = "\u202f"


def told(results, **options):
    return document(Context(results, HtmlParams(**options)))


def texts(results, part="found"):
    return [claim["text"] for claim in told(results)["answer"][part]]


def only(sentences, word):
    (found,) = [text for text in sentences if word in text]
    return found


def wilson(hits, count):
    low, high = wilson_interval(hits, count)
    return f"{hits} of {count}", f"({100 * low:.0f} to {100 * high:.0f}{THIN}%)"


def plain_run(explanations, count=4, side=24, **more):
    """A run of random images and two classes."""
    rng = np.random.default_rng(3)
    images = rng.random((count, 3, side, side), dtype=np.float32)
    logits = np.tile(np.array([1.0, 0.0], np.float32), (count, 1))
    return Results(
        name="plain",
        split=Split(images=images, labels=np.zeros(count, np.int64), class_names=("a", "b")),
        predictions=Predictions(logits=logits),
        targets=Targets(predicted=np.zeros(count, np.int64), probe=np.ones(count, np.int64)),
        class_names=("a", "b"),
        explanations=explanations,
        recipe={"recipe": 1, "name": "plain", "seed": 5, "explain": {"split": "test"}},
        **more,
    )


def heatmap(values):
    return Heatmap(values=np.asarray(values, np.float32))


def test_the_title_is_the_renderers_then_the_recipes_then_the_question(digits):
    titled = attrs.evolve(digits, recipe={**digits.recipe, "title": "Is it the $${loop}?"})
    assert told(digits)["title"] == "Why this class, and not the second most likely?"
    assert told(titled)["title"] == "Is it the ${loop}?"
    assert told(titled, title="mine")["title"] == "mine"
    assert told(titled)["name"] == digits.name
    question = "Why this class, and not the second most likely?"
    assert told(titled)["answer"]["asked"].startswith(question)
    assert question not in told(digits)["answer"]["asked"], "it stands in the heading already"


def test_flips_are_counted_as_the_classifier_says(digits):
    found, count = digits.explanations["cdeepex"], len(digits.targets)
    rows = np.arange(count)
    lead = found.logits_after[rows, digits.targets.probe] - found.logits_after[rows, digits.targets.predicted]
    hits = int((found.converged & (lead >= -found.tolerance)).sum())
    sentence = only(texts(attrs.evolve(digits, explanations={"cdeepex": found})), "at least as likely")
    number, ends = wilson(hits, count)
    assert f"{number} images {ends} by cdeepex" in sentence
    failed = int((~found.converged).sum())
    assert f"{failed} of {count} by cdeepex" in only(texts(digits, "sure"), "Without an answer")


def questioned(digits, probe, after):
    """Counterfactuals of the digits, predicted as 0, with these classes asked about and these logits afterwards."""
    count = len(digits.targets)
    before = digits.explanations["cdeepex"]
    found = attrs.evolve(
        before, logits_after=np.asarray(after, np.float32), converged=np.ones(count, bool), answered=None, no_answer=""
    )
    targets = Targets(predicted=np.zeros(count, np.int64), probe=np.asarray(probe))
    return attrs.evolve(digits, explanations={"cdeepex": found}, targets=targets)


def test_level_with_the_predicted_class_is_told_apart_from_likeliest(digits):
    count = len(digits.targets)
    after = np.zeros((count, 10), np.float32)
    after[:, 5], after[0, 1] = 1.0, 2.0  # level with the predicted class, below a third one; the first alone wins
    sentence = only(texts(questioned(digits, np.ones(count, np.int64), after)), "at least as likely")
    assert f"as likely as the predicted one for {count} of {count} images" in sentence
    assert f"It is the likeliest of all for 1 of {count} of these" in sentence


def test_a_question_about_the_predicted_class_asks_for_another_one(digits):
    count = len(digits.targets)
    after = np.zeros((count, 10), np.float32)
    after[:, 0], after[:2, 3] = 1.0, 2.0
    own = texts(questioned(digits, np.zeros(count, np.int64), after))
    assert only(own, "give another class").startswith(f"Changed images give another class for 2 of {count} images")
    assert not any("at least as likely" in text for text in own)


def test_searches_of_which_none_converged_move_no_value():
    results = toy_results("regression")
    changed = {
        key: attrs.evolve(found, converged=np.zeros_like(found.converged))
        for key, found in results.explanations.items()
        if isinstance(found, Counterfactual)
    }
    assert changed
    said = texts(attrs.evolve(results, explanations=changed))
    assert "No search converged." in said
    assert not any("median of ." in text for text in said)


def test_only_an_independent_classifier_counts_as_a_judge(digits):
    found = digits.explanations["cdeepex"]
    count = len(digits.targets)
    answers = np.full((count, 2, 10), 0.05, np.float32)
    answers[:, 0, 0] = answers[:3, 1, 1] = answers[3:, 1, 0] = 0.55  # the first three change
    judged = {"m": {"cdeepex": Measurements(answers=answers)}}
    recipe = digits.recipe | {
        "explainers": {"cdeepex": {"use": "x/y", "needs": {"classifier": "classifier"}}},
        "metrics": {"m": {"use": "x/z", "needs": {"classifier": "other"}}},
    }
    results = attrs.evolve(digits, explanations={"cdeepex": found}, measurements=judged, recipe=recipe)
    hits, of = int(found.converged[:3].sum()), int(found.converged.sum())
    assert f"other, a classifier that took no part, calls {hits} of {of} answers" in only(
        texts(results), "took no part"
    )
    assert not any("No other classifier" in text for text in texts(results, "sure"))
    recipe["metrics"]["m"]["needs"]["classifier"] = "classifier"
    own = attrs.evolve(results, recipe=recipe)
    assert not any("took no part" in text for text in texts(own))
    assert only(texts(own, "sure"), "No other classifier judges")


def test_the_effect_of_a_cause_has_the_interval_of_its_images():
    effects = np.array([[1.0, 2.0, 3.0, np.nan], [0.5, -0.5, 0.1, np.nan]], np.float32)
    attributes = (Attribute("roof", 3, effect=0.03, target=1), Attribute("door", 5, effect=2.0, target=1))
    finder = Attributes(attributes=attributes, effects=effects[::-1].copy(), class_names=("a", "b"))
    results = plain_run({}, attributes={"finder": finder})
    answer = told(results)["answer"]
    (claim,) = answer["found"]
    low, high = Measurement(name="", values=effects[0, :3]).interval
    assert claim["basis"] == "measured"
    assert claim["links"] == ["attributes-1-1"]
    assert f"“door” moves the logit most, by +2 ({low:.3g} to +{high:.3g})".replace("-", "\u2212") in claim["text"]
    assert "upwards in 3 of 3" in claim["text"]
    assert "effects of finder" in only([one["text"] for one in answer["sure"]], "largest of many")


def test_most_is_said_of_what_moves_most():
    def said(*many, **options):
        finder = Attributes(attributes=many, class_names=("a", "b"))
        return told(plain_run({}, attributes={"finder": finder}), **options)["answer"]["found"][0]["text"]

    tint, ear = Attribute("tint", 0, effect=3.0, flagged="it tints the picture"), Attribute("ear", 1, effect=1.0)
    assert "“ear” moves the logit most of those not flagged, by +1" in said(tint, ear)
    plain = attrs.evolve(tint, flagged="")
    assert "“tint” moves the logit most, by +3" in said(plain, ear)
    assert "“ear” moves the logit most of those shown, by +1" in said(ear, plain, attributes=1)


def test_a_flagged_attribute_leads_only_where_there_is_no_other():
    many = (Attribute("tint", 0, effect=3.0, flagged="it tints the picture"), Attribute("ear", 1, effect=1.0))
    results = plain_run({}, attributes={"finder": Attributes(attributes=many, class_names=("a", "b"))})
    assert "“ear”" in texts(results)[0]
    assert only(texts(results, "sure"), "flagged").startswith("1 of 2")
    alone = plain_run({}, attributes={"finder": Attributes(attributes=many[:1], class_names=("a", "b"))})
    assert "It is flagged as not plausible: it tints the picture." in texts(alone)[0]


def test_shifts_along_one_line_are_one_row_weakest_first():
    line, other = np.eye(2, 8, dtype=np.float32)
    shifts = [("smile +100%", 2.0, 1.5), ("smile +50%", 1.0, 0.8), ("smile -50%", -1.0, -0.7), ("hat +100%", 2.0, 0.2)]
    attributes = tuple(Attribute(name, 0, shift=shift, effect=effect, target=1) for name, shift, effect in shifts)
    before = np.random.default_rng(0).random((4, 2, 3, 8, 8), dtype=np.float32)
    finder = Attributes(
        attributes=attributes,
        directions=np.stack([line, line, line, other]),
        before=before,
        after=1 - before,
        class_names=("a", "b"),
    )
    ((group,),) = [section["classes"] for section in told(plain_run({}, attributes={"f": finder}))["attributes"]]
    smile, hat = group["attributes"]
    assert group["count"] == 2
    assert (smile["name"], [one["name"][6:] for one in smile["strengths"]], smile["at"]) == (
        "smile",
        ["-50%", "+50%", "+100%"],
        2,
    )
    moving = [one["directions"][0]["animation"] is not None for one in smile["strengths"]]
    assert moving == [False, False, True], "the strongest alone is animated"
    assert "strengths" not in hat


def test_agreement_is_spearmans_rho_over_cells():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 4, CELLS, CELLS)).astype(np.float32)
    found = agreement(plain_run({"one": heatmap(one), "two": heatmap(two), "same": heatmap(-3 * one)}, side=CELLS))

    def rho(a, b):
        ranks = [np.abs(values).ravel().argsort().argsort() for values in (a, b)]
        return np.corrcoef(*ranks)[0, 1]

    assert found.rho[:, 0, 1] == pytest.approx([rho(a, b) for a, b in zip(one, two, strict=True)])
    assert found.rho[:, 0, 2] == pytest.approx(np.ones(4)), "neither sign nor scale counts"
    assert found.pairs()[0][:2] == ("one", "same")
    assert abs(found.different) < 0.15


def test_what_all_images_have_in_common_is_told_apart_from_agreement():
    """Maps that always point at the middle agree, and so do those of two different images."""
    y, x = np.mgrid[:32, :32]
    middle = np.exp(-((y - 16) ** 2 + (x - 16) ** 2) / 60)
    noise = np.random.default_rng(0).random((2, 6, 32, 32)) * 0.05
    found = agreement(plain_run({"a": heatmap(middle + noise[0]), "b": heatmap(middle + noise[1])}, count=6, side=32))
    assert found.different > 0.8
    assert found.of_images.mean() == pytest.approx(found.different, abs=0.03)


def test_maps_of_one_image_are_no_maps_of_different_images():
    """Two questions about each image, whose maps are the same."""
    one = np.random.default_rng(0).random((3, 32, 32)).repeat(2, 0)
    results = plain_run({"a": heatmap(one), "b": heatmap(one)}, count=6, side=32)
    ids = ("x", "x", "y", "y", "z", "z")
    asked = attrs.evolve(results, split=attrs.evolve(results.split, ids=ids))
    assert abs(agreement(asked).different) < 0.2
    alone = attrs.evolve(results, split=attrs.evolve(results.split, ids=("x",) * 6))
    assert np.isnan(agreement(alone).different)


def test_agreement_of_the_first_images_alone_says_so(monkeypatch):
    maps = {name: heatmap(np.random.default_rng(i).random((6, 24, 24))) for i, name in enumerate("ab")}
    assert "in the first" not in only(texts(plain_run(maps, count=6)), "correlation")
    monkeypatch.setattr("sidelight_report.document.agreement.MOST_IMAGES", 4)
    assert "in the first 4; of maps of different" in only(texts(plain_run(maps, count=6)), "correlation")


def test_constant_maps_agree_with_nothing():
    flat = np.zeros((4, 24, 24))
    results = plain_run({"flat": heatmap(flat), "some": heatmap(np.random.default_rng(0).random((4, 24, 24)))})
    assert agreement(results).pairs() == []
    assert told(results)["agreement"] is None
    assert not any("correlation" in text for text in texts(results))


def test_a_ranking_says_whether_the_images_tell_it_apart():
    maps = {name: heatmap(np.random.default_rng(i).random((4, 24, 24))) for i, name in enumerate("ab")}

    def measured(*values):
        names = zip("ab", values, strict=True)
        numbers = {
            key: Measurements(items=(Measurement(name="insertion", values=np.array(of, np.float32), better="higher"),))
            for key, of in names
        }
        return only(texts(plain_run(maps, measurements={"m": numbers})), "Insertion")

    clear, close = ([0.9, 0.8, 0.9, 0.8], [0.1, 0.2, 0.1, 0.1]), ([0.5, 0.9, 0.1, 0.4], [0.6, 0.2, 0.4, 0.3])
    assert "a is first of 2 with 0.85, b second with 0.125; the images tell them apart." in measured(*clear)
    assert "the images do not tell them apart." in measured(*close)


def test_nothing_is_said_of_families_that_the_recipe_lacks():
    results = plain_run({"heat": heatmap(np.random.default_rng(0).random((4, 24, 24)))})
    answer = told(results)["answer"]
    said = " ".join(claim["text"] for claim in answer["found"] + answer["sure"])
    for word in ("converged", "judge", "attribute", "concept", "patch", "correlation", "Interval"):
        assert word not in said, word
    assert {claim["basis"] for claim in answer["found"]} == {"heuristic"}
    assert only([one["text"] for one in answer["sure"]], "No metric").endswith("measures heat.")


def test_how_sure_counts_questions_and_gives_no_number_that_looks_like_a_result():
    maps = {name: heatmap(np.random.default_rng(i).random((4, 24, 24))) for i, name in enumerate("ab")}
    numbers = {
        key: Measurements(items=(Measurement(name="insertion", values=np.full(4, at, np.float32), better="higher"),))
        for at, key in enumerate("ab")
    }
    results = plain_run(maps, measurements={"m": numbers})
    results = attrs.evolve(results, split=attrs.evolve(results.split, ids=("x", "x", "y", "y")))
    sentence = only(texts(results, "sure"), "Intervals")
    low, high = wilson_interval(2, 4)
    assert "over the images (or samples) of one run (seed 5)" in sentence, "a finder may have others"
    assert "several questions about one image for independent" in sentence
    assert f"the interval of a half would be {100 * low:.0f} to {100 * high:.0f}{THIN}%." in sentence
    assert "2 of 4" not in sentence


def test_how_pictures_were_picked_is_told_of_those_shown(digits):
    heat = told(plain_run({"heat": heatmap(np.random.default_rng(0).random((4, 24, 24)))}))["answer"]
    assert heat["picked"] == "the first images"
    assert told(digits)["answer"]["picked"].split("; ") == [
        "the first images that a change turns, or whose search converged",
        "images on which maps agree least and most",
    ]


def test_concepts_that_are_strongest_equally_often_have_none_that_is_most_often():
    def said(*strongest):
        parts = np.eye(2, dtype=np.float32)[list(strongest)] + np.float32(0.1)
        found = Concepts(names=("x", "y"), activations=parts, contributions=parts)
        return only(texts(plain_run({"c": found})), "concepts")

    assert "most often, in 3, it is “x”." in said(0, 0, 0, 1)
    assert "most often" not in said(0, 1, 0, 1)


def test_a_part_that_failed_is_told():
    records = (ComponentRecord(id="broken", role="explainer", use="x/y"),)
    assert only(texts(plain_run({}, components=records), "sure"), "gave no result").startswith("broken")


@pytest.mark.parametrize("task", ["multiclass", "binary", "regression"])
def test_every_task_has_an_answer_with_pictures(task):
    answer = told(toy_results(task))["answer"]
    assert answer["found"]
    assert 0 < len(answer["strip"]) <= MOST_TILES
    assert [tile["claim"] for tile in answer["strip"]] == sorted(tile["claim"] for tile in answer["strip"])
    assert not any("nan" in claim["text"] for claim in answer["found"] + answer["sure"])


@pytest.fixture
def page(chromium, render):
    """Opens a run's page; its errors are a list."""
    contexts = []

    def opened(results, options=None, **context):
        contexts.append(chromium.new_context(viewport={"width": 1280, "height": 900}, **context))
        page, errors = contexts[-1].new_page(), []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(render(results, **(options or {})).as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        return page, errors

    yield opened
    for one in contexts:
        one.close()


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["digits", "photos", "multiclass", "regression"])
def test_every_link_of_the_answer_leads_to_the_page_and_every_part_back(page, request, kind):
    results = request.getfixturevalue(kind) if kind in ("digits", "photos") else toy_results(kind)
    opened, errors = page(results)
    answer = told(results)["answer"]
    dead = "all => all.map(a => a.hash.slice(1)).filter(id => !document.getElementById(id))"
    assert opened.locator(".answer a").evaluate_all(dead) == []
    assert opened.locator("#found li").count() == len(answer["found"])
    assert opened.locator("#found a.evidence").count() >= len(answer["found"])
    assert opened.locator(".pictures figure").count() == len(answer["strip"])
    assert opened.locator(".panel, .card").count() == opened.locator(".back").count()
    assert opened.locator(".back").evaluate_all(dead) == []
    link = opened.locator("#found a.evidence").first
    opened.locator(
        f"{link.get_attribute('href')} .back, .panel:has({link.get_attribute('href')}) > .back"
    ).first.click()
    opened.wait_for_function("scrollY < 900")
    assert errors == []


@pytest.mark.browser
def test_what_is_folded_stands_in_the_address_and_survives_loading_and_links(page, digits):
    opened, errors = page(digits)
    is_open = "id => document.querySelector(`#${id} > details`).open"
    assert [opened.evaluate(is_open, name) for name in ("measurements", "origin", "image-1")] == [True, False, True]
    opened.locator("#measurements summary").first.click()
    opened.locator("#origin summary").first.click()
    opened.wait_for_function("location.hash.includes('open=') && location.hash.includes('fold=')")
    opened.locator(".thumbnails a").nth(6).click()
    opened.wait_for_function("location.hash.startsWith('#image-7&')")
    assert opened.evaluate(is_open, "image-7"), "a link opens what it leads to"
    opened.reload()
    opened.wait_for_selector("html[data-ready]", state="attached")
    kept = {
        name: opened.evaluate(is_open, name) for name in ("measurements", "origin", "image-1", "image-7", "image-8")
    }
    assert kept == {"measurements": False, "origin": True, "image-1": True, "image-7": True, "image-8": False}
    assert 0 <= opened.locator("#image-7").bounding_box()["y"] < 200
    opened.locator("a.evidence", has_text="Measurements").first.click()
    assert opened.evaluate(is_open, "measurements")
    opened.get_by_role("button", name="Fold all", exact=True).click()
    assert not opened.evaluate(is_open, "image-1")
    assert errors == []


@pytest.mark.browser
def test_paper_has_every_section_unfolded_and_the_page_is_as_it_was_afterwards(page, digits):
    opened, _ = page(digits)
    address = opened.evaluate("location.href")
    folded = "document.querySelectorAll('details.part:not([open])').length"
    before = opened.evaluate(folded)
    assert before > 0
    opened.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.evaluate(folded) == 0
    opened.evaluate("dispatchEvent(new Event('afterprint'))")
    opened.wait_for_timeout(100)
    assert opened.evaluate(folded) == before
    assert opened.evaluate("location.href") == address


@pytest.mark.browser
@pytest.mark.parametrize("width", [1440, 390])
def test_a_title_of_one_long_word_and_markup_fits(page, digits, width):
    title = "</title><script>document.title = 'x'</script>" + "Donaudampfschifffahrt" * 5
    opened, errors = page(attrs.evolve(digits, recipe={**digits.recipe, "title": title}))
    opened.set_viewport_size({"width": width, "height": 900})
    assert opened.locator("h1").text_content() == title
    assert opened.title().startswith("</title>")
    assert opened.evaluate("document.querySelector('h1').scrollWidth <= document.querySelector('h1').clientWidth")
    assert errors == []


@pytest.mark.browser
def test_on_a_phone_pictures_stand_before_how_they_were_picked(page, digits):
    opened, _ = page(digits)
    opened.set_viewport_size({"width": 390, "height": 844})
    right = "(all) => Math.max(...all.map((one) => one.getBoundingClientRect().right))"
    left = "(one) => one.getBoundingClientRect().left"
    figures = opened.locator(".answer .pictures figure").evaluate_all(right)
    assert opened.locator(".answer .pictures > .note").evaluate(left) >= figures


@pytest.mark.browser
def test_a_mistyped_address_opens_the_page(page, digits):
    opened, errors = page(digits)
    opened.goto(opened.url.partition("#")[0] + "#100%&open=%E0,origin")
    opened.reload()
    opened.wait_for_selector("html[data-ready]", state="attached")
    assert opened.evaluate("document.querySelector('#origin > details').open")
    assert errors == []


@pytest.mark.browser
def test_one_direction_is_one_row_with_a_slider(page):
    shifts = [("smile -50%", -1.0, -0.7), ("smile +50%", 1.0, 0.8), ("smile +100%", 2.0, 1.5)]
    attributes = tuple(Attribute(name, 0, shift=shift, effect=effect, target=1) for name, shift, effect in shifts)
    before = np.random.default_rng(0).random((3, 2, 3, 8, 8), dtype=np.float32)
    chances = np.array([[[0.5, 0.5 + effect / 4]] * 2 for *_, effect in shifts], np.float32)
    finder = Attributes(
        attributes=attributes, directions=np.eye(1, 8, dtype=np.float32).repeat(3, 0), before=before, after=1 - before,
        probabilities=chances, class_names=("a", "b"),
    )  # fmt: skip
    opened, errors = page(plain_run({}, attributes={"f": finder}))
    row = opened.locator(".attribute")
    assert row.count() == 1
    assert row.locator("h4").text_content() == "smile"
    slider, after = row.locator("input[type=range]"), row.locator("sl-flicker img.after").first
    assert (slider.input_value(), row.locator(".effect b").text_content()) == ("2", "+1.50")
    strongest = after.get_attribute("src")
    slider.focus()
    opened.keyboard.press("ArrowLeft")
    opened.keyboard.press("ArrowLeft")
    assert row.locator(".effect b").text_content() == "\u22120.700"
    assert after.get_attribute("src") != strongest
    assert slider.get_attribute("aria-valuetext") == "smile -50%"
    assert opened.evaluate("document.activeElement.type") == "range", "the arrow keys stay with the slider"
    assert errors == []


@pytest.mark.browser
def test_maps_and_changes_of_an_image_stand_in_two_columns(page, digits, photos):
    opened, _ = page(digits)
    left, right = (opened.locator("#image-1 .column").nth(at) for at in (0, 1))
    assert left.locator("article h3").all_text_contents() == ["Input", "gradients"]
    assert right.locator("article h3").all_text_contents() == ["cdeepex", "xgems"]
    assert left.bounding_box()["y"] == right.bounding_box()["y"]
    assert page(photos)[0].locator(".column").count() == 0, "maps alone are not compared with anything"


def test_limits_stand_once_with_the_methods_they_hold_for_the_commonest_first(digits):
    told_of = told(digits)
    limits = told_of["answer"]["limits"]
    assert limits[0] == {"text": "One answer of many.", "of": ["cdeepex", "xgems"]}
    assert sorted(one["text"] for one in limits) == sorted({text for texts in LIMITS.values() for text in texts})
    of = {one["id"]: one["limits"] for one in told_of["explainers"]}
    assert of == {name: list(LIMITS[name]) for name in of}


def test_a_finder_and_an_explainer_of_one_id_are_named_once():
    records = [SimpleNamespace(role=role, id="long", limits=("Few.",)) for role in ("attribute_finder", "explainer")]
    assert limits(SimpleNamespace(results=SimpleNamespace(components=records))) == [{"text": "Few.", "of": ["long"]}]


@pytest.mark.browser
@pytest.mark.parametrize("width", [1440, 390])
def test_limits_are_folded_beside_each_method_and_fit(page, digits, width):
    opened, errors = page(digits)
    opened.set_viewport_size({"width": width, "height": 900})
    assert opened.locator("#limits > ul > li").count() == 2
    assert opened.locator("#limits li").first.inner_text() == "One answer of many. cdeepex, xgems"
    tile = opened.locator("#image-1 .tile", has=opened.locator("h3", has_text="gradients"))
    shown = tile.get_by_text("Says where, not what.")
    assert not shown.is_visible()
    tile.get_by_text("What may not be claimed").click()
    assert shown.is_visible()
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert errors == []
