"""Kinds that the report has never heard of: drawn by their blocks, each of them visible."""

from typing import ClassVar

import attrs
import numpy as np
import pytest
from PIL import Image
from sidelight_report import HtmlParams
from sidelight_report.document.context import Context
from sidelight_report.document.report import document
from sidelight_report.html import Html
from sidelight_specs import Artifact
from sidelight_specs.artifacts import per_image
from sidelight_specs.blocks import Overlay, Pair, Picture, Plot, Strip, Table, Text
from sidelight_specs.results import Explanation
from sidelight_specs.testing import ToyRun

SIDE = 16


def ramp(channels=1):
    return np.linspace(0, 1, channels * SIDE * SIDE, dtype=np.float32).reshape(channels, SIDE, SIDE)


@attrs.frozen(eq=False, kw_only=True)
class Novelty(Explanation):
    """All blocks at once."""

    kind: ClassVar[str] = "novelty"

    values: np.ndarray = per_image("N H W")

    def view(self, index):
        half = np.zeros((SIDE, SIDE), np.float32)
        half[:, : SIDE // 2] = 1
        return (
            Picture(ramp(3), caption="a picture"),
            Picture(None, caption="the image itself"),
            Overlay(self.values[index], caption="values over the image", signed=True),
            Overlay(np.eye(4, dtype=np.float32), ramp(), caption="coarse values over another image"),
            Overlay(half, ramp(), caption="half of it", mask=True, hidden=np.full((1, SIDE, SIDE), 255, np.uint8)),
            Pair(None, ramp(), "a pair", ("for {class 3}", "prototype")),
            Strip(np.stack([ramp(), 1 - ramp()]), "a strip", ("first", "second")),
            Plot(np.arange(5), {"loss": np.arange(5.0), "gain": np.full(5, np.nan)}, "a plot", "step", "nats"),
            Plot(("left", "right"), {"weight": np.array([-1.0, 2.0])}, "bars", style="bar"),
            Table(("class", "distance"), (("{class 3}", 0.5), ("other", 1.25)), "a table"),
            Text("<b>no markup</b> and {class 3}", "a text"),
        )


class Broken(Novelty):
    kind: ClassVar[str] = "broken"

    def view(self, index):
        raise RuntimeError("no picture today")


class Silent(Novelty):
    kind: ClassVar[str] = "silent"

    def view(self, index):
        return ()


@pytest.fixture
def novelty(digits):
    values = np.random.default_rng(0).normal(size=(len(digits.split), 32, 32)).astype(np.float32)
    explanations = {"new": Novelty(values=values), "failing": Broken(values=values), "empty": Silent(values=values)}
    return attrs.evolve(
        digits, explanations=explanations, measurements={}, emitted={"prototypes": Novelty(values=values)}
    )


@pytest.fixture
def page(chromium, novelty, render):
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(render(novelty, images=2).as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page
    page.close()
    assert errors == []


def block(page, kind, number=0):
    return (
        page.locator("#image-1 .tile")
        .filter(has=page.get_by_text("new", exact=True))
        .locator(f".block-{kind}")
        .nth(number)
    )


@pytest.mark.browser
@pytest.mark.parametrize("width", [1440, 390])
def test_every_block_of_an_unknown_kind_is_visible(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    for kind, count in {"picture": 3, "overlay": 2, "pair": 1, "strip": 1, "plot": 2, "table": 1, "text": 1}.items():
        for number in range(count):
            box = block(page, kind, number).bounding_box()
            assert box["width"] >= 100, kind
            assert box["height"] >= 20, kind
    for text in ("a picture", "values over the image", "a pair", "a strip", "a plot", "bars", "a table", "a text"):
        assert page.get_by_text(text, exact=True).first.is_visible(), text
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing is wider than the page"


@pytest.mark.browser
def test_blocks_show_what_they_hold(page):
    assert block(page, "table").locator("td").all_text_contents() == ["3", "0.5", "other", "1.25"]
    assert block(page, "text").locator("p").first.text_content() == "<b>no markup</b> and 3"
    assert block(page, "strip").locator("li span").all_text_contents() == ["first", "second"]
    assert block(page, "pair").locator("figcaption").all_text_contents() == ["for 3", "prototype"]
    assert block(page, "plot").locator("polyline").count() == 2
    assert block(page, "plot").locator(".legend li").all_text_contents() == ["loss", "gain"]
    assert block(page, "plot", 1).locator(".value").all_text_contents() == ["\u22121.00", "+2.00"]
    half = block(page, "picture", 2).locator("canvas")
    pixels = half.evaluate("c => [...c.getContext('2d').getImageData(0, 15, 16, 1).data].filter((_, i) => i % 4 === 0)")
    expected = np.rint(ramp()[0, 15] * 255).astype(int)
    assert pixels[:8] == expected[:8].tolist(), "visible where the mask is 1"
    assert pixels[8:] == [255] * 8, "hidden by white elsewhere"


@pytest.mark.browser
def test_an_overlay_on_the_image_points_with_it_and_another_size_does_not(page):
    page.locator("#image-1 .input sl-picture .frame").hover()
    assert block(page, "overlay").locator(".badge").is_visible()
    assert not block(page, "overlay", 1).locator(".badge").is_visible()


@pytest.mark.browser
def test_a_by_product_of_an_unknown_kind_shows_too(page):
    panel = page.locator("#by-products")
    panel.locator("summary").first.click()
    assert panel.locator("figcaption b").first.text_content() == "prototypes"
    assert panel.locator(".block-table").count() == 2, "a row for each of the shown questions"
    assert panel.locator(".block-overlay canvas").first.is_visible()


@pytest.mark.browser
def test_a_view_that_fails_or_is_empty_says_so_and_the_page_lives(page):
    assert page.get_by_text("“broken” cannot be shown: RuntimeError: no picture today").first.is_visible()
    assert page.get_by_text("This page has no picture for results of the kind “silent”.").first.is_visible()
    assert page.locator(".card").count() == 2


def test_a_view_that_fails_is_warned_about_once(novelty, tmp_path):
    run = ToyRun()
    Html(HtmlParams(), run=run).render(novelty, tmp_path)
    assert run.warnings == ['"broken" cannot be shown: RuntimeError: no picture today']


def test_coarse_values_keep_their_cells(novelty):
    context = Context(novelty, HtmlParams(images=1))
    blocks = document(context)["images"][0]["explanations"][0]["blocks"]
    overlay = blocks[3]
    assert (overlay["values"]["width"], overlay["values"]["height"]) == (SIDE, SIDE)
    assert overlay["picture"]["width"] == SIDE
    assert blocks[2]["picture"] is None, "the card has the image already"


def test_what_is_no_block_is_an_error_and_not_a_crash(novelty):
    class Odd(Artifact):
        kind = "odd"

        def view(self, index):
            return (Image.new("L", (1, 1)),)

    results = attrs.evolve(novelty, explanations={}, emitted={"odd": Odd()})
    (entry,) = document(Context(results, HtmlParams()))["emitted"]
    assert entry["error"].startswith("NotAnAttrsClassError") or "no block" in entry["error"]
