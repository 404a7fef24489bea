"""The attention graph in a real browser: what a node and an edge tell, and that the picture is the scored one."""

import io

import attrs
import numpy as np
import pytest
from PIL import Image
from sidelight_specs.results import AttentionGraph, Graph, GraphNode

pytestmark = pytest.mark.browser

MINUS = "\u2212"

NODES = (
    GraphNode(patches=(0, 1, 5), confidence=0.95, root=True, children=(2, 3)),
    GraphNode(patches=(5, 10), confidence=0.92, root=True, children=(4, 5)),
    GraphNode(patches=(1, 5), confidence=0.25),
    GraphNode(patches=(0, 5), confidence=0.85),
    GraphNode(patches=(5,), confidence=0.4),
    GraphNode(patches=(10,), confidence=0.02),
)
GRAPH = Graph(nodes=NODES, probability=0.8, sufficient=((5, 10), (0, 1, 5), (0, 2, 6)))


def with_graph(photos, **options):
    """A run with one photograph and its graph over 4x4 patches."""
    baseline = np.full((1, 3, 224, 224), 0.5, dtype=np.float32)
    graph = AttentionGraph(**{"graphs": (GRAPH,), "grid": (4, 4), "baseline": baseline, **options})
    return attrs.evolve(
        photos,
        split=attrs.evolve(photos.split, images=photos.split.images[:1], ids=photos.split.ids[:1]),
        predictions=attrs.evolve(photos.predictions, logits=photos.predictions.logits[:1]),
        targets=attrs.evolve(photos.targets, predicted=photos.targets.predicted[:1], probe=photos.targets.probe[:1]),
        explanations={"sag": graph},
        measurements={},
    )


@pytest.fixture
def graph_page(chromium, render, photos):
    """Opens the page of a run, by default `with_graph`, in a window of this width."""
    opened = []

    def open_page(width=1280, results=None):
        opened.append(chromium.new_context(viewport={"width": width, "height": 900}))
        page = opened[-1].new_page()
        page.goto(render(results or with_graph(photos)).as_uri())
        page.wait_for_selector("html[data-ready]", timeout=30_000, state="attached")
        return page

    yield open_page
    for context in opened:
        context.close()


def shared(page):
    """The marked patches of every node."""
    return page.locator("sl-attention-graph .node").evaluate_all(
        "nodes => nodes.map(n => [...n.querySelectorAll('.shared')].map(p => +p.dataset.patch))"
    )


def test_every_node_shows_its_confidence_and_its_patches(graph_page):
    nodes = graph_page().locator("sl-attention-graph .node")
    assert nodes.locator(".confidence").all_text_contents() == ["95 %", "25 %", "85 %", "92 %", "40 %", "2 %"]
    assert nodes.first.get_attribute("aria-label").startswith("3 of 16 patches, 39 % of the image lit, keep 95 % of")
    assert [nodes.nth(i).locator("[data-patch]").count() for i in range(6)] == [3, 2, 2, 2, 1, 1]


@pytest.mark.parametrize(("soft", "lit"), [(True, ["39 %", "64 %"]), (False, ["19 %", "13 %"])])
def test_the_lit_area_stands_beside_the_confidence(graph_page, photos, soft, lit):
    page = graph_page(results=with_graph(photos, soft=soft))
    assert page.locator("sl-attention-graph .root .lit").all_text_contents() == [f"{share} lit" for share in lit]


@pytest.mark.parametrize("soft", [True, False])
@pytest.mark.parametrize("way", ["click", "Enter"])
def test_a_pressed_node_shows_the_scored_picture_pixel_by_pixel(graph_page, photos, soft, way):
    baseline = photos.split.images[1:2]
    results = with_graph(photos, soft=soft, baseline=baseline)
    page = graph_page(results=results)
    node = page.locator("sl-attention-graph .node").nth(1)
    node.click() if way == "click" else node.press("Enter")
    shown = np.asarray(Image.open(io.BytesIO(page.locator("dialog canvas").screenshot())).convert("RGB"))
    graph, image = results.explanations["sag"], photos.split.images[0]
    mask = graph.alpha((1, 5), (224, 224))
    expected = np.moveaxis(image * mask + baseline[0] * (1 - mask), 0, 2)
    assert shown.shape == (224, 224, 3)
    assert np.abs(shown / 255 - expected).max() < 2 / 255
    assert "2 of 16 patches" in page.locator("dialog").text_content()
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    assert page.evaluate("document.activeElement.classList.contains('node')")


def test_where_it_is_not_known_what_hides_a_patch_the_rest_is_blank(graph_page, photos):
    page = graph_page(results=with_graph(photos, baseline=None, soft=False))
    page.locator("sl-attention-graph .node").nth(4).click()
    alphas = "c => [...c.getContext('2d').getImageData(0, 0, 224, 224).data].filter((v, i) => i % 4 === 3 && v)"
    assert page.locator("dialog canvas").evaluate(f"c => ({alphas})(c).length") == 56 * 56
    assert "not known" in page.locator("dialog").text_content()


def test_small_images_are_enlarged_by_a_whole_number(graph_page, digits):
    page = graph_page(results=with_graph(digits, baseline=np.zeros((1, 1, 32, 32), np.float32)))
    page.locator("sl-attention-graph .node").first.click()
    assert page.locator("dialog canvas").bounding_box()["width"] == 224


@pytest.mark.parametrize("way", ["hover", "focus"])
def test_a_node_marks_its_patches_wherever_they_are_shown(graph_page, way):
    page = graph_page()
    node = page.locator("sl-attention-graph .node").nth(1)
    getattr(node, way)()
    assert shared(page) == [[1, 5], [1, 5], [5], [5], [5], []]
    assert page.locator("sl-attention-graph .node.apart .confidence").all_text_contents() == ["2 %"]
    assert "4 other pictures show some of them" in page.locator("sl-attention-graph output").text_content()


@pytest.mark.parametrize("way", ["hover", "focus"])
def test_an_edge_tells_what_the_lost_patch_costs(graph_page, way):
    page = graph_page()
    edge = page.locator("sl-attention-graph .edge").first
    assert not edge.locator("text").is_visible()
    edge.focus() if way == "focus" else edge.locator(".stroke").hover()
    assert edge.locator("text").is_visible()
    assert edge.locator("text").text_content() == f"{MINUS}70"
    told = page.locator("sl-attention-graph output").text_content()
    assert told == f"Without row 1 column 1: 95 % → 25 %, {MINUS}70 points."
    assert edge.locator(".lost").evaluate_all("all => all.map(e => getComputedStyle(e).visibility)") == ["visible"] * 2


def test_leaving_forgets_what_was_pointed_at_but_not_what_is_focused(graph_page):
    page = graph_page()
    nodes = page.locator("sl-attention-graph .node")
    nodes.nth(4).focus()
    nodes.nth(5).hover()
    assert shared(page)[5] == [10]
    page.mouse.move(2, 2)
    assert shared(page) == [[5], [5], [5], [5], [5], []]
    page.evaluate("document.activeElement.blur()")
    assert shared(page) == [[]] * 6


def test_nodes_and_edges_are_reached_with_tab(graph_page):
    page = graph_page()
    page.locator("sl-attention-graph .node").first.focus()
    labels = []
    for _ in range(3):
        page.keyboard.press("Tab")
        labels.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert labels[1].startswith("2 of 16 patches, ")
    assert labels[2] == f"Without row 1 column 1: 95 % → 25 %, {MINUS}70 points"


def test_what_was_left_out_is_said(graph_page):
    note = graph_page().locator("sl-attention-graph .note").text_content()
    assert "3 minimal sufficient sets were found; the 2 shown overlap least" in note


def test_print_shows_every_effect(graph_page):
    page = graph_page()
    page.emulate_media(media="print")
    assert all(text.is_visible() for text in page.locator("sl-attention-graph .edge text").all())
    assert not page.locator("sl-attention-graph output").is_visible()


def test_a_phone_shows_whole_trees(graph_page):
    page = graph_page(390)
    for drawing in page.locator("sl-attention-graph .tree > svg").all():
        box = drawing.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
