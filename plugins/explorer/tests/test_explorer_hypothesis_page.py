"""Tests of hypotheses in a real browser: the page's rule is the server's, and what was tested is kept."""

import csv
import json

import attrs
import numpy as np
import pytest
from sidelight_explorer.export import exported_page
from sidelight_explorer.hypothesis import Control, by_group, judge, mean_interval, turned_interval
from sidelight_explorer.session.file import read_session
from sidelight_ui.bundle import bundle, reader

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium):
    """The page's statistics alone."""
    made = chromium.new_page()
    made.add_script_tag(
        content=f"{bundle('hypothesis', reader('sidelight_explorer'))}; globalThis.rule = m_hypothesis;"
    )
    yield made
    made.close()


def drawn(rng):
    """A test's numbers: effects, spreads and random edits of every size, and ties."""
    count = int(rng.choice([1, 4, 5, 12, 200, 200]))
    before = rng.uniform(0, 1, count)
    after = before + rng.choice([-0.3, 0, 0.04, 0.05, 0.3]) + rng.choice([0, 0.02, 0.3]) * rng.normal(size=count)
    strength = rng.choice([0, 0.02, 0.2])
    controls = [
        Control(str(size), float(change))
        for size in rng.choice(["w", "image"], rng.choice([0, 18, 60, 60]))
        for change in [strength * rng.normal()]
    ]
    groups = [None if name == "-" else str(name) for name in rng.choice(["a", "b", "-"], count)]
    return {
        "before": before.tolist(),
        "after": after.tolist(),
        "controls": [attrs.asdict(one) for one in controls],
        "turned": (rng.random(count) < rng.choice([0, 0.5, 1])).tolist(),
        "groups": groups,
    }, controls


CALL = """([measured, expected, least]) => {
  const outcome = rule.outcomeOf(measured, expected, least);
  const [groups, turned] = [rule.byGroup(measured), rule.turnedInterval(measured.turned)];
  return { ...outcome, sentence: rule.sentence(outcome), groups, turned };
}"""


def test_the_page_and_the_server_judge_alike(page):
    rng = np.random.default_rng(0)
    verdicts = set()
    for _ in range(400):
        measured, controls = drawn(rng)
        expected, least = str(rng.choice(["up", "down", "none"])), float(rng.choice([0, 0.05, 0.1, 0.00042, 0.125]))
        ours = judge(measured["before"], measured["after"], controls, expected, least)
        theirs = page.evaluate(CALL, [measured, expected, least])
        verdicts.add((expected, theirs["verdict"]))
        assert theirs["sentence"] == str(ours)
        assert theirs["verdict"] == ours.verdict
        found = [(one["size"], one["count"], one["asLarge"], one["largest"]) for one in theirs["compared"]]
        assert found == [attrs.astuple(one) for one in ours.compared]
        values = [theirs["mean"], theirs["low"], theirs["high"]]
        assert np.array(values, float) == pytest.approx([ours.mean, ours.low, ours.high], abs=1e-12, nan_ok=True)
        groups = by_group(measured["before"], measured["after"], measured["turned"], measured["groups"])
        assert [(one["name"], one["count"], one["turned"]) for one in theirs["groups"]] == [
            (one.name, one.count, one.turned) for one in groups
        ]
        assert tuple(theirs["turned"].values()) == pytest.approx(turned_interval(measured["turned"]), abs=1e-12)
    assert len(verdicts) == 9, "every verdict was reached from every expectation"
    assert mean_interval([1.0, 2.0])[1:] == pytest.approx(
        [page.evaluate("() => rule.meanInterval([1, 2])")[key] for key in ("low", "high")]
    )


class Opened:
    """A page, with everything that it complained about."""

    def __init__(self, chromium, url, **context):
        self.context = chromium.new_context(viewport={"width": 1280, "height": 900}, **context)
        self.page, self.errors = self.context.new_page(), []
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)
        self.page.wait_for_selector("html[data-ready]", state="attached", timeout=30_000)

    def close(self):
        """Nothing was complained about."""
        self.context.close()
        assert self.errors == []


@pytest.fixture
def opened(chromium, served):
    made = Opened(chromium, served.address, accept_downloads=True)
    yield made
    made.close()


def test_a_hypothesis_is_tested_overruled_kept_and_shown_from_disk(opened, served, chromium, tmp_path):
    page = opened.page
    page.locator(".gallery button >> nth=1").click()
    page.get_by_label("A hypothesis").fill("columns decide")
    page.keyboard.press("Enter")
    note = page.locator(".notes li")
    note.get_by_text("Test it").click()
    run = note.get_by_role("button", name="Run the test")
    assert run.is_disabled(), "nothing was edited"
    page.locator(".attribute input[type=range]").first.fill("100")
    assert "columns, up +100" in note.inner_text()
    note.get_by_label("expected to do").select_option("down")
    note.get_by_label("Number of images").fill("12")
    note.get_by_label("Seed of the test").fill("7")
    run.click()
    tested = page.locator(".tested")
    tested.wait_for(timeout=60_000)
    text = tested.locator(".proposal").inner_text()
    tested.locator("summary").click()
    assert "12 draws, seed 7" in tested.inner_text()
    assert "The rule." in tested.inner_text()
    assert tested.locator(".plot .random").count() == 19
    verdict = note.get_by_label("Verdict on: columns decide")
    proposed = {"Supported": "verified", "Contradicted": "falsified"}.get(text.partition(":")[0], "open")
    assert verdict.input_value() == proposed
    other = "open" if proposed != "open" else "verified"
    verdict.select_option(other)
    assert "The test proposes" in note.inner_text()
    note.get_by_label("Why the verdict").fill("the images are few")
    page.keyboard.press("Tab")

    page.get_by_role("button", name="Draw the curve").click()
    page.locator(".curve-panel .plot").wait_for(timeout=60_000)
    assert page.locator(".curve-panel .band").count() == 1
    page.get_by_role("button", name="Keep with").click()
    assert note.locator("figure .plot").count() == 1
    with page.expect_download() as table:
        page.locator(".notes-panel header").get_by_role("button", name="Table").click()
    rows = list(csv.reader(table.value.path().read_text().splitlines()))
    assert len(rows) == 2
    assert rows[1][:3] == ["columns decide", other, "the images are few"]
    with page.expect_download() as every:
        tested.get_by_role("button", name="Table").click()
    assert len(every.value.path().read_text().splitlines()) == 13

    with page.expect_download() as saved:
        page.get_by_role("button", name="Save", exact=True).click()
    value = json.loads(saved.value.path().read_text())
    session = read_session(value, 2)
    (kept,) = session.notes
    assert str(kept.tests[0].outcome) == text
    assert kept.reason == "the images are few"
    assert len(kept.curves[0].positions) == 21
    assert kept.curves[0].band.count == 24

    target = tmp_path / "page.html"
    target.write_text(exported_page(served.state, session, 3))
    disk = Opened(chromium, target.as_uri(), offline=True)
    assert disk.page.locator(".proposal").inner_text() == text
    disk.page.get_by_text("Test it").click()
    assert "needs the model" in disk.page.locator(".test-form").inner_text()
    assert disk.page.get_by_role("button", name="Run the test").is_disabled()
    assert "needs the model" in disk.page.locator(".curve-panel").inner_text()
    disk.close()


def test_a_test_is_cancelled_undone_and_works_when_narrow(chromium, served):
    opened = Opened(chromium, served.address)
    page = opened.page
    page.set_viewport_size({"width": 390, "height": 800})
    page.locator(".attribute input[type=range]").first.fill("100")
    page.get_by_label("A hypothesis").fill("rows decide")
    page.keyboard.press("Enter")
    page.get_by_text("Test it").focus()
    page.keyboard.press("Enter")
    note = page.locator(".notes li")
    note.get_by_label("Number of images").fill("500")
    note.get_by_label("Random edits").fill("100")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Run the test").focus()
    page.keyboard.press("Enter")
    page.locator(".test-form .jobs li:has-text('measuring')").wait_for(timeout=30_000)
    page.get_by_role("button", name="Cancel").click()
    page.locator(".test-form .jobs li").wait_for(state="detached", timeout=30_000)
    assert page.locator(".tested").count() == 0
    note.get_by_label("Number of images").fill("6")
    note.get_by_label("Random edits").fill("0")
    page.get_by_role("button", name="Run the test").click()
    page.locator(".tested").wait_for(timeout=60_000)
    assert (
        "Not established" in page.locator(".proposal").inner_text()
        or "Contradicted" in page.locator(".proposal").inner_text()
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("h2").first.click()
    page.keyboard.press("Control+z")
    assert page.locator(".tested").count() == 0
    opened.close()


EDITS = """() => {
  const spec = (moves) => ({ layers: [["a", "a", 0]], moves });
  const copy = { id: "i1", name: "copy", start: spec({ one: 50, two: 20 }), now: spec({ one: 50, two: 0, three: 30 }) };
  const note = { id: "n1", image: "i1", text: "", verdict: "open" };
  let doc = { layers: 1, groups: 1, styles: [], images: [copy], notes: [note], sliders: [] };
  for (let test = 0; test < 25; test++) doc = edits.addCurve(edits.addTest(doc, "n1", test, "open"), "n1", test);
  return [edits.editOf(copy).moves, doc.notes[0].tests, doc.notes[0].curves];
}"""


def test_an_edit_is_what_changed_since_the_start_and_no_test_gives_way(chromium):
    page = chromium.new_page()
    page.add_script_tag(content=f"{bundle('edits', reader('sidelight_explorer'))}; globalThis.edits = m_edits;")
    moves, tests, curves = page.evaluate(EDITS)
    assert moves == {"two": 0, "three": 30}, "a copy is compared with what it was copied from"
    assert tests == curves == list(range(20)), "the first tests, that may have failed, are kept"
    page.close()


WORDS = """() => {
  const sliders = ["one", "two", "three"].map((id) => ({ id, name: id }));
  const app = { facts: { attributes: sliders }, doc: { styles: [], images: [], sliders: [], labels: {} } };
  const spec = (moves) => ({ layers: [["a", "a", 0]], moves });
  const item = { start: spec({ one: 50, two: 20 }), now: spec({ one: 50, two: 0, three: -30 }) };
  return [words.editText(app, item), words.openEditText(app, { layers: [null], moves: { two: 0, three: -30 } })];
}"""


def test_the_words_of_an_edit_say_what_changed_since_the_start(chromium):
    page = chromium.new_page()
    page.add_script_tag(content=f"{bundle('words', reader('sidelight_explorer'))}; globalThis.words = m_words;")
    assert page.evaluate(WORDS) == [["two 0", "three \u221230"], "two 0; three \u221230"]
    page.close()


def test_a_test_is_of_fresh_draws_and_not_given_to_another_hypothesis(opened):
    page = opened.page
    page.get_by_role("button", name="Draw", exact=True).click()
    page.locator(".attribute input[type=range]").first.fill("100")
    hypothesis = page.get_by_label("A hypothesis")
    hypothesis.fill("the first")
    page.keyboard.press("Enter")
    page.get_by_text("Test it").click()
    assert page.get_by_label("Seed of the test").input_value() == "2", "draws of seed 1 have been looked at"
    page.get_by_label("Number of images").fill("400")
    page.get_by_label("Random edits").fill("50")
    page.get_by_role("button", name="Run the test").click()
    page.locator(".test-form .jobs li:has-text('measuring')").wait_for(timeout=30_000)
    assert page.get_by_role("button", name="Run the test").get_attribute("title") == "A test is under way"
    page.locator(".notes li").get_by_role("button", name="Remove").click()
    hypothesis.fill("the second")
    page.keyboard.press("Enter")
    page.get_by_text("The test of “the first” is over").wait_for(timeout=120_000)
    assert page.locator(".notes li").count() == 1
    assert page.locator(".tested").count() == 0


def test_a_tab_that_has_ended_waits_for_nothing(opened, served):
    page = opened.page
    served.inverter.begun.clear()
    served.inverter.leave.clear()
    page.get_by_label("A hypothesis").fill("any")
    page.keyboard.press("Enter")
    page.locator(".attribute input[type=range]").first.fill("100")
    page.get_by_text("Test it").click()
    page.get_by_label("Images to test on").select_option("data test")
    page.get_by_role("button", name="Run the test").click()
    assert served.inverter.begun.wait(30)
    for client in served.live.clients:
        client.loop.call_soon_threadsafe(served.live.clients.leave, client)
    page.locator(".test-form .jobs li").wait_for(state="detached", timeout=30_000)
    assert "this tab's session has ended" in page.locator("body").inner_text()
    served.inverter.leave.set()
    opened.errors.clear()  # the browser notes the refused stream
