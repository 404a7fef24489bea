"""The page in a real browser: what a reader sees, points at and presses."""

import attrs
import numpy as np
import pytest
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.results.run import ComponentRecord
from sidelight_specs.testing import toy_results
from sidelight_ui.images import image_uri

pytestmark = pytest.mark.browser

MINUS = "\u2212"


class Opened:
    """A page that was opened from disk, with everything it complained about or asked for."""

    def __init__(self, chromium, path, width=1280, height=900, **context):
        self.context = chromium.new_context(viewport={"width": width, "height": height}, **context)
        self.page = self.context.new_page()
        self.errors, self.requests = [], []
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]", timeout=30_000, state="attached")

    def canvas(self, selector):
        """The pixels of the first matching canvas, as a flat list of RGBA."""
        return self.page.evaluate(
            "s => { const c = document.querySelector(s);"
            " return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; }",
            selector,
        )

    def point(self, selector, x, y, width, height):
        """Move the mouse to the middle of an image's pixel."""
        box = self.page.locator(selector).first
        box.scroll_into_view_if_needed()
        area = box.bounding_box()
        self.page.mouse.move(
            area["x"] + (x + 0.5) * area["width"] / width, area["y"] + (y + 0.5) * area["height"] / height
        )

    def focused(self):
        """The id of the focused element."""
        return self.page.evaluate("document.activeElement.id")


MODEL_CARD = {"licence": "MIT", "training data": "not published"}


@pytest.fixture
def open_page(chromium, render):
    opened = []

    def open_results(results, options=None, **context):
        opened.append(Opened(chromium, render(results, **(options or {})), **context))
        return opened[-1]

    yield open_results
    for one in opened:
        one.context.close()


@pytest.fixture(scope="module")
def shared_digits(chromium, digits, tmp_path_factory):
    """One page for the tests that leave no trace in it."""
    from sidelight_report import HtmlParams
    from sidelight_report.html import Html

    path, *_ = Html(HtmlParams(), run=None).render(digits, tmp_path_factory.mktemp("page"))
    opened = Opened(chromium, path)
    yield opened
    opened.context.close()


@pytest.mark.parametrize("task", ["multiclass", "binary", "regression"])
def test_every_kind_of_explanation_is_drawn_without_complaint(open_page, task):
    opened = open_page(toy_results(task))
    assert opened.errors == []
    for tag in (
        "sl-heatmap",
        "sl-difference",
        "sl-flicker",
        "sl-probabilities",
        "sl-attention-graph",
        "sl-metric-table",
    ):
        assert opened.page.locator(tag).count() > 0, tag


def test_nothing_is_asked_of_the_network(open_page, photos):
    opened = open_page(photos, {}, offline=True)
    assert opened.errors == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []
    assert opened.requests[0].startswith("file:")


def test_the_policy_forbids_requests_and_foreign_scripts(open_page, digits):
    opened = open_page(digits)
    blocked = opened.page.evaluate(
        """() => new Promise(resolve => {
            const found = [];
            document.addEventListener('securitypolicyviolation', event => {
                found.push(event.effectiveDirective);
                if (found.length === 3) resolve(found.sort());
            });
            fetch('https://example.org/').catch(() => 0);
            const script = document.createElement('script');
            script.textContent = 'window.hacked = 1';
            document.body.append(script);
            const image = new Image();
            image.src = 'https://example.org/x.png';
        })"""
    )
    assert blocked == ["connect-src", "img-src", "script-src-elem"]
    assert opened.page.evaluate("window.hacked") is None


def test_names_from_strangers_are_text(open_page, digits):
    evil = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
    names = tuple(f"{evil}{name}" for name in digits.class_names)
    explanations = {evil: digits.explanations["cdeepex"]}
    opened = open_page(attrs.evolve(digits, name=evil, class_names=names, warnings=(evil,), explanations=explanations))
    assert opened.page.evaluate("window.hacked") is None
    assert opened.page.locator(".masthead .name").text_content() == evil
    assert evil in opened.page.locator("#image-1 h2").text_content()
    assert opened.errors == []


def test_hovering_a_heatmap_shows_its_value_and_that_of_its_neighbours(shared_digits, digits):
    values = digits.explanations["gradients"].values[0]
    y, x = np.unravel_index(np.abs(values).argmax(), values.shape)
    shared_digits.point("#image-1 sl-heatmap .frame", x, y, 32, 32)
    page = shared_digits.page
    shown = page.locator("#image-1 sl-heatmap .badge").text_content().replace(MINUS, "-")
    assert float(shown) == pytest.approx(values[y, x], rel=5e-3)
    difference = digits.explanations["cdeepex"].images[0, 0, y, x] - digits.split.images[0, 0, y, x]
    beside = page.locator("#image-1 sl-difference .badge").first.text_content().replace(MINUS, "-")
    assert float(beside) == pytest.approx(difference, abs=1e-4, rel=5e-3)
    assert float(page.locator("#image-1 sl-picture .badge").text_content()) == pytest.approx(
        digits.split.images[0, 0, y, x], abs=6e-3
    )
    assert page.locator("#image-2 .badge:visible").count() == 0
    page.mouse.move(2, 2)
    assert page.locator(".badge:visible").count() == 0


def test_values_are_read_with_the_keyboard(shared_digits, digits):
    page, values = shared_digits.page, digits.explanations["gradients"].values[1]
    page.locator("#image-2 sl-heatmap .frame").focus()
    for key in ("Enter", "ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    badge = page.locator("#image-2 sl-heatmap .badge")
    assert float(badge.text_content().replace(MINUS, "-")) == pytest.approx(values[18, 17], rel=5e-3, abs=1e-4)
    assert badge.get_attribute("aria-live") == "polite"
    page.keyboard.press("Escape")
    assert page.locator(".badge:visible").count() == 0
    page.keyboard.press("ArrowRight")
    assert shared_digits.focused() == "image-3"


def test_missing_values_say_so(open_page, digits):
    values = digits.explanations["gradients"].values.copy()
    values[0, 3, 4] = np.nan
    opened = open_page(
        attrs.evolve(digits, explanations={"g": attrs.evolve(digits.explanations["gradients"], values=values)})
    )
    opened.point("#image-1 sl-heatmap .frame", 4, 3, 32, 32)
    assert opened.page.locator("#image-1 sl-heatmap .badge").text_content() == "no value"


def test_the_slider_takes_overlays_from_the_bare_image_to_full_colour(open_page, digits):
    opened = open_page(digits)
    bare = opened.canvas("#image-1 sl-picture canvas")
    painted = opened.canvas("#image-1 sl-heatmap canvas")
    slider = opened.page.locator("input[type=range]")
    slider.fill("0")
    assert opened.canvas("#image-1 sl-heatmap canvas") == bare
    assert opened.canvas("#image-1 sl-difference canvas") == bare
    slider.fill("100")
    full = opened.canvas("#image-1 sl-heatmap canvas")
    assert full not in (bare, painted)
    slider.focus()
    opened.page.keyboard.press("ArrowLeft")
    assert slider.input_value() == "99"
    assert opened.page.evaluate("document.activeElement.type") == "range"


def test_colours_mean_what_the_legend_says(open_page, digits):
    """Red is added, blue is removed; teal speaks for the predicted class, amber against it."""
    opened = open_page(digits)
    opened.page.locator("input[type=range]").fill("100")
    change = (digits.explanations["cdeepex"].images[0, 0] - digits.split.images[0, 0]).ravel()
    pixels = np.array(opened.canvas("#image-1 sl-difference canvas")).reshape(-1, 4)
    assert (pixels[change.argmax(), :3] == [226, 48, 42]).all()
    assert (pixels[change.argmin(), :3] == [36, 97, 232]).all()
    values = digits.explanations["gradients"].values[0].ravel()
    pixels = np.array(opened.canvas("#image-1 sl-heatmap canvas")).reshape(-1, 4)
    assert (pixels[values.argmax(), :3] == [13, 166, 151]).all()
    strongest = pixels[values.argmin(), :3].astype(int)
    assert strongest[0] > strongest[2] + 40


def test_the_scale_names_both_sides_only_where_there_are_two(open_page, shared_digits, digits):
    predicted, probe = digits.targets.predicted[0], digits.targets.probe[0]
    scale = shared_digits.page.locator("#image-1 sl-heatmap .scale").text_content()
    assert f"for {probe}" in scale
    assert f"for {predicted}" in scale
    same = attrs.evolve(digits, targets=attrs.evolve(digits.targets, probe=digits.targets.predicted))
    scale = open_page(same).page.locator("#image-1 sl-heatmap .scale").text_content()
    assert "against" in scale
    assert f"for {probe}" not in scale


def test_a_failed_search_says_so_and_is_never_drawn(shared_digits):
    card = shared_digits.page.locator("#image-3")
    failed = card.locator("article", has_text="cdeepex").first
    assert "No answer" in failed.text_content()
    assert "no third class above" in failed.text_content()
    assert failed.locator("img, canvas, sl-flicker, sl-difference, sl-probabilities").count() == 0
    assert card.locator(".search").first.locator("img").count() == 0
    assert card.locator("article", has_text="xgems").locator("sl-flicker").count() == 1


def test_flicker_by_pointer_and_by_keyboard(open_page, digits):
    opened = open_page(digits)
    page = opened.page
    flicker = page.locator("#image-1 sl-flicker").first
    before, after = flicker.locator("img.before"), flicker.locator("img.after")
    assert before.get_attribute("src") == image_uri(digits.split.images[0])
    assert after.get_attribute("src") == image_uri(digits.explanations["cdeepex"].images[0])
    assert not before.is_visible()
    flicker.locator(".hold").hover()
    page.mouse.down()
    assert before.is_visible()
    assert flicker.locator(".tag").text_content() == "input"
    page.mouse.up()
    assert not before.is_visible()
    flicker.locator(".hold").focus()
    page.keyboard.down("Space")
    assert before.is_visible()
    page.keyboard.up("Space")
    assert not before.is_visible()


def test_flicker_alternates_and_stops(open_page, digits):
    opened = open_page(digits)
    flicker = opened.page.locator("#image-1 sl-flicker").first
    flicker.locator(".play").click()
    assert flicker.locator(".play").get_attribute("aria-pressed") == "true"
    for state in ("hidden", "visible", "hidden"):
        flicker.locator("img.before").wait_for(state=state, timeout=10_000)
    flicker.locator(".play").click()
    assert not flicker.locator("img.before").is_visible()
    assert flicker.locator(".play").text_content() == "Flicker"


def test_reduced_motion_swaps_instead_of_flickering(open_page, digits):
    opened = open_page(digits, reduced_motion="reduce")
    flicker = opened.page.locator("#image-1 sl-flicker").first
    assert flicker.locator(".play").text_content() == "Swap"
    flicker.locator(".play").click()
    assert flicker.evaluate("element => [element.showsBefore, element.playing]") == [True, False]
    flicker.locator(".play").click()
    assert flicker.evaluate("element => [element.showsBefore, element.playing]") == [False, False]


def test_arrow_keys_go_from_image_to_image(open_page, digits):
    opened = open_page(digits)
    press = opened.page.keyboard.press
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        press(key)
        seen.append(opened.focused())
    assert seen == ["image-1", "image-2", "image-3", "image-2"]
    top = opened.page.locator("#image-2").bounding_box()["y"]
    assert 0 <= top < 200
    opened.page.wait_for_selector('.thumbnails a[aria-current="true"][href="#image-2"]')


def test_the_skip_link_comes_first_and_focus_is_visible(open_page, digits):
    opened = open_page(digits)
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "skip"
    assert opened.page.locator(".skip").bounding_box()["x"] >= 0
    opened.page.keyboard.press("Enter")
    assert opened.focused() == "main"
    for _ in range(6):
        opened.page.keyboard.press("Tab")
        style = opened.page.evaluate(
            "(s => [s.outlineStyle, s.outlineWidth])(getComputedStyle(document.activeElement))"
        )
        assert style == ["solid", "2px"], opened.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


def test_everything_that_is_not_text_has_a_name(shared_digits):
    nameless = shared_digits.page.evaluate(
        """() => {
            const unnamed = e => !e.getAttribute('aria-label') && !e.textContent.trim();
            return [
                ...document.querySelectorAll('img:not([alt]), [role=img]:not([aria-label])'),
                ...document.querySelectorAll('[tabindex="0"]:not([aria-label])'),
                ...[...document.querySelectorAll('button, a, input')].filter(unnamed),
            ].map(e => e.outerHTML.slice(0, 120));
        }"""
    )
    assert nameless == []


@pytest.mark.parametrize("kind", ["digits", "photos", "toy"])
@pytest.mark.parametrize("width", [320, 390, 800])
def test_no_width_scrolls_sideways(open_page, request, kind, width):
    results = toy_results() if kind == "toy" else request.getfixturevalue(kind)
    opened = open_page(results, width=width)
    for details in opened.page.locator("details").all():
        details.evaluate("element => { element.open = true; }")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_long_class_names_are_cut_off_and_widen_nothing(open_page, digits):
    names = tuple(f"{name}, a digit with quite a long name" for name in digits.class_names)
    opened = open_page(attrs.evolve(digits, class_names=names), width=390)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_small_images_are_crisp_and_photographs_smooth(open_page, shared_digits, photos):
    style = "getComputedStyle(document.querySelector('sl-heatmap canvas')).imageRendering"
    assert shared_digits.page.evaluate(style) == "pixelated"
    assert open_page(photos).page.evaluate(style) == "auto"


def test_dark_and_print_have_their_own_looks(open_page, digits):
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = open_page(digits, color_scheme="dark")
    assert dark.page.evaluate(ground) == "rgb(21, 23, 26)"
    dark.page.emulate_media(media="print")
    assert dark.page.evaluate(ground) == "rgb(255, 255, 255)"
    assert not dark.page.locator(".bar").is_visible()


def test_the_metric_table_marks_the_best_only_where_numbers_compare(shared_digits):
    table = shared_digits.page.locator("sl-metric-table")
    rows = {row.locator("th summary").text_content().split(" ")[0]: row for row in table.locator("tbody tr").all()}
    assert rows["third-class"].locator(".best").all_text_contents() == ["0 (best)0 to 0.32"], "Wilson, 0 of 8"
    assert rows["boundary"].locator(".best").count() == 0
    rows["boundary"].locator("summary").click()
    assert "Not ranked: measured on different images." in rows["boundary"].text_content()
    assert "7 of 8" in rows["boundary"].text_content()
    assert "higher is better" in (rows["boundary"].locator(".better").get_attribute("aria-label"))


def test_settings_appear_on_demand(open_page, photos):
    row = open_page(photos).page.locator("sl-metric-table tbody tr").first
    assert not row.get_by_text("baseline blur").is_visible()
    row.locator("summary").click()
    assert row.get_by_text("baseline blur, steps 32, softmax yes").is_visible()


def test_what_depends_on_the_baseline_is_said_without_opening_anything(open_page, photos):
    def over(blur, black):
        parts = {"blur": np.array(blur, np.float32), "black": np.array(black, np.float32)}
        values = np.mean([blur, black], axis=0).astype(np.float32)
        item = Measurement(name="deletion", values=values, better="lower", variants=parts, varied="baseline")
        return Measurements(items=(item,))

    first, second, *_ = photos.explanations
    found = {first: over([0.5, 0.4, 0.5], [0, 0.05, 0.1]), second: over([0.2, 0.3, 0.2], [0.4, 0.4, 0.35])}
    row = open_page(attrs.evolve(photos, measurements={"m": found})).page.locator("sl-metric-table tbody tr").first
    assert row.get_by_text(f"Which is better depends on the baseline: {first} or {second}.").is_visible()
    assert row.locator(".range").first.text_content() == "by baseline [0.050 to 0.47]"
    assert row.locator(".best").count() == 0
    row.locator("summary").click()
    assert row.locator(".variants tbody tr").all_text_contents() == ["blur0.4670.233", "black0.05000.383"]


def test_curves_are_plotted_where_they_were_measured(open_page, photos):
    figure = open_page(photos).page.locator("figure.chart").first
    assert figure.locator(".area polyline").count() == len(photos.explanations)
    last = figure.locator(".area polyline").first.get_attribute("points").split(" ")[-1]
    curve = photos.measurements["curves"]["integrated-gradients"].items[0].curve_y.mean(0)
    assert last.split(",")[0] == "1000.0"
    assert float(last.split(",")[1]) == pytest.approx(100 * (1 - curve[-1]), abs=0.05)


def test_the_path_draws_every_class_of_the_card(shared_digits, digits):
    path = shared_digits.page.locator("#image-1 sl-path").first
    assert path.locator(".strip img").count() == 10
    assert path.locator(".strip li").last.text_content() == "480"
    assert (
        path.locator("polyline").count()
        == shared_digits.page.locator("#image-1 sl-path .legend").first.locator("li").count()
    )
    assert path.locator(".strip img").last.get_attribute("src") == image_uri(digits.explanations["cdeepex"].images[0])


def test_the_foot_holds_the_recipe_and_the_versions(shared_digits):
    foot = shared_digits.page.locator("footer")
    assert "layers: [conv1, conv2]" in foot.locator("pre").text_content()
    assert "2.13.0" in foot.text_content()
    assert "captum/integrated-gradients" in foot.text_content()


def test_both_answers_about_a_misclassified_image_stand_side_by_side(open_page, misclassified):
    for width in (1280, 390):
        opened = open_page(misclassified, width=width)
        assert not opened.errors
        sides = opened.page.locator("#image-2 .sides > figure")
        assert sides.locator("figcaption").all_inner_texts() == ["for columns, predicted", "for rows, expected"]
        left, right = (sides.nth(index).locator("sl-heatmap canvas").first.bounding_box() for index in (0, 1))
        assert left["y"] == right["y"]
        assert left["x"] + left["width"] <= right["x"]
        assert opened.page.locator("#image-1 .sides").count() == 0
        assert opened.page.locator(".alert", has_text="misclassified").count() == 1
        assert "They are the <worst> errors." in opened.page.inner_text("#answer")


def test_an_image_without_an_answer_is_told_and_no_map_is_drawn(open_page, digits):
    gradients, answered = digits.explanations["gradients"], np.arange(len(digits.split)) != 1
    none = attrs.evolve(
        gradients,
        values=gradients.values * answered[:, None, None],
        answered=answered,
        no_answer="hiding a region shows nothing",
    )
    curves = digits.measurements["curves"]["gradients"]
    rows = np.flatnonzero(answered).tolist()
    fewer = curves.take(rows) if curves.rows() else curves
    fewer = Measurements(
        items=tuple(
            attrs.evolve(item, values=item.values[rows], curve_y=item.curve_y[rows], variants={})
            for item in fewer.items
        )
    ).scattered(rows, len(answered))
    opened = open_page(
        attrs.evolve(
            digits,
            explanations={"gradients": none, "all": gradients},
            measurements={"curves": {"gradients": fewer, "all": curves}},
        )
    )
    assert opened.page.get_by_text("no answer: hiding a region shows nothing").count() == 1
    assert opened.page.get_by_text("no answer", exact=True).count() == 1  # at a glance
    count = len(answered)
    assert opened.page.get_by_text(f"mean of {count - 1} to {count} images").count() > 0
    assert opened.errors == []


def test_a_model_card_stands_beside_its_component(open_page, photos):
    record = ComponentRecord(id="generator", role="generator", use="faces/dcgan", card=MODEL_CARD)
    opened = open_page(attrs.evolve(photos, components=(record,)))
    (card,) = opened.page.locator("#origin .model-card").all_text_contents()
    assert card == "licenceMITtraining datanot published"
    assert not opened.errors
