"""The page from disk that runs the models, in a browser without a network: every control does what it does live."""

import json

import attrs
import numpy as np
import pytest
from sidelight_explorer._params import WebParams
from sidelight_explorer.export import exported_page, precomputed_edits
from sidelight_explorer.offline import offline_models
from sidelight_explorer.session.file import read_latents, read_session
from sidelight_explorer.session.slider import saved_slider

from .test_explorer_page import CELL, Opened, number, picture

pytestmark = pytest.mark.browser


@pytest.fixture
def target(served, tmp_path):
    path = tmp_path / "page.html"
    models = offline_models(served.state, served.session, {}, 24)
    path.write_text(exported_page(served.state, served.session, 0, models=models))
    return path


def saved(page, path):
    """The session as a file."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save", exact=True).click()
    download.value.save_as(path)
    return json.loads(path.read_text())


def test_a_visit_without_a_server_is_as_one_with_it(chromium, served, target, tmp_path):
    disk = Opened(chromium, target.as_uri(), offline=True, accept_downloads=True)
    page = disk.page
    assert disk.scores() == sorted(disk.scores(), reverse=True)
    assert "from disk" in page.locator("h1").inner_text()
    page.locator(".gallery button >> nth=2").click()
    promised = number(page.locator(CELL.format(0)).locator(".score").inner_text())
    page.locator(CELL.format(0)).click()
    assert disk.score() == promised
    page.locator(".slide input >> nth=0").fill("37")
    between = disk.score()
    assert between != promised
    page.locator(".attribute input[type=range]").first.fill("60")
    moved = disk.score()
    assert moved != between
    page.keyboard.press("Control+z")
    assert disk.score() == between
    page.keyboard.press("Control+Shift+z")
    assert disk.score() == moved

    page.get_by_label("Images to upload").set_input_files([picture(1)])
    page.wait_for_selector(".gallery li:has-text('mine')")
    count = page.locator(".gallery li").count()
    page.get_by_role("button", name="Draw towards high scores").click()
    page.wait_for_selector(f".gallery li >> nth={count + 3}")
    page.get_by_role("button", name="This image").click()
    disk.settled()

    session = saved(page, tmp_path / "session.json")
    read, latents = read_session(session, 2), read_latents(session["latents"], (2, 3))
    shown = served.state.show([image.now for image in read.images], own=latents)
    expected = {image.name: one.drawn.values["main"] for image, one in zip(read.images, shown, strict=True)}
    names = page.locator(".gallery .name").all_inner_texts()
    target_class = len(served.classifiers["main"].class_names) - 1
    for name, score in zip(names, disk.scores(), strict=True):
        assert score == pytest.approx(float(expected[name][target_class]), abs=0.0051), name

    other = Opened(chromium, target.as_uri(), offline=True)
    other.page.get_by_role("button", name="Open").evaluate("one => one.nextElementSibling.hidden = false")
    other.page.get_by_label("A saved session").set_input_files(tmp_path / "session.json")
    other.page.wait_for_selector(".gallery li:has-text('mine')")
    assert other.scores() == disk.scores()
    message = other.page.locator(".message.news")
    assert "Opened session.json" in message.inner_text()
    other.page.locator(CELL.format(0)).click()
    message.wait_for(state="detached")
    other.page.set_viewport_size({"width": 390, "height": 800})
    assert other.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    other.close()
    disk.close()


def test_a_hypothesis_is_tested_and_what_is_missing_says_why(chromium, served, target):
    disk = Opened(chromium, target.as_uri(), offline=True)
    page = disk.page
    page.locator(".attribute input[type=range]").first.fill("100")
    disk.settled()
    page.get_by_label("A hypothesis").fill("it rises")
    page.keyboard.press("Enter")
    page.locator(".notes summary", has_text="Test it").click()
    page.get_by_label("Number of images").fill("12")
    page.get_by_role("button", name="Run the test").click()
    page.wait_for_selector(".notes svg, .notes .verdict-line, .notes details:has-text('12')", timeout=30_000)
    assert page.locator(".message").inner_text() == ""
    heatmap = page.locator(".controls select")
    assert heatmap.is_disabled()
    assert "gradients" in heatmap.get_attribute("title")
    button = page.get_by_role("button", name="Page", exact=True)
    assert button.is_disabled()
    assert "such a file already" in button.get_attribute("title")
    page.get_by_role("tab", name="Explore").click()
    page.get_by_label("seed", exact=True).first.fill("99")
    page.get_by_role("button", name="Draw", exact=True).click()
    disk.settled()
    assert page.locator(".message").inner_text() == "", "seeds beyond those held cannot be chosen"
    disk.close()


def test_a_page_moves_the_sliders_that_its_session_brings(chromium, served, tmp_path):
    slider = saved_slider("mine", np.array([[0.5, -0.2, 0.1], [0.3, 0.9, -0.4]], np.float32), None)
    served.state.sliders.load([slider])
    first, *others = served.session.images
    moved = attrs.evolve(first, now=attrs.evolve(first.now, moves=((slider.id, 80),)))
    session = attrs.evolve(served.session, images=(moved, *others), sliders=(slider,))
    path = tmp_path / "page.html"
    models = offline_models(served.state, session, {}, 24)
    path.write_text(exported_page(served.state, session, 0, models=models))
    disk = Opened(chromium, path.as_uri(), offline=True)
    (drawn,) = served.state.show([moved.now])
    shown = number(disk.page.locator(".gallery li", has_text=moved.name).locator(".score").first.inner_text())
    last = len(served.classifiers["main"].class_names) - 1
    assert shown == pytest.approx(float(drawn.drawn.values["main"][last]), abs=0.0051)
    assert disk.page.locator(".message").inner_text() == ""
    disk.close()


def test_pictures_are_combinations_of_groups_cut_alike_by_the_budget_and_said_before(served):
    session, sliders = served.session, served.state.sliders
    edits = list(precomputed_edits(session, 60, sliders))
    styles = {style.id for style in session.styles}
    both = [
        one for one in edits if {mix.end for mix in one.layers} <= styles and len({mix.end for mix in one.layers}) == 2
    ]
    assert len(both) == len(session.images) * len(styles) * (len(styles) - 1)
    told = []
    text = exported_page(served.state, session, 60, budget=0.05, tell=told.append)
    held = json.loads(text.split('id="content">')[1].split("</script>")[0])["pictures"]
    (line,) = told
    assert f"holds {len(held)} pictures of at most 256 pixels" in line
    assert "more are beyond the budget of 0.05 MB" in line
    assert np.isclose(len(json.dumps(held)) / 1e6, 0.05, rtol=0.5)
    own = {one.key for one in precomputed_edits(session, 0, sliders)}
    assert own <= held.keys()
    small = exported_page(served.state, session, 60, budget=0.001)
    assert json.loads(small.split('id="content">')[1].split("</script>")[0])["pictures"].keys() >= own
    assert WebParams().offline == "auto"
