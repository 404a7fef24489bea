"""The explorer in a real browser: what a user sees, presses and keeps."""

import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from sidelight_explorer._params import ByHandParams
from sidelight_explorer.explainers.by_hand import ByHand
from sidelight_explorer.export import exported_page
from sidelight_specs.results import Targets
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyData

pytestmark = pytest.mark.browser

CELL = ".matrix .cell >> nth={}"


class Opened:
    """A page, with everything that it complained about."""

    def __init__(self, chromium, url, **context):
        self.context = chromium.new_context(viewport={"width": 1280, "height": 900}, **context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.errors = []
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)
        self.page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
        self.settled()

    def settled(self):
        """Every picture on the page is there."""
        missing = ".gallery img.blank, .matrix img.blank, [aria-busy=true]"
        self.page.wait_for_selector(missing, state="detached", timeout=60_000)

    def score(self):
        """Of the image that is edited."""
        self.settled()
        return number(self.page.locator(".current-panel .big").inner_text())

    def scores(self):
        """Of the gallery, in its order."""
        self.settled()
        return [number(text) for text in self.page.locator(".gallery .score").all_inner_texts()]

    def close(self):
        """Nothing was complained about."""
        self.context.close()
        assert self.errors == []


def number(text):
    return float(text.replace("\u2212", "-"))


@pytest.fixture
def opened(chromium, served):
    page = Opened(chromium, served.address, accept_downloads=True)
    yield page
    page.close()


def picture(index=0):
    """A test image as a PNG file."""
    array = (ToyData((1, 32, 32)).split("test").images[index, 0] * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return {"name": "mine.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def test_mix_interpolate_undo_redo_and_the_address_holds_it(opened, chromium):
    page = opened.page
    assert opened.scores() == sorted(opened.scores(), reverse=True)
    page.locator(".gallery button >> nth=2").click()
    before = opened.score()
    promised = number(page.locator(CELL.format(0)).locator(".score").inner_text())
    page.locator(CELL.format(0)).click()
    assert opened.score() == promised != before
    page.locator(".slide input >> nth=0").fill("40")
    between = opened.score()
    assert between not in (before, promised)
    page.get_by_role("button", name="Undo").click()
    assert opened.score() == promised
    page.get_by_role("button", name="Undo").click()
    assert opened.score() == before
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+y")
    assert opened.score() == between
    page.wait_for_selector("html[data-remembered]", state="attached")
    again = Opened(chromium, page.url)
    assert again.score() == between
    again.close()


def test_style_view_groups_shuffle_draws_and_copies(opened):
    page = opened.page
    page.get_by_role("button", name="Style view").click()
    opened.settled()
    rows = page.locator(".matrix tbody tr").all()
    for row in rows:
        assert len(set(row.locator(".cell .score").all_inner_texts())) == 1
    page.get_by_label("Groups of layers").fill("1")
    page.keyboard.press("Tab")
    opened.settled()
    assert page.locator(".matrix thead th").count() == 2
    page.get_by_role("button", name="Draw", exact=True).click()
    opened.settled()
    assert page.locator(".matrix tbody tr").count() == len(rows) + 4
    count = page.locator(".gallery li").count()
    page.get_by_role("button", name="Draw towards high scores").click()
    page.wait_for_selector(f".gallery li >> nth={count + 3}")
    opened.settled()
    new = [number(text) for text in page.locator(".gallery li:has-text('high') .score").all_inner_texts()]
    assert len(new) == 4
    assert min(new) > np.median(opened.scores())
    before = opened.score()
    page.get_by_role("button", name="This image").click()
    assert opened.score() != before
    page.get_by_role("button", name="Reset").click()
    assert opened.score() == before
    page.get_by_role("button", name="Duplicate").click()
    opened.settled()
    assert "copy" in page.locator(".current-panel h2").inner_text()


def test_upload_is_inverted_with_progress_and_can_be_cancelled(opened, served):
    page = opened.page
    served.inverter.leave.clear()
    served.inverter.begun.clear()
    page.get_by_label("Images to upload").set_input_files([picture()])
    page.wait_for_selector(".jobs li:has-text('optimising')")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector(".jobs li", state="detached")
    assert page.locator(".gallery li:has-text('mine')").count() == 0
    served.inverter.leave.set()
    page.get_by_label("Images to upload").set_input_files([picture()])
    page.wait_for_selector(".gallery li:has-text('mine')")
    opened.settled()
    page.get_by_role("button", name="Invert").click()
    page.wait_for_selector(".gallery li:has-text('test 0')")
    opened.settled()
    mine, same = (
        number(page.locator(f".gallery li:has-text('{name}') .score").inner_text()) for name in ("mine", "test 0")
    )
    assert mine == pytest.approx(same, abs=0.03)


def test_save_reopen_export_and_open_from_disk_with_the_network_off(opened, chromium, tmp_path):
    page = opened.page
    page.get_by_label("Images to upload").set_input_files([picture(1)])
    page.wait_for_selector(".gallery li:has-text('mine')")
    page.locator(".gallery li:has-text('mine') button").click()
    page.locator(CELL.format(1)).click()
    edited = opened.score()
    page.get_by_label("A hypothesis").fill("=stripes decide")
    page.keyboard.press("Enter")
    page.get_by_label("Verdict on").select_option("verified")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save").click()
    saved.value.save_as(tmp_path / "session.json")
    assert json.loads((tmp_path / "session.json").read_text())["notes"][0]["verdict"] == "verified"
    with page.expect_download() as table:
        page.get_by_role("button", name="CSV").click()
    assert len(table.value.path().read_text().splitlines()) == 1 + page.locator(".gallery li").count()
    with page.expect_download() as sheet:
        page.get_by_role("button", name="PNG").click()
    edited_ones = 1  # it stands right of what it was
    assert Image.open(sheet.value.path()).width == 128 * (page.locator(".gallery li").count() + edited_ones)

    page.get_by_role("button", name="Page").click()
    said = page.locator("dialog p").inner_text()
    with page.expect_download() as exported:
        page.get_by_role("button", name=re.compile("Write .* MB")).click()
    target = tmp_path / "page.html"
    exported.value.save_as(target)
    assert f"{target.stat().st_size / 1e6:.1f} MB" in said

    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    page.get_by_role("button", name="Open").evaluate("button => button.nextElementSibling.hidden = false")
    page.get_by_label("A saved session").set_input_files(tmp_path / "session.json")
    page.wait_for_selector(".gallery li:has-text('mine')")
    page.locator(".gallery li:has-text('mine') button").click()
    assert opened.score() == edited
    offline_page_is_explorable(chromium, target, edited)


def painted(page):
    """True if a heatmap covers the image."""
    page.wait_for_selector(".overlay:not([hidden])")
    read = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].some(v => v)"
    return page.locator(".overlay").evaluate(read)


def nothing_is_broken(page):
    """No image element lacks a picture, and whatever leads nowhere is disabled and says why."""
    broken = "all => all.filter(one => !one.getAttribute('src') || !one.complete || !one.naturalWidth).length"
    assert page.locator("img").evaluate_all(broken) == 0
    for cell in page.locator(".cell:has(img.absent)").all():
        assert cell.get_attribute("aria-disabled") == "true"
        assert "not in this file" in cell.inner_text()
        assert "needs the model" in cell.get_attribute("title")
    for slider in page.locator(".attribute input:disabled").all():
        assert "needs the model" in slider.get_attribute("title")


def offline_page_is_explorable(chromium, target, edited):
    """Precomputed edits can be explored; others are refused with a reason."""
    disk = Opened(chromium, target.as_uri(), offline=True)
    page = disk.page
    page.locator(".gallery li:has-text('mine') button").click()
    assert disk.score() == edited
    assert "stripes decide" in page.locator(".notes").inner_text()
    cell = page.locator(CELL.format(4))
    promised = number(cell.locator(".score").inner_text())
    cell.click()
    assert disk.score() == promised
    nothing_is_broken(page)
    page.locator(".slide input >> nth=0").fill("50")
    halfway = disk.score()
    assert halfway != promised
    refused = page.locator(".cell[aria-disabled=true]").first
    refused.click(force=True)
    assert "needs the model" in page.locator(".message").inner_text()
    assert (
        page.get_by_role("button", name="Page").get_attribute("title")
        == "needs the model: open this with `sidelight serve`"
    )
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert disk.score() == edited
    assert page.locator(".hint").inner_text() == ""
    page.locator(".attribute input:enabled").first.fill("100")
    assert disk.score() != edited
    page.keyboard.press("Control+z")
    page.locator(".controls select").select_option("heat")
    assert painted(page)
    disk.close()


def test_a_slider_is_filled_from_zero_to_its_value(opened):
    slider = opened.page.locator(".attribute input").first
    assert slider.get_attribute("min") == "-100"

    def filled():
        read = "one => ['--low', '--high'].map(name => Number(one.style.getPropertyValue(name)))"
        return slider.evaluate(read)

    assert filled() == [0.5, 0.5]
    for value, ends in (("40", [0.5, 0.7]), ("-100", [0, 0.5])):
        slider.fill(value)
        opened.settled()
        assert filled() == pytest.approx(ends)
        assert " 50%," in slider.evaluate("one => getComputedStyle(one).backgroundImage"), "one end is the middle"


def test_after_one_edit_a_page_of_pictures_says_that_it_holds_some(chromium, served, tmp_path):
    target = tmp_path / "page.html"
    target.write_text(exported_page(served.state, served.session, 3))
    disk = Opened(chromium, target.as_uri(), offline=True)
    disk.page.locator(".cell[aria-disabled=false]").first.click()
    disk.settled()
    assert "pictures of some edits. Undo or reset" in disk.page.locator(".hint").inner_text()
    nothing_is_broken(disk.page)
    disk.page.keyboard.press("Control+z")
    assert disk.page.locator(".hint").inner_text() == ""
    disk.close()


def test_heatmap_attribute_compare_and_another_classifier(opened):
    page = opened.page
    page.locator(".controls select").select_option("heat")
    assert painted(page)
    before = opened.score()
    page.locator(".attribute input").fill("100")
    assert opened.score() != before
    page.get_by_role("button", name="Pin to compare").click()
    page.locator(".gallery button >> nth=3").click()
    page.get_by_role("button", name="Pin to compare").click()
    page.get_by_role("tab", name="Compare (2)").click()
    page.wait_for_selector(".compared canvas")
    page.get_by_role("button", name="Flicker").click()
    assert page.locator(".scores tbody tr").count() == 4
    page.get_by_label("classifier").select_option("two")
    assert -1 <= opened.score() <= 1
    assert "from \u22121 to 1" in page.locator(".says").inner_text()


def test_keyboard_alone_and_narrow(chromium, served):
    opened = Opened(chromium, served.address)
    page = opened.page
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    first = opened.score()
    page.locator(".gallery [aria-selected=true]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    chosen = page.locator(".gallery [aria-selected=true]")
    assert chosen.evaluate("one => document.activeElement === one")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.matrix .cell')"):
            break
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert opened.score() != first
    page.locator(".attribute >> nth=0").evaluate("one => one.scrollIntoView()")
    page.wait_for_selector(".dock", state="visible")
    shown = [page.locator(f".current-panel {one}").inner_text() for one in (".old", ".big")]
    assert page.locator(".dock .score").all_inner_texts() == shown
    page.keyboard.press("r")
    page.keyboard.press("p")
    opened.settled()
    assert "pinned" in (page.locator(".gallery [aria-selected=true]").get_attribute("aria-label") or "")
    opened.close()


def test_an_edit_is_pasted_into_another_image_and_leaves_the_rest_of_it_alone(opened):
    page = opened.page
    cells = page.locator(".matrix tbody tr >> nth=0").locator(".cell")
    page.locator(".gallery button >> nth=0").click()
    assert page.get_by_role("button", name="Paste edit").is_disabled()
    cells.nth(0).click()
    page.locator(".attribute input").first.fill("60")
    page.get_by_role("button", name="Copy edit").click()
    page.locator(".gallery button >> nth=3").click()
    before = opened.score()
    page.locator(".attribute input").first.fill("60")
    opened.score()
    promised = number(cells.nth(0).locator(".score").inner_text())
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="Paste edit").click()
    assert opened.score() == promised
    assert [cell.get_attribute("aria-pressed") for cell in cells.all()] == ["true", "false"]
    page.keyboard.press("Control+z")
    assert opened.score() == before


def test_two_tabs_do_not_disturb_each_other_and_closing_one_frees_it(chromium, served):
    one, two = Opened(chromium, served.address), Opened(chromium, served.address)
    one.page.locator(CELL.format(0)).click()
    changed = one.score()
    assert two.score() != changed
    served.inverter.leave.clear()
    served.inverter.begun.clear()
    two.page.get_by_label("Images to upload").set_input_files([picture()])
    assert served.inverter.begun.wait(10)
    count = len(list(served.live.clients))
    job = next(job for client in served.live.clients for job in client.jobs.values() if job.state == "running")
    two.close()
    for _ in range(100):
        if job.state == "cancelled":
            break
        one.page.wait_for_timeout(50)
    assert job.state == "cancelled"
    assert len(list(served.live.clients)) == count - 1
    served.inverter.leave.set()
    assert one.score() == changed
    one.close()


def test_what_a_slider_finds_is_noted_saved_and_stands_beside_its_image_in_a_run(opened, served, tmp_path):
    page = opened.page
    answer = page.locator(".says").inner_text()
    for slider in page.locator(".attribute input").all():
        for end in {"100", slider.get_attribute("min")} - {"0"}:
            slider.fill(end)
            opened.score()
            if page.locator(".says").inner_text() != answer:
                break
            page.keyboard.press("Control+z")
        else:
            continue
        break
    turned = opened.score()
    page.get_by_label("A hypothesis").fill("this alone turns it")
    page.keyboard.press("Enter")
    page.get_by_label("Verdict on").select_option("verified")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save").click()
    saved.value.save_as(tmp_path / "session.json")
    session = json.loads((tmp_path / "session.json").read_text())
    (slider,) = session["sliders"]
    (image,) = (one for one in session["images"] if one["now"]["moves"])
    assert list(image["now"]["moves"]) == [slider["id"]]

    began = served.state.styles.latents(image["start"]["layers"][0][0])
    original = served.generator.synthesize(torch.from_numpy(began[None]))
    asked = np.array([len(served.classifiers["main"].class_names) - 1])
    needs = {"classifier": served.classifiers["main"], "generator": served.generator, "inverter": served.inverter.inner}
    by_hand = ByHand(ByHandParams(session=str(tmp_path / "session.json")), **needs, run=ToyRun())
    found = by_hand.explain(original, Targets(predicted=np.array([0]), probe=asked))
    assert found.chosen.tolist() == [[0]]
    assert found.attributes[0].name == "this alone turns it: verified"
    probability = torch.from_numpy(found.logits_after[0, 0]).softmax(0)[asked[0]]
    assert float(probability) == pytest.approx(turned, abs=0.02)
