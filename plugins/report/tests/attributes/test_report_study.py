"""A user study in a real browser: asked, answered, kept, scored, handed over; by keyboard alone."""

import csv
import io
import json

import attrs
import pytest
from sidelight_report import StudyParams
from sidelight_report.user_study.study import UserStudy
from sidelight_specs.testing import ToyRun

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def study(attributed, tmp_path_factory):
    """A page about two finders, and what it asks."""
    found = attributed.attributes["attfind"]
    other = attrs.evolve(found, attributes=found.attributes[::-1])
    results = attrs.evolve(attributed, attributes={"attfind": found, "stylespace-difference": other})
    params = StudyParams(attributes=3, questions=4)
    (page,) = UserStudy(params, run=ToyRun()).render(results, tmp_path_factory.mktemp("study"))
    text = page.read_text().split('id="document">')[1].split("</script>")[0]
    return page, json.loads(text)


@pytest.fixture
def opened(chromium, study):
    """The page in a browser that knows nothing of it yet. It asks the network for nothing and never complains."""
    contexts, said = [], []

    def open_page(**options):
        context = chromium.new_context(accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
        page.goto(study[0].as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def start(page, part):
    """Begin a part by the keyboard."""
    button = page.locator(".parts section").nth(part).get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".ask")


def choose(page, content, right=lambda question: True):
    start(page, 0)
    for question in content["identify"]:
        page.keyboard.press(str(1 + (question["correct"] if right(question) else 1 - question["correct"])))
    page.wait_for_selector(".home")


def describe(page, content, text):
    start(page, 1)
    for question in content["describe"]:
        page.keyboard.insert_text(text(question))
        page.keyboard.press("Enter")


def handed_over(page, name):
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    return download.value.path().read_text()


def row(page, section, at):
    return page.locator(f".results > section:nth-of-type({section}) table").first.locator("tbody tr").nth(at)


def test_part_one_is_answered_by_keyboard_and_scored_for_each_finder(study, opened):
    page, content = opened(), study[1]
    choose(page, content, right=lambda question: question["finder"] == 0)
    page.get_by_role("button", name="See the results").press("Enter")
    assert row(page, 1, 0).locator("td").first.text_content() == "4 of 4"
    assert "100 % 51 % to 100 %, 4 of 4" in row(page, 1, 0).text_content()
    assert "0 % 0 % to 49 %, 0 of 4" in row(page, 1, 1).text_content()
    assert page.locator(".confusion").nth(0).locator(".taken").count() == 0
    mistaken = {(one["attribute"], one["other"]) for one in content["identify"] if one["finder"] == 1}
    assert page.locator(".confusion").nth(1).locator(".taken").count() == len(mistaken)


def test_the_four_pictures_are_the_ones_that_were_drawn(study, opened):
    page, content = opened(), study[1]
    start(page, 0)
    shown = page.locator(".four img").evaluate_all("all => all.map(e => e.src)")
    first = content["identify"][0]
    assert shown == [content["animations"][at]["src"] for at in (*first["left"], *first["right"])]
    assert page.evaluate("document.activeElement.localName") == "h1"


def test_answers_outlive_the_page_and_can_be_taken_back(study, opened):
    page, content = opened(), study[1]
    start(page, 0)
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Back", exact=True).click()
    assert page.locator(".choice").nth(0).get_attribute("aria-pressed") == "true"
    page.keyboard.press("ArrowRight")
    page.reload()
    section = page.locator(".parts section").first
    assert f"3 of {len(content['identify'])} answered" in section.text_content()
    section.get_by_role("button", name="Go on").click()
    assert "question 4 of" in page.locator(".place").text_content()
    (kept,) = page.evaluate("Object.values(localStorage).map(JSON.parse)")
    assert [kept["sessions"][0]["identify"][n]["choice"] for n in "012"] == [0, 0, 1]


def test_part_two_takes_one_to_four_words(study, opened):
    page = opened()
    start(page, 1)
    for text in ("", "these are five words together"):
        page.locator("#words").fill(text)
        page.keyboard.press("Enter")
        assert "question 1 of" in page.locator(".place").text_content()
        assert "One to four words, please" in page.locator("#rule").text_content()
    page.locator("#words").fill("red lips")
    page.keyboard.press("Enter")
    assert "question 2 of" in page.locator(".place").text_content()
    page.get_by_role("button", name="I see no change").click()
    assert "question 3 of" in page.locator(".place").text_content()


def test_several_people_are_scored_together_and_share_words(study, opened):
    """Two describe alike, the third differs in the last attribute of each finder; one cannot tell them apart."""
    page, content = opened(), study[1]
    files = []
    for person in range(3):
        page.locator("#label").fill(f"P{person}")
        page.locator("#label").blur()
        choose(page, content, right=lambda question, person=person: person < 2)
        words = ["Size", "dark shade", "darker" if person == 2 else "odd"]
        describe(page, content, lambda question, words=words: words[question["attribute"]])
        files.append(handed_over(page, "Download my answers (JSON)"))
        page.get_by_role("button", name="Back to the start").click()
        page.get_by_role("button", name="Somebody else").click()
    page.get_by_role("button", name="See the results").click()
    assert "0.667 ± 0.577 (3 people)" in row(page, 1, 0).text_content()
    assert "2 of 3 attributes have a word that all their descriptions share" in page.locator(".results").text_content()
    assert "No two attributes have the same most common word" in page.locator(".results").text_content()
    table = list(csv.DictReader(io.StringIO(handed_over(page, "as a table"))))
    assert len(table) == 3 * (len(content["identify"]) + len(content["describe"]))
    assert {line["participant"] for line in table} == {"P0", "P1", "P2"}
    right = [line["correct"] for line in table if line["part"] == "identify" and line["participant"] == "P2"]
    assert set(right) == {"0"}
    assert {json.loads(text)["session"]["label"] for text in files} == {"P0", "P1", "P2"}


def test_files_of_other_people_are_added_and_others_refused(study, opened, tmp_path):
    page, content = opened(), study[1]
    choose(page, content)
    page.get_by_role("button", name="See the results").click()
    evil = "<img src=x onerror=alert(1)>"
    words = {str(n): {"text": evil, "seconds": 1} for n in range(len(content["describe"]))}
    session = {
        "id": "other",
        "label": '=HYPERLINK("x")',
        "identify": {"0": {"choice": 1, "seconds": 2}},
        "describe": words,
    }
    files = {
        "good.json": json.dumps({"study": content["study"], "session": session}),
        "foreign.json": json.dumps({"study": "another", "session": session}),
        "broken.json": "{",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    page.locator("#files").set_input_files([tmp_path / "foreign.json", tmp_path / "broken.json"])
    page.locator("output", has_text="foreign.json: it holds answers to another study").wait_for()
    assert "broken.json: it is not a JSON file" in page.locator("output").text_content()
    page.locator("#files").set_input_files([tmp_path / "good.json"])
    page.locator(".results", has_text="1 other person").wait_for()
    assert evil in page.locator(".results").text_content()
    assert page.locator("img[src='x']").count() == 0
    table = list(csv.DictReader(io.StringIO(handed_over(page, "as a table"))))
    assert '\'=HYPERLINK("x")' in {line["participant"] for line in table}


def test_readers_who_prefer_reduced_motion_get_stills_and_a_button(study, opened):
    page = opened(reduced_motion="reduce")
    start(page, 0)
    animated = "all => all.map(e => atob(e.src.split(',')[1]).includes('acTL'))"
    assert set(page.locator(".four img").evaluate_all(animated)) == {False}
    page.keyboard.press("Space")
    assert set(page.locator(".four img").evaluate_all(animated)) == {True}
    page.get_by_role("button", name="Stop the pictures").click()
    assert set(page.locator(".four img").evaluate_all(animated)) == {False}


def test_no_screen_scrolls_sideways_on_a_small_phone(study, opened):
    page, content = opened(viewport={"width": 320, "height": 640}), study[1]
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 320
    choose(page, content)
    start(page, 1)
    assert page.evaluate(width) <= 320
    page.get_by_role("button", name="Leave").click()
    page.get_by_role("button", name="See the results").click()
    assert page.evaluate(width) <= 320


def test_a_run_without_attributes_says_so(attributed, chromium, tmp_path):
    (file,) = UserStudy(StudyParams(), run=ToyRun()).render(attrs.evolve(attributed, attributes={}), tmp_path)
    page = chromium.new_page()
    page.goto(file.as_uri())
    assert "there is nothing to ask" in page.locator(".home").text_content()
    page.close()
