"""The first five minutes with the page: a tour, three views, a map of the keys, and what to do without any image."""

import pytest

pytestmark = pytest.mark.browser

TOUR = "section.tour"


class Visitor:
    """A browser that has not been here before, and everything that its pages complained about."""

    def __init__(self, chromium, **options):
        self.context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.errors = []

    def open(self, url):
        page = self.context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(url)
        page.wait_for_selector("html[data-ready]", state="attached", timeout=30_000)
        return page


@pytest.fixture
def visitor(chromium):
    made = Visitor(chromium)
    yield made
    made.context.close()
    assert made.errors == []


def test_the_tour_has_four_steps_is_shown_once_and_can_be_had_again(visitor, served):
    page = visitor.open(served.address)
    places, texts = [], []
    for _ in range(4):
        places.append(page.locator(TOUR).evaluate("one => one.parentElement.className"))
        texts.append(page.locator(f"{TOUR} p").inner_text())
        page.locator(TOUR).get_by_role("button", name="Next").or_(page.get_by_role("button", name="Done")).click()
    assert len(set(places)) == len(set(texts)) == 4
    page.wait_for_selector(TOUR, state="detached")
    assert page.get_by_role("tab", name="Explore").get_attribute("aria-selected") == "true"
    again = visitor.open(served.address)
    assert again.locator(TOUR).count() == 0
    again.keyboard.press("?")
    again.get_by_role("button", name="Take the tour").click()
    assert "1 of 4" in again.locator(TOUR).inner_text()
    again.keyboard.press("ArrowRight")
    again.keyboard.press("ArrowRight")
    assert "3 of 4" in again.locator(TOUR).inner_text()
    assert again.get_by_role("tab", name="Test").get_attribute("aria-selected") == "true"
    again.keyboard.press("ArrowLeft")
    assert "2 of 4" in again.locator(TOUR).inner_text()
    again.keyboard.press("Escape")
    assert again.locator(TOUR).count() == 0


def test_a_skipped_tour_is_remembered_at_another_port_of_this_machine(visitor, served):
    page = visitor.open(served.address)
    page.get_by_role("button", name="Skip the tour").click()
    assert page.locator(TOUR).count() == 0
    page.evaluate("localStorage.clear()")  # as that of another port is
    assert visitor.open(served.address).locator(TOUR).count() == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_three_views_are_tabs_kept_in_the_address(chromium, served, width):
    visitor = Visitor(chromium, viewport={"width": width, "height": 800})
    page = visitor.open(served.address)
    panels = {"explore": ".matrix-panel", "test": ".notes-panel", "compare": ".compare-panel"}
    for tab, only in panels.items():
        page.get_by_role("tab", name=tab.title()).click()
        assert page.locator(only).is_visible()
        assert page.locator(".current-panel").is_visible()
        assert page.locator(".gallery").is_visible()
        assert page.locator(".matrix-panel").is_visible() == (tab == "explore")
        assert page.locator(".compare-panel").is_visible() == (tab == "compare")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("2")
    page.wait_for_selector("html[data-remembered]", state="attached")
    assert "#view=test&" in page.url
    assert visitor.open(page.url).get_by_role("tab", name="Test").get_attribute("aria-selected") == "true"
    named = visitor.open(f"{served.address}#view=compare")
    assert named.locator(".compare-panel").is_visible()
    named.get_by_role("tab", name="Compare").focus()
    named.keyboard.press("ArrowRight")
    chosen = named.get_by_role("tab", name="Explore")
    assert chosen.get_attribute("aria-selected") == "true"
    assert chosen.evaluate("one => document.activeElement === one")
    visitor.context.close()
    assert visitor.errors == []


def test_a_test_that_is_begun_in_the_first_view_goes_on_in_the_second(visitor, served):
    page = visitor.open(served.address)
    page.get_by_label("A hypothesis").fill("it is the columns")
    page.keyboard.press("Enter")
    page.get_by_text("Test it").click()
    page.locator('[role=tab][aria-selected="true"]', has_text="Test (1)").wait_for(timeout=10_000)
    assert page.get_by_role("button", name="Run the test").is_visible()


def test_the_map_of_keys_names_them_and_they_do_what_it_says(visitor, served):
    page = visitor.open(served.address)
    page.keyboard.press("?")
    keymap = page.get_by_role("dialog", name="Keys")
    text = keymap.inner_text()
    assert all(word in text for word in ("Ctrl+Z", "undo", "save the session", "view: compare"))
    page.keyboard.press("3")
    assert page.get_by_role("tab", name="Explore").get_attribute("aria-selected") == "true", "the map has the keys"
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    assert page.get_by_role("tab", name="Compare").get_attribute("aria-selected") == "true"
    page.get_by_role("button", name="Keys and tour").click()
    assert keymap.is_visible()


def test_without_any_image_the_page_says_what_to_do(visitor, served):
    page = visitor.open(served.address)
    count = page.locator(".gallery li").count()
    for _ in range(count):
        page.locator(".current-panel").get_by_role("button", name="Remove").click()
    empty = page.locator(".gallery-panel .empty")
    assert "no image to explore" in empty.inner_text()
    empty.get_by_role("button", name="at random").click()
    page.wait_for_selector(".gallery li >> nth=5")
    assert not empty.is_visible()
    assert page.locator(".current-panel").is_visible()


VIEWS = ['{"pins": 5, "tab": {"a": 1}}', '{"tab": "__proto__", "selected": 7, "opacity": "x"}', "null", '"text"', "[]"]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_a_strangers_address_breaks_nothing(visitor, served, view):
    page = visitor.open(served.address)
    page.wait_for_selector("html[data-remembered]", state="attached")
    forged = page.evaluate(
        """async (view) => {
          const pack = async (stream) => new Uint8Array(await new Response(stream).arrayBuffer());
          const packed = atob(/s=([\\w-]+)/.exec(location.hash)[1].replaceAll('-', '+').replaceAll('_', '/'));
          const bytes = Uint8Array.from(packed, (char) => char.charCodeAt(0));
          const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
          const { doc } = JSON.parse(new TextDecoder().decode(await pack(stream)));
          const text = `{"doc": ${JSON.stringify(doc)}, "view": ${view}}`;
          const again = await pack(new Blob([text]).stream().pipeThrough(new CompressionStream('deflate-raw')));
          return btoa(String.fromCharCode(...again)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
        }""",
        view,
    )
    opened = visitor.open(f"{served.address}#s={forged}")
    assert opened.get_by_role("tab", name="Explore").get_attribute("aria-selected") == "true"
    assert opened.locator(".gallery li").count() > 0
