"""Runs of more images than the page has cards for: a list in the page, and the other cards in files beside it."""

import json

import attrs
import numpy as np
import pytest
from sidelight_report import HtmlParams
from sidelight_report.document.context import Context
from sidelight_report.document.image_index import CARDS, card_files, image_index
from sidelight_report.document.report import card
from sidelight_report.html import Html
from sidelight_specs.testing import toy_results

COUNT = 47  # more than the cards of two files


def many(results, count):
    """The results of `count` questions, by repeating those that there are."""
    rows = [row % len(results.targets) for row in range(count)]
    parts = {name: getattr(results, name).take(rows) for name in ("split", "predictions", "targets")}
    explanations = {name: one.take(rows) for name, one in results.explanations.items()}
    measured = {
        metric: {
            of: attrs.evolve(
                numbers, items=tuple(attrs.evolve(item, values=item.values[rows]) for item in numbers.items)
            )
            for of, numbers in subjects.items()
        }
        for metric, subjects in results.measurements.items()
    }
    ids = tuple(f"image-{row}" for row in range(count))
    parts["split"] = attrs.evolve(parts["split"], ids=ids)
    return attrs.evolve(results, **parts, explanations=explanations, measurements=measured, inversion=None)


@pytest.fixture(scope="module")
def results():
    return many(toy_results(), COUNT)


@pytest.fixture
def context(results):
    return Context(results, HtmlParams(images=30))


def test_a_page_that_shows_every_card_has_no_list(results, tmp_path):
    assert image_index(Context(results, HtmlParams(images=COUNT))) is None
    assert len(Html(HtmlParams(images=COUNT), run=None).render(results, tmp_path)) >= 1
    assert not (tmp_path / "cards").exists()
    assert "strict-dynamic" not in (tmp_path / "index.html").read_text()


def test_the_list_tells_what_is_known_of_each_image(context, results):
    index = image_index(context)
    assert index["ids"] == list(results.split.ids)
    said = next(group for group in index["groups"] if group["name"] == "Classifier says")
    names = [said["values"][row] for row in said["rows"]]
    assert names == [results.class_names[k] for k in results.targets.predicted]
    assert index["misclassified"] == context.misclassified.astype(int).tolist()
    sparsity = next(one for one in index["numbers"] if (one["name"], one["of"]) == ("sparsity", "heatmap"))
    expected = results.measurements["sparsity"]["heatmap"].items[0].values
    assert sparsity["values"] == pytest.approx(expected.tolist(), rel=1e-3)
    assert not any(one["name"] == "flip rate" for one in index["numbers"])  # it applies to no image


def test_whether_an_answer_turns_the_classifier(context, results):
    found = results.explanations["counterfactual"]
    turned = found.logits_after.argmax(1) != results.targets.predicted
    expected = [int(turned[row]) if found.converged[row] else None for row in range(COUNT)]
    assert image_index(context)["turned"] == {"counterfactual": expected}


def test_every_card_is_in_the_file_that_its_number_says(context, results):
    files = dict(card_files(context))
    assert list(files) == ["cards/0000.js", "cards/0001.js", "cards/0002.js"]
    for number, text in enumerate(files.values()):
        head, start, rest = "sidelightCards(", number * CARDS, text.strip()
        assert rest.startswith(f"{head}{start},")
        cards = json.loads(rest[len(f"{head}{start},") : -1])
        assert cards == json.loads(json.dumps([card(context, start + row) for row in range(len(cards))]))
        assert [one["id"] for one in cards] == list(results.split.ids[start : start + CARDS])


def test_a_shorter_list_says_how_many_there_are(results):
    context = Context(results, HtmlParams(images=30, index=25))
    assert len(image_index(context)["ids"]) == 25
    assert len(list(card_files(context))) == 2


def test_a_regression_is_sorted_by_its_value():
    results = many(toy_results(task="regression"), COUNT)
    index = image_index(Context(results, HtmlParams(images=30)))
    assert index["groups"] == []
    assert index["turned"] == {}
    value = index["numbers"][0]
    assert value["name"] == "value"
    assert np.allclose(value["values"], results.predictions.logits[:, 0], rtol=1e-3)


@pytest.fixture
def page(chromium, results, tmp_path):
    Html(HtmlParams(images=30), run=None).render(results, tmp_path)
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto((tmp_path / "index.html").as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page
    context.close()


@pytest.mark.browser
def test_a_card_is_loaded_from_disk_when_its_image_is_pressed(page, results):
    assert page.locator(".index-grid button").count() == COUNT
    page.locator(".index-grid button").nth(43).click()
    page.wait_for_selector(".picked .card")
    assert "image-43" in page.locator(".picked .facts").first.inner_text()
    assert page.evaluate("document.activeElement.id") == "image-64"  # 20 cards in the page, then the list's
    page.get_by_role("button", name="Next").click()
    page.wait_for_function("document.querySelector('.picked .facts').textContent.includes('image-44')")
    page.get_by_role("button", name="Close").click()
    assert page.locator(".picked .card").count() == 0
    assert page.complaints == []


@pytest.mark.browser
def test_the_list_is_filtered_and_sorted(page, results):
    said = results.class_names[int(results.targets.predicted[0])]
    page.get_by_label("Classifier says").select_option(said)
    count = int((results.targets.predicted == results.targets.predicted[0]).sum())
    assert page.locator("#all-images [role=status]").inner_text() == f"{count} of {COUNT} images"
    page.get_by_label("Classifier says").select_option("any")
    page.get_by_label("Sorted by").select_option("sparsity, heatmap")
    shown = [float(text) for text in page.locator(".index-grid span").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    page.get_by_label("Direction").select_option("lowest first")
    shown = [float(text) for text in page.locator(".index-grid span").all_inner_texts()]
    assert shown == sorted(shown)


@pytest.mark.browser
def test_a_page_without_its_folder_says_what_is_missing(page, tmp_path):
    for file in (tmp_path / "cards").iterdir():
        file.unlink()
    page.locator(".index-grid button").first.click()
    page.wait_for_selector(".picked .alert")
    assert "cards/0000.js is not beside this page" in page.locator(".picked .alert").inner_text()
