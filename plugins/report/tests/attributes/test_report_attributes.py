"""The panel of attributes, the attributes of one image, and the names along a path."""

import base64
import io
import json

import attrs
import numpy as np
import pytest
from PIL import Image
from sidelight_report import HtmlParams
from sidelight_report.document.context import Context
from sidelight_report.document.phrases import how_set, where
from sidelight_report.document.report import document
from sidelight_specs.results import Attribute, Attributes, ImageAttributes, RecallCertificate
from sidelight_specs.testing import toy_results

MINUS = "\u2212"
ARRAYS = ("effects", "before", "after", "paths", "probabilities", "ranges")
OPPOSITES = ("opposite_before", "opposite_after", "opposite_probabilities")


def told(results, **options):
    return document(Context(results, HtmlParams(**options)))


def with_fields(found, **changes):
    return attrs.evolve(found, attributes={"attfind": attrs.evolve(found.attributes["attfind"], **changes)})


@pytest.fixture(scope="session")
def found(attributed):
    return attributed.attributes["attfind"]


def test_attributes_are_ranked_for_each_class(attributed, found):
    (section,) = told(attributed)["attributes"]
    assert (section["name"], section["paper"]) == ("attfind", "Lang et al. 2021")
    assert [(part["class"], part["count"]) for part in section["classes"]] == [("large", 4), ("small", 2)]
    names = [[one["name"] for one in part["attributes"]] for part in section["classes"]]
    assert names == [[found.attributes[i].name for i in (0, 1, 3, 5)], [found.attributes[i].name for i in (2, 4)]]


def test_an_attribute_says_what_was_measured(attributed, found):
    first = told(attributed)["attributes"][0]["classes"][0]["attributes"][0]
    assert (first["where"], first["how"]) == ("", f"raised to 2.5; {MINUS}2 to 3 occur")
    assert first["effect"] == pytest.approx(found.attributes[0].effect, rel=1e-3)
    known = found.effects[0][np.isfinite(found.effects[0])]
    assert (first["images"], first["moves"]) == (len(known), pytest.approx((known > 0).mean(), rel=1e-3))
    towards, away = first["directions"]
    assert (towards["away"], away["away"]) == (False, True)
    assert towards["chosen"]
    assert away["chosen"]
    assert np.allclose(towards["examples"][1]["probabilities"], found.probabilities[0, 1], atol=1e-4)
    assert np.allclose(away["examples"][1]["probabilities"], found.opposite_probabilities[0, 1], atol=1e-4)


def test_how_many_images_each_attribute_explains_is_said(attributed, found):
    assert {part["unexplained"] for part in told(attributed)["attributes"][0]["classes"]} == {None}
    explained = np.zeros(found.effects.shape, dtype=bool)
    explained[0, :3], explained[1, 4], explained[2, :6] = True, True, True  # of the six that were measured
    large, small = told(with_fields(attributed, explained=explained))["attributes"][0]["classes"]
    assert [one["explains"] for one in large["attributes"]] == [3, 1, 0, 0]
    assert [one["explains"] for one in small["attributes"]] == [6, 0]
    assert (large["unexplained"], small["unexplained"]) == (2, 0)


def test_classes_are_named_by_the_finder_s_own_classifier(attributed):
    section = told(with_fields(attributed, class_names=("wide", "narrow")))["attributes"][0]
    assert [part["class"] for part in section["classes"]] == ["wide", "narrow"]


def test_limits_hold(attributed):
    (section,) = told(attributed, attributes=1, examples=2)["attributes"]
    assert [len(part["attributes"]) for part in section["classes"]] == [1, 1]
    (shown, _) = section["classes"][0]["attributes"][0]["directions"]
    assert len(shown["examples"]) == 2


@pytest.mark.parametrize("missing", [(name,) for name in ARRAYS] + [OPPOSITES, (*ARRAYS, *OPPOSITES)], ids=str)
def test_every_array_may_be_missing(attributed, missing):
    content = told(with_fields(attributed, **dict.fromkeys(missing)))
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    first = content["attributes"][0]["classes"][0]["attributes"][0]
    towards = [shown for shown in first["directions"] if not shown["away"]]
    assert bool(towards) == (not {"before", "after"} & set(missing))
    assert ("occur" in first["how"]) == ("ranges" not in missing)


def test_a_direction_is_no_coordinate_and_has_no_range(attributed, found):
    content = told(with_fields(attributed, directions=np.zeros((6, 4), np.float32)))
    first = content["attributes"][0]["classes"][0]["attributes"][0]
    assert first["where"] == ""
    assert first["how"].startswith("shifted by")
    assert not any(shown["chosen"] for shown in first["directions"])  # its images are all of them


def test_effects_are_rounded_once(attributed, found):
    """The page writes 1.5651 as +1.57, not as +1.56 by way of 1.565."""
    precise = (attrs.evolve(found.attributes[0], effect=1.5651), *found.attributes[1:])
    content = told(with_fields(attributed, attributes=precise))
    assert content["attributes"][0]["classes"][0]["attributes"][0]["effect"] == 1.5651


def test_places_and_settings_in_words():
    named = Attribute(name="8x8 conv 1, channel 7, up", coordinate=3, layer="8x8 conv 1", channel=7, shift=1.5)
    assert (where(named), how_set(named, None)) == ("", "raised by 1.5")
    other = attrs.evolve(named, name="glasses", direction=-1, shift=-2.0, value=-0.25)
    assert where(other) == "channel 7 of layer 8x8 conv 1"
    assert how_set(other, (-1.0, 4.0)) == f"lowered to {MINUS}0.25; {MINUS}1 to 4 occur"
    assert how_set(other, (-0.25, 4.0)) == f"lowered to {MINUS}0.25, the lowest seen (up to 4)"
    assert how_set(attrs.evolve(other, value=4.0), (-0.25, 4.0)) == f"lowered to 4, the highest seen (from {MINUS}0.25)"
    assert how_set(named, (-1.0, 4.0)) == f"raised by 1.5; {MINUS}1 to 4 occur"
    assert where(attrs.evolve(other, layer="")) == "coordinate 3"


def test_animations_lie_beside_the_page_as_they_are_in_it(attributed, render):
    page = render(attributed)
    files = sorted((page.parent / "attributes").iterdir())
    assert len(files) == 12
    assert files[0].name == "attfind-large-1-away.png"
    for file in files:
        assert base64.b64encode(file.read_bytes()).decode() in page.read_text()
    with Image.open(page.parent / "attributes/attfind-large-1-towards.png") as moving:
        assert (moving.n_frames, moving.is_animated) == (6, True)


def test_files_of_like_named_finders_and_classes_do_not_meet(attributed, render):
    twice = {"Att find": attributed.attributes["attfind"], "att/find": attributed.attributes["attfind"]}
    page = render(attrs.evolve(attributed, attributes=twice, class_names=("größer", "größer")))
    assert len(list((page.parent / "attributes").iterdir())) == 24


@pytest.fixture(scope="module")
def shared(chromium, attributed, tmp_path_factory):
    """One page for the tests that leave no trace in it."""
    from sidelight_report.html import Html

    page, *_ = Html(HtmlParams(), run=None).render(attributed, tmp_path_factory.mktemp("page"))
    opened = chromium.new_page(viewport={"width": 1280, "height": 900})
    opened.goto(page.as_uri())
    opened.wait_for_selector("html[data-ready]", state="attached")
    yield opened, page
    opened.close()


@pytest.mark.browser
def test_a_row_shows_both_directions_the_probabilities_and_what_is_implausible(shared, found):
    page, _ = shared
    panel = page.locator("#attributes-1-1")
    row = panel.locator(".attribute").first
    assert row.locator("h4").text_content() == found.attributes[0].name
    assert row.locator(".direction").count() == 2
    corners = row.locator(".changes").first.locator(".tag").all_text_contents()
    assert corners[:2] == [f"{round(100 * float(chance))} %" for chance in found.probabilities[0, 0]]
    flagged = panel.locator(".attribute.flagged")
    assert flagged.count() == 1
    assert "Not plausible: it tints the picture." in flagged.text_content()


@pytest.mark.browser
def test_the_masthead_leads_to_every_part_of_the_page_in_its_order(shared):
    page, _ = shared
    ways = page.locator(".contents a").evaluate_all("all => all.map(e => [e.textContent, e.hash.slice(1)])")
    assert [text for text, _ in ways] == [
        "Attributes found by attfind",
        "At a glance",
        "Images",
        "Measurements",
        "How this was made",
    ]
    tops = [page.locator(f"[id={target}]").bounding_box()["y"] for _, target in ways]
    assert tops == sorted(tops)


@pytest.mark.browser
def test_a_framed_picture_alternates_under_the_mouse_and_at_a_press(shared):
    page, _ = shared
    change = page.locator(".changes sl-flicker").first
    before = change.locator("img.before")
    assert not before.is_visible()
    change.hover()
    before.wait_for(state="visible", timeout=10_000)
    before.wait_for(state="hidden", timeout=10_000)
    page.mouse.move(2, 2)
    assert change.evaluate("element => [element.playing, element.showsBefore]") == [False, False]
    change.locator("button").focus()
    page.keyboard.press("Enter")
    assert change.evaluate("element => element.playing")
    page.keyboard.press("Space")
    assert change.evaluate("element => [element.playing, element.showsBefore]") == [False, False]


@pytest.mark.browser
def test_an_animation_moves_until_it_is_pressed(shared, found):
    page, _ = shared
    moving = page.locator("sl-animation").first
    assert moving.locator("button").get_attribute("aria-pressed") == "true"
    moving.locator("button").press("Enter")
    assert moving.locator("button").get_attribute("aria-pressed") == "false"
    still = Image.open(io.BytesIO(base64.b64decode(moving.locator("img").get_attribute("src").split(",")[1])))
    assert not still.is_animated
    tile = np.asarray(still.convert("RGB"))[:24, :24]
    assert (tile == np.moveaxis(np.rint(found.before[0, 0] * 255), 0, 2)).all()
    moving.locator("button").press("Enter")


@pytest.mark.browser
def test_large_pictures_are_webp_and_their_animation_stops_too(chromium, attributed, found, tmp_path):
    from sidelight_report.html import Html

    def enlarged(images):  # 24 to 144 pixels
        return None if images is None else images.repeat(6, axis=-1).repeat(6, axis=-2)

    names = ("before", "after", "paths", "opposite_before", "opposite_after")
    large = with_fields(attributed, **{name: enlarged(getattr(found, name)) for name in names})
    path, *files = Html(HtmlParams(), run=None).render(large, tmp_path)
    assert {file.suffix for file in files} == {".webp"}
    page = chromium.new_page(reduced_motion="reduce")
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    image = page.locator("sl-animation img").first
    image.evaluate("image => image.decode()")
    still = Image.open(io.BytesIO(base64.b64decode(image.get_attribute("src").split(",")[1])))
    assert (still.format, still.is_animated, still.size[0]) == ("WEBP", False, 2 * 144 + 2)
    before = np.moveaxis(enlarged(found.before[0, 0]) * 255, 0, 2)
    assert np.abs(np.asarray(still.convert("RGB"))[:144, :144] - before).mean() < 12
    assert page.locator(".changes img").first.get_attribute("src").startswith("data:image/webp")
    page.locator("sl-animation button").first.press("Enter")
    image.evaluate("image => image.decode()")
    page.close()


@pytest.mark.browser
def test_nothing_moves_for_readers_who_prefer_that(chromium, shared):
    _, file = shared
    page = chromium.new_page(reduced_motion="reduce")
    page.goto(file.as_uri())
    states = page.locator("sl-animation button").evaluate_all("all => all.map(e => e.getAttribute('aria-pressed'))")
    assert set(states) == {"false"}
    change = page.locator(".changes sl-flicker").first
    change.locator("button").press("Enter")
    assert change.evaluate("element => [element.playing, element.showsBefore]") == [False, True]
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 800])
def test_the_panel_never_scrolls_sideways(chromium, shared, width):
    _, file = shared
    page = chromium.new_page(viewport={"width": width, "height": 800})
    page.goto(file.as_uri())
    page.locator("details").evaluate_all("all => all.forEach(e => { e.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_attributes_of_one_image_are_those_that_were_chosen(attributed):
    entry = told(attributed)["images"][1]["explanations"][0]
    chosen: ImageAttributes = attributed.explanations["independent"]
    assert [change["name"] for change in entry["changes"]] == [chosen.attributes[chosen.chosen[1, 0]].name]
    (change,) = entry["changes"]
    moved = chosen.logits_after[1, 0] - chosen.logits_before[1]
    assert change["effect"] == pytest.approx(moved[chosen.attributes[chosen.chosen[1, 0]].target], rel=1e-2)
    assert change["says"] == attributed.class_names[chosen.logits_after[1, 0].argmax()]
    assert len(told(attributed)["images"][0]["explanations"][0]["changes"]) == 2


def test_a_change_that_moves_no_coordinate_says_itself_how(attributed):
    chosen: ImageAttributes = attributed.explanations["independent"]
    edit = Attribute(name="lips decide: verified", coordinate=0, layer="layers 7\u20138: draw 4")
    changed = attrs.evolve(chosen, attributes=(edit,) * len(chosen.attributes))
    results = attrs.evolve(attributed, explanations={"by-hand": changed})
    change = told(results)["images"][1]["explanations"][0]["changes"][0]
    assert (change["name"], change["how"]) == (edit.name, edit.layer)


@pytest.mark.browser
def test_the_card_shows_original_reconstruction_and_changes_in_their_order(shared, attributed):
    page, _ = shared
    alone = page.locator("#image-1 .alone")
    chosen = attributed.explanations["independent"]
    names = [chosen.attributes[i].name for i in chosen.chosen[0]]
    assert alone.locator("h4").all_text_contents() == ["Original", "Reconstruction", *names]
    asked = attributed.targets.probe[0]
    for place, logits in enumerate([chosen.logits[0], chosen.logits_before[0], *chosen.logits_after[0]]):
        chance = 100 / (1 + np.exp(logits[1 - asked] - logits[asked]))
        corner = alone.locator("li > .frame .tag, sl-flicker .tag").nth(place).text_content()
        assert corner == f"{chance:.0f} %"


def test_a_path_with_names_shows_the_start_and_every_named_change(attributed):
    """The last image repeats the one before it: nothing was changed any more."""
    path = told(attributed)["images"][0]["explanations"][1]["path"]
    assert path["names"] == ["", "16x16 conv 0, channel 2, up"]
    assert [frame["at"] for frame in path["frames"]] == [0, 1]
    assert all(len(line) == 2 for line in path["likelihoods"])


@pytest.mark.browser
def test_frames_of_a_named_path_say_what_was_changed(shared):
    page, _ = shared
    labels = page.locator("#image-1 sl-path .strip li span").all_text_contents()
    assert labels == ["start", "+ 16x16 conv 0, channel 2, up"]


def test_attributes_of_a_regression_are_told_as_values(attributed):
    toy = toy_results("regression")
    found = Attributes(attributes=(Attribute(name="up", coordinate=0),), before=np.zeros((1, 1, 3, 8, 8), np.float32))
    assert (
        told(attrs.evolve(toy, attributes={"f": found}))["attributes"][0]["classes"][0]["attributes"][0]["name"] == "up"
    )


@pytest.fixture
def detailed(attributed):
    """Changes added to the images themselves."""
    chosen: ImageAttributes = attributed.explanations["independent"]
    changed = attrs.evolve(chosen, before=attributed.split.images, reconstructions=1 - chosen.before)
    return attrs.evolve(attributed, explanations={"independent": changed})


def test_changes_of_the_image_itself_are_told_beside_the_generators_own_picture(attributed, detailed):
    assert told(attributed)["images"][0]["explanations"][0]["alone"] is None
    entry = told(detailed)["images"][0]["explanations"][0]
    assert (
        entry["alone"]["src"]
        != entry["reconstruction"]["picture"]["src"]
        == told(detailed)["images"][0]["picture"]["src"]
    )


@pytest.mark.browser
def test_the_card_says_that_details_are_kept(chromium, render, detailed):
    page = chromium.new_page()
    page.goto(render(detailed).as_uri())
    page.wait_for_selector("html[data-ready]", timeout=30_000, state="attached")
    alone = page.locator("#image-1 .alone")
    assert alone.locator("h4").all_text_contents()[:2] == ["Original", "The generator's own"]
    assert "compare it with the input. Changes are added to the input" in page.locator("#image-1").inner_text()


@pytest.mark.browser
def test_the_page_may_begin_with_the_images(chromium, attributed, render):
    page = render(attributed, first="images")
    opened = chromium.new_page(viewport={"width": 1280, "height": 900})
    opened.goto(page.as_uri())
    opened.wait_for_selector("html[data-ready]", state="attached")
    ways = opened.locator(".contents a").all_text_contents()
    assert ways.index("Images") < ways.index("Attributes found by attfind")
    opened.close()


def test_samples_and_the_recall_of_the_search_are_said(attributed):
    section = told(attributed)["attributes"][0]
    assert section["drawn"] == ""
    assert [part["recall"] for part in section["classes"]] == [None, None]
    certificate = RecallCertificate(
        target=0, found=4, left_out=90, sampled=30, missed=1, recall=4 / 7, low=0.2, high=0.8
    )
    drawn = with_fields(attributed, drawn="8 samples of the generator, seed 0", certificates=(certificate,))
    section = told(drawn)["attributes"][0]
    assert section["drawn"] == "8 samples of the generator, seed 0"
    recall, none = (part["recall"] for part in section["classes"])
    assert recall == {"recall": 0.571, "low": 0.2, "high": 0.8, "left": 90, "sampled": 30, "missed": 1}
    assert none is None
