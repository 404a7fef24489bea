"""By-products as a reader sees them: many numbers as bars, long curves with their course, pictures with their words."""

import attrs
import numpy as np
import pytest
from sidelight_specs.results import Measurement, Measurements, Split, State

pytestmark = pytest.mark.browser


def numbers(count, **other):
    return tuple(
        Measurement(
            **({"name": f"factor {i}", "values": np.array([count - i]), "better": "neither", "unit": "u"} | other)
        )
        for i in range(count)
    )


@pytest.fixture
def panel(chromium, render, digits):
    """The panel of by-products of some digits."""
    pages = []

    def show(**emitted):
        page = chromium.new_page()
        pages.append(page)
        page.goto(render(attrs.evolve(digits, emitted=emitted), images=1).as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        return page.locator("#by-products")

    yield show
    for page in pages:
        page.close()


def test_many_numbers_of_one_kind_are_bars_and_others_a_list(panel):
    mixed = (*numbers(4), *numbers(1, better="higher", name="accuracy"))
    shown = panel(effects=Measurements(items=numbers(6)), few=Measurements(items=mixed))
    bars = shown.locator(".ranked .fill")
    assert bars.evaluate_all("all => all.map(e => Math.round(parseFloat(e.style.width)))") == [100, 83, 67, 50, 33, 17]
    assert shown.locator("dl.measures dt").count() == 5


def test_a_long_curve_gets_its_mean_over_some_steps(panel):
    noise = np.random.default_rng(0).normal(1, 0.3, 400).astype(np.float32)
    shown = panel(long=State(curves={"loss": noise}), short=State(curves={"loss": noise[:50]}))
    assert shown.get_by_text("loss, and its mean over 10 steps").count() == 1
    counts = [figure.locator("polyline").count() for figure in shown.locator("figure").all()]
    assert counts == [2, 1]
    points = shown.locator("figure").first.locator("polyline:not(.faint)").get_attribute("points").split(" ")
    assert len(points) == 400
    heights = [float(point.split(",")[1]) for point in points]
    low, high = noise.min(), noise.max()
    assert heights[200] == pytest.approx(100 - 100 * (noise[195:206].mean() - low) / (high - low), abs=0.1)


def test_a_few_pictures_say_what_they_are(panel, digits):
    few = Split(images=digits.split.images[:2], ids=("one: 99%", "two: 3%"))
    many = Split(images=np.repeat(digits.split.images, 4, 0), ids=tuple(str(i) for i in range(32)))
    shown = panel(few=few, many=many)
    assert shown.locator(".named-pictures span").all_text_contents() == ["one: 99%", "two: 3%"]
    assert shown.locator(".sheet:not(.named-pictures) img").count() == 32
