"""Any generator on the page: classes to draw, a regression beside a classifier, large images at the size shown."""

import math
import re
import threading

import pytest
import torch
import uvicorn
from sidelight_explorer.layered import LayeredGenerator
from sidelight_explorer.server.app import application
from sidelight_explorer.server.listener import address, listen
from sidelight_explorer.server.live_state import LiveState
from sidelight_explorer.session.state import explorer_state, initial_session
from sidelight_specs.testing.explanations import toy_results
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier

from .conftest import TOKEN, World
from .test_explorer_conditions import Conditional
from .test_explorer_page import CELL, Opened, number

pytestmark = pytest.mark.browser

LARGE = (1, 256, 256)
VALUE = "amplitude of rows"
CLASS = ".topbar select >> nth=1"
WIDTHS = "all => Promise.all(all.map(async one => { await one.decode(); return one.naturalWidth; }))"


class AnyGenerator(World):
    """A class-conditional generator of large images; its first classifier is a regression."""

    def __init__(self):
        super().__init__(units={VALUE: "greys"}, neutral={VALUE: 0.5})
        self.classifiers = {"value": ToyClassifier(LARGE, "regression"), "causes": ToyClassifier(LARGE)}
        generator = LayeredGenerator(Conditional(LARGE))
        state = explorer_state(toy_results(), self.params, generator, self.classifiers, ToyRun(), styled=True)
        self.live = LiveState(state, self.stage, initial_session(state, self.params), own={}, encodes=False)
        self.app = application(self.live, TOKEN, upload=1 << 20)


@pytest.fixture(scope="module")
def any_generator():
    torch.set_num_threads(1)
    made = AnyGenerator()
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(made.app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield address(listening, TOKEN.replace(" ", "%20"))
    server.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture
def opened(chromium, any_generator):
    page = Opened(chromium, any_generator)
    yield page
    page.close()


def test_each_class_is_drawn_of_the_same_noise(opened):
    page = opened.page
    page.get_by_label("classifier").select_option("causes")
    page.locator(CLASS).select_option("rows")
    chosen = page.get_by_label("drawn class")
    assert chosen.locator("option").all_inner_texts() == [
        "any",
        "each, of the same noise",
        "weak",
        "plain",
        "strong",
    ]
    page.get_by_label("draws", exact=True).fill("2")
    for option, names in (("each", ["weak", "plain", "strong"] * 2), ("2", ["strong"] * 2)):
        before = page.locator(".gallery li").count()
        chosen.select_option(option)
        page.get_by_role("button", name="Draw", exact=True).click()
        page.wait_for_selector(f".gallery li >> nth={before + len(names) - 1}")
        opened.settled()
        assert page.locator(".gallery li").count() == before + len(names)
    by_name = {
        name: number(page.locator(f".gallery li:has-text('draw 1.1 {name}') .score").inner_text().lstrip("● "))
        for name in ("weak", "plain", "strong")
    }
    assert by_name["weak"] < by_name["plain"] < by_name["strong"]
    page.get_by_role("button", name="Draw towards high scores").click()
    page.wait_for_selector(".gallery li:has-text('high 3.2 strong')")
    opened.settled()


def test_a_regression_has_a_bar_colours_and_a_unit_and_each_classifier_its_own_classes(opened):
    page = opened.page
    opened.settled()
    assert page.locator(CLASS).is_disabled()
    assert page.locator(".current-panel .big").inner_text().endswith(" greys")
    said = page.locator(".says").inner_text()
    assert re.match(rf"{VALUE} in greys; bar from .* to .*, middle 0.50", said), said
    assert "value says" in said
    assert "causes says" in said
    read = "all => all.map(one => [one.className, parseFloat(one.style.width)])"
    bars = page.locator(".gallery .tone span").evaluate_all(read)
    scores = [number(text.lstrip("● ")) for text in page.locator(".gallery .score").all_inner_texts()]
    for (side, width), score in zip(bars, scores, strict=True):
        assert side == ("more" if score >= 0.5 else "less"), "coloured by its side of the neutral value"
        assert 0 <= width <= 50
    assert max(width for _, width in bars) > 5
    page.get_by_label("classifier").select_option("causes")
    opened.settled()
    assert page.locator(CLASS).locator("option").all_inner_texts() == ["rows", "columns", "checks"]
    assert "greys" not in page.locator(".current-panel .big").inner_text()


def test_large_images_come_as_wide_as_they_are_shown_and_smooth(chromium, any_generator):
    for scale in (1, 2):
        opened = Opened(chromium, any_generator, device_scale_factor=scale)
        page = opened.page
        page.locator(CELL.format(0)).click()
        opened.settled()
        shown = page.locator(".stage.after").evaluate("one => one.clientWidth")
        large = min(256, 32 * math.ceil(shown / 32) * scale)
        assert page.locator(".stage.after img").evaluate("one => one.naturalWidth") == large
        widths = page.locator(".matrix .cell img").evaluate_all(WIDTHS)
        assert set(widths) == {104 * scale, large}, "the cell of the edited image has the stage's picture"
        page.set_viewport_size({"width": 700, "height": 900})
        for _ in range(600):  # the page's policy forbids wait_for_function
            if page.locator(".stage.after img").evaluate("one => one.naturalWidth") == 256:
                break
            page.wait_for_timeout(100)
        else:
            pytest.fail("a larger stage has no larger picture")
        kinds = page.locator(".gallery img, .matrix .cell img").evaluate_all(
            "all => all.map(one => one.src.slice(5, 15))"
        )
        assert set(kinds) == {"image/webp"}
        smooth = "all => all.every(one => getComputedStyle(one).imageRendering === 'auto')"
        assert page.locator("img.crisp").evaluate_all(smooth)
        opened.close()
