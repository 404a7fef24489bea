"""Names and pictures on the page: sliders that are renamed, starred, hidden, merged, saved and restricted."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from sidelight_explorer.export import exported_page
from sidelight_explorer.session.file import read_session
from sidelight_explorer.session.names import FILE
from sidelight_explorer.session.slider import saved_slider, write_slider
from sidelight_specs.results import Attribute, Attributes

from .conftest import World, serving
from .test_explorer_page import CELL, Opened, nothing_is_broken, number

pytestmark = pytest.mark.browser
WAY = np.full((2, 3), 6**-0.5, np.float32)


def finders():
    """Two coordinates, one of them both ways, and a direction for each of two classes, which are opposite."""
    up = Attribute(name="layer 2, channel 1, up", coordinate=4, channel=1, shift=2.0, value=3.0, effect=1.5, target=1)
    down = Attribute(name="layer 2, channel 1, down", coordinate=4, shift=-2.0, value=-3.0, effect=1.25, target=0)
    only = Attribute(name="layer 1, channel 0, up", coordinate=0, shift=2.0, value=3.0, effect=0.5, target=1)
    ways = [Attribute(name=f"{name} +100%", coordinate=0, shift=2.0, target=row) for row, name in enumerate("ab")]
    names = ("a", "b")
    return {
        "style": Attributes(attributes=(down, up, only), class_names=names),
        "way": Attributes(attributes=tuple(ways), directions=np.stack([WAY, -WAY]), class_names=names),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def named(folder):
    """A server whose run keeps names."""
    torch.set_num_threads(1)
    with serving(World(attributes=finders(), folder=folder)) as made:
        yield made


@pytest.fixture
def opened(chromium, named, folder):
    page = Opened(chromium, named.address, accept_downloads=True)
    yield page
    page.close()
    (folder / FILE).unlink(missing_ok=True)
    named.live.names.change(dict.fromkeys(named.live.names.labels), {})


def titles(page):
    return page.locator(".sliders > h3").all_inner_texts()


def slider(page, name):
    return page.locator(".attribute", has=page.get_by_role("button", name=f"Rename {name}", exact=True))


def kept(folder):
    path = folder / FILE
    return json.loads(path.read_text())["labels"] if path.exists() else {}


def wait_for(page, condition):
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(30)
    assert condition()


def test_sliders_that_go_opposite_ways_are_one_with_both_effects(opened):
    page = opened.page
    assert titles(page) == ["Both ways", "Towards \u201cb\u201d"]
    both = slider(page, "layer 2, channel 1")
    assert both.locator(".ends").inner_text().split("\n") == ["\u2190 a +1.25", "b +1.50 \u2192"]
    assert slider(page, "a \u2194 b").count() == 1
    scores = [number(text) for text in both.locator(".end .score").all_inner_texts()]
    range_ = both.locator("input[type=range]")
    for end, promised in zip(("-100", "100"), scores, strict=True):
        range_.fill(end)
        assert opened.score() == promised
    range_.fill("-30")
    opened.score()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save", exact=True).click()
    (image,) = (one for one in json.loads(saved.value.path().read_text())["images"] if one["now"]["moves"])
    assert list(image["now"]["moves"].values()) == [30], "the one that goes down, by 30"
    assert both.locator("output").inner_text() == "\u221230"
    both.locator(".end >> nth=1").click()
    assert opened.score() == scores[1]


def test_a_slider_is_renamed_starred_and_hidden_by_keyboard_and_the_run_keeps_it(opened, chromium, named, folder):
    page = opened.page
    slider(page, "layer 1, channel 0, up").get_by_role("button", name="Rename").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("stripes")
    page.keyboard.press("Enter")
    assert "layer 1, channel 0, up" in slider(page, "stripes").locator(".found").inner_text()
    page.get_by_role("button", name="Star stripes").focus()
    page.keyboard.press("Enter")
    assert titles(page) == ["Starred", "Both ways"]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Star stripes", "the focus stays"
    menu = slider(page, "layer 2, channel 1").locator("summary")
    menu.focus()
    page.keyboard.press("Enter")
    slider(page, "layer 2, channel 1").get_by_role("button", name="Hide").press("Enter")
    assert page.locator(".hidden-sliders > summary").inner_text() == "Hidden (1)"
    assert not slider(page, "layer 2, channel 1").locator("input[type=range]").is_visible()
    wait_for(page, lambda: len(kept(folder)) == 3)
    again = Opened(chromium, named.address)
    assert titles(again.page) == ["Starred", "Both ways"]
    assert slider(again.page, "stripes").count() == 1
    again.close()
    for count in (1, 1, 0):
        page.keyboard.press("Control+z")
        wait_for(page, lambda count=count: len(kept(folder)) == count)
    assert titles(page) == ["Both ways", "Towards \u201cb\u201d"]


def test_escape_leaves_a_name_and_an_empty_one_is_the_finders(opened):
    page = opened.page
    for keys, name in ((["x", "Escape"], "a \u2194 b"), (["y", "Enter"], "y"), (["Delete", "Enter"], "a \u2194 b")):
        page.locator(".attribute .name >> nth=1").click()
        for key in keys:
            page.keyboard.press(key)
        assert slider(page, name).count() == 1


def test_an_edit_becomes_a_named_direction_that_moves_other_images(opened, named, folder):
    page = opened.page
    save = page.get_by_role("button", name="Turn edit into a direction")
    assert (save.is_disabled(), save.get_attribute("title")) == (True, "Edit the image first")
    slider(page, "layer 2, channel 1").locator("input[type=range]").fill("100")
    assert save.is_disabled()
    assert "style space" in save.get_attribute("title")
    page.get_by_role("button", name="Reset").click()
    page.locator(CELL.format(0)).click()
    edited = opened.score()
    save.click()
    page.get_by_label("Name of the slider").fill("my way")
    page.keyboard.press("Enter")
    assert titles(page)[0] == "Saved directions"
    page.get_by_role("button", name="Reset").click()
    mine = slider(page, "my way")
    mine.locator("input[type=range]").fill("100")
    assert opened.score() == pytest.approx(edited, abs=0.011), "of this image it is the edit itself"
    wait_for(page, lambda: [one["name"] for one in kept(folder).values()] == ["my way"])
    save.click()
    page.wait_for_selector(".message:has-text('is a slider already: my way')")
    mine.locator("summary").click()
    make = mine.get_by_role("button", name="Slider of")
    assert make.is_disabled()
    mine.get_by_label("Last layer").select_option(index=1)
    mine.get_by_label("First layer").select_option(index=1)
    assert make.inner_text() == "Slider of layer 2"
    make.click()
    page.wait_for_selector(".message:has-text('moves nothing')")  # the edit was in the first layer
    assert [error for error in opened.errors if "409" not in error] == []
    opened.errors.clear()  # Chromium logs the refusal
    mine.get_by_role("button", name="Remove").click()
    assert titles(page)[0] == "Both ways"
    assert opened.score() != edited
    wait_for(page, lambda: kept(folder) == {})


def test_a_direction_in_some_layers_is_another_slider(opened, named):
    page = opened.page
    line = slider(page, "a \u2194 b")
    line.locator("summary").click()
    line.get_by_label("Last layer").select_option(index=0)
    line.get_by_role("button", name="Slider of layer 1").click()
    page.get_by_label("Name of the slider").wait_for()  # the server has made it
    page.keyboard.press("Enter")
    part = slider(page, "a \u2194 b, layer 1")
    part.locator("input[type=range]").fill("100")
    opened.score()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save", exact=True).click()
    session = read_session({**json.loads(saved.value.path().read_text()), "latents": {}}, 2)
    (made,) = (one for one in session.sliders if one.finder == "saved")
    np.testing.assert_allclose(made.direction, [-2 * WAY[0], 0 * WAY[0]], atol=1e-6)
    assert session.labels[made.id].name == "a \u2194 b, layer 1"
    page.wait_for_selector("html[data-remembered]", state="attached")
    page.reload()
    opened.settled()
    assert part.locator("output").inner_text() == "100", "the address holds it"


def test_a_session_too_long_for_an_address_says_so_once_and_leaves_no_older_one_there(opened, named):
    """Directions of large generators are long: twenty of 18 layers and 512 numbers are a million characters."""
    page = opened.page
    page.wait_for_selector("html[data-remembered]", state="attached")
    assert "s=" in page.url.split("#")[1]
    noise = base64.b64encode(np.random.default_rng(0).bytes(1_500_000)).decode()
    slider = saved_slider("long", WAY)
    named.state.sliders.load([slider])
    long = {**write_slider(slider), "direction": noise}
    page.route("**/direction", lambda route: route.fulfill(json=long))
    page.route("**/names", lambda route: route.fulfill(json={}))
    page.locator(CELL.format(0)).click()
    page.get_by_role("button", name="Turn edit into a direction").click()
    page.wait_for_selector(".message:has-text('too long for the page')", timeout=30_000)
    assert "&s=" not in page.url


def test_a_coordinate_has_no_layers_to_choose(opened):
    one = slider(opened.page, "layer 1, channel 0, up")
    one.locator("summary").click()
    assert "one layer" in one.locator(".menu .note").inner_text()
    opened.page.keyboard.press("Escape")
    assert not one.locator(".menu").is_visible()
    assert one.locator("summary").evaluate("one => one === document.activeElement")
    one.locator("summary").click()
    opened.page.locator(".attributes-panel h2").click()
    assert not one.locator(".menu").is_visible()


def test_before_and_after_stand_side_by_side_and_in_the_picture(opened):
    page = opened.page
    before, after = (page.locator(f".current-panel .{one}") for one in ("old", "big"))
    assert before.inner_text() == after.inner_text()
    page.locator(CELL.format(0)).click()
    opened.score()
    assert before.inner_text() != after.inner_text()
    first, second = (page.locator(f".pair .stage >> nth={index}").bounding_box() for index in (0, 1))
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] <= second["x"]
    assert first["width"] == pytest.approx(second["width"])
    assert "layer 1: draw 1" in page.locator(".done").inner_text()
    with page.expect_download() as made:
        page.get_by_role("button", name="Picture", exact=True).click()
    picture = Image.open(io.BytesIO(made.value.path().read_bytes())).convert("L")
    assert picture.width == 2 * 512 + 8
    pixels = np.asarray(picture, float)
    left, right = (pixels[40 : 40 + 500, start : start + 512] for start in (0, 520))
    assert np.abs(left - right).max() > 10, "before and after differ"
    assert len(np.unique(left)) > 10, "there is a picture"


def test_rows_have_pictures_and_are_renamed_starred_and_hidden(opened):
    page = opened.page
    rows = page.locator(".matrix tbody tr")
    assert rows.count() == 3
    page.wait_for_selector(".row-head img.blank", state="detached")
    rows.nth(2).get_by_role("button", name="Rename draw 3").click()
    page.keyboard.type("bright")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Star bright").press("Enter")
    assert rows.nth(0).locator(".name").inner_text() == "bright"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Star bright", "the focus stays"
    page.get_by_role("button", name="Hide the row draw 1").click()
    assert rows.count() == 2
    page.get_by_role("button", name="Hidden (1)").click()
    assert rows.nth(2).locator(".name").inner_text() == "draw 1"
    page.get_by_role("button", name="Show the row draw 1").click()
    assert rows.count() == 3


def test_a_mix_slider_says_what_it_waits_for(opened):
    mix = opened.page.locator(".slide >> nth=0")
    assert mix.locator("input").is_disabled()
    assert "Press a cell" in mix.locator("input").get_attribute("title")
    opened.page.locator(CELL.format(0)).click()
    opened.settled()
    assert not mix.locator("input").is_disabled()


def test_pictures_of_sliders_never_hold_an_edit_up(opened, named):
    """While pictures of ends are drawn, an edit's request is the next one that is sent."""
    page, sent = opened.page, []
    page.on("request", lambda one: sent.append(json.loads(one.post_data)) if one.url.endswith("/draw") else None)
    page.locator(".gallery button >> nth=1").click()
    opened.settled()
    sent.clear()
    slider(page, "layer 1, channel 0, up").locator("input[type=range]").fill("40")
    opened.settled()
    assert sent[0]["edit"]
    assert len(sent[0]["specs"]) == 1
    ends = [spec for one in sent[1:] for spec in one["specs"] if 100 in spec["moves"].values()]
    assert ends == [], "ends of the image as it began are there already"


def test_a_page_from_disk_shows_names_and_moves_a_pair_from_end_to_end(opened, chromium, named, tmp_path):
    page = opened.page
    page.get_by_role("button", name="Rename layer 2, channel 1", exact=True).click()
    page.keyboard.type("colour")
    page.keyboard.press("Enter")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save", exact=True).click()
    value = json.loads(saved.value.path().read_text())
    target = tmp_path / "page.html"
    target.write_text(exported_page(named.state, read_session(value, 2), 40))
    disk = Opened(chromium, target.as_uri(), offline=True)
    colour = slider(disk.page, "colour")
    promised = [number(text) for text in colour.locator(".end .score").all_inner_texts()]
    for end, score in zip(("-100", "100"), promised, strict=True):
        colour.locator("input[type=range]").fill(end)
        assert disk.score() == score
        disk.page.keyboard.press("Control+z")
    disk.page.get_by_role("button", name="Star colour").click()
    assert titles(disk.page)[0] == "Starred"
    assert disk.page.get_by_role("button", name="Turn edit into a direction").is_disabled()
    nothing_is_broken(disk.page)
    disk.close()


def test_narrow_and_dark(chromium, named):
    narrow = Opened(chromium, named.address, color_scheme="dark")
    narrow.page.set_viewport_size({"width": 390, "height": 800})
    narrow.page.locator(".attribute summary >> nth=0").click()
    assert narrow.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    menu = narrow.page.locator(".menu >> nth=0").bounding_box()
    assert menu["x"] >= 0
    narrow.close()
