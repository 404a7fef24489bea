"""The page says "A because of B, C and D" in the numbers of the explanation."""

import attrs
import numpy as np
import pytest
from sidelight_report import HtmlParams
from sidelight_report.document.concepts import because, despite
from sidelight_report.document.context import Context
from sidelight_report.document.report import document
from sidelight_specs.results import Concepts

WEIGHTS = np.zeros((10, 4), np.float32)
WEIGHTS[:2] = [[6, 3, 0, -2], [-4, 1, 0, 5]]


def test_the_fewest_concepts_are_named_that_hold_nine_tenths_of_what_speaks_for_the_class():
    assert because(np.array([0.5, 6.0, -1.0, 3.0, 0.5])) == [1, 3]
    assert because(np.array([0.5, 6.0, -1.0, 2.9, 0.6])) == [1, 3, 4]
    assert because(np.ones(9)) == [0, 1, 2, 3, 4]
    assert because(np.array([-1.0, 0.0])) == []


def test_what_speaks_notably_against_the_class_is_named_too():
    assert despite(np.array([10.0, -0.9, -1.0, -3.0])) == [3, 2]
    assert despite(np.array([10.0, 0.0])) == []
    assert despite(np.array([-1.0, 0.0])) == [0]


@pytest.fixture
def explained(digits):
    """Two images' worth of concepts in the place of what the digits are explained by."""
    count = len(digits.targets)
    activations = np.tile(np.float32([1.0, 0.5, 0, 0.4]), (count, 1))
    maps = np.zeros((count, 4, 32, 32), np.float32)
    maps[:, 0, 4:8, 4:8] = 2.0
    concepts = Concepts(
        names=("stem", "loop", "serif", "hook"),
        activations=activations,
        contributions=activations * WEIGHTS[0],
        heatmaps=maps,
        exemplars=np.repeat(digits.split.images[:3][None], 4, 0),
        exemplar_activations=np.tile(np.float32([1.2, 1.1, 1.0]), (4, 1)),
        constant=np.full(count, -0.5, np.float32),
        weights=WEIGHTS,
    )
    return attrs.evolve(digits, explanations={"xnn": concepts}, measurements={})


def test_an_entry_adds_up(explained):
    (entry,) = document(Context(explained, HtmlParams()))["images"][0]["explanations"]
    assert (entry["because"], entry["despite"]) == ([0, 1], [3])
    named = entry["named"]
    assert [named[key]["name"] for key in ("0", "1", "3")] == ["stem", "loop", "hook"]
    shown = sum(concept["contribution"] for concept in named.values())
    assert entry["total"] == pytest.approx(shown + entry["rest"] + entry["constant"])
    assert (entry["others"], entry["total"]) == (1, pytest.approx(6 + 1.5 - 0.8 - 0.5))
    assert named["0"]["map"]["saturation"] == 2.0
    assert named["1"]["map"] is None  # an empty heatmap is no place


def test_a_concept_says_which_classes_it_speaks_for(explained):
    (section,) = document(Context(explained, HtmlParams()))["exemplars"]
    weights = [[(item["class"], item["weight"]) for item in concept["weights"]] for concept in section["concepts"]]
    assert weights == [[("0", 6.0), ("1", -4.0)], [("0", 3.0), ("1", 1.0)], [], [("1", 5.0), ("0", -2.0)]]
    assert section["concepts"][0]["strengths"] == pytest.approx([1.2, 1.1, 1.0])


def test_the_page_says_it_in_words(explained, render, chromium):
    page = chromium.new_page()
    page.goto(render(explained).as_uri())
    card = page.locator("#image-1")
    assert "because of stem and loop, in spite of hook." in card.inner_text()
    assert card.locator(".named > li").count() == 3
    assert card.locator(".named > li").first.locator(".strongest-in img").count() == 3
    assert "a logit of 6.20 in all" in card.inner_text()
    assert page.locator("#concepts-1 .catalogue > li").count() == 4
    page.close()
