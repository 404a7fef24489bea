"""The quiz in a real browser, with each explanation and without: answered, kept, scored, handed over."""

import csv
import io
import json

import pytest
from sidelight_report.user_study import answers

pytestmark = pytest.mark.browser
CONDITIONS = ("none", "sag", "grad-cam", "xgems")


@pytest.fixture(scope="module")
def quiz(quiz_results, write, tmp_path_factory):
    return write(quiz_results, tmp_path_factory.mktemp("quiz"))


@pytest.fixture
def opened(chromium, quiz):
    """Opens the page in a browser that knows nothing of it. It asks the network for nothing and never complains."""
    contexts, said = [], []

    def open_page(search="", context=None, **options):
        if context is None:
            context = chromium.new_context(accept_downloads=True, **options)
            contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
        page.goto(quiz[0].as_uri() + search)
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def answer(page, content, right=lambda n: True):
    """Answer everything by the keyboard."""
    page.locator(".parts button").first.press("Enter")
    for n, question in enumerate(content["predict"]):
        page.keyboard.press(str(1 + (question["correct"] if right(n) else 1 - question["correct"])))
    page.wait_for_selector(".results")


def handed_over(page, name):
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    return download.value.path().read_text()


def rows(page):
    table = page.locator(".results section").first.locator("table").first
    return {row.locator("th").text_content(): row.text_content() for row in table.locator("tbody tr").all()}


@pytest.mark.parametrize(
    ("condition", "element"),
    [("none", None), ("sag", "sl-attention-graph"), ("grad-cam", "sl-heatmap"), ("xgems", "sl-flicker")],
)
def test_each_condition_shows_its_explanation_alone_and_the_same_questions(quiz, opened, condition, element):
    page, content = opened(f"?condition={condition}"), quiz[1]
    page.locator(".parts button").first.click()
    first = content["predict"][0]
    shown = page.locator(".choice img").evaluate_all("all => all.map(e => e.src)")
    assert shown == [one["src"] for one in first["versions"]]
    found = [one for one in ("sl-attention-graph", "sl-heatmap", "sl-flicker") if page.locator(one).count()]
    assert found == ([element] if element else [])
    assert "the network says “cat” (88 %)" in page.locator(".seen figcaption").text_content()


def test_answers_are_scored_with_and_without_an_explanation(quiz, opened, tmp_path):
    """Two people in one browser: all right with the graph, half right without; then the command pools their files."""
    page, content = opened("?condition=sag"), quiz[1]
    total = len(content["predict"])
    answer(page, content)
    files = [handed_over(page, "Download my answers (JSON)")]
    own = rows(page)
    assert f"{total} of {total}" in next(text for name, text in own.items() if name.startswith("sag"))
    context = page.context
    page = opened("?condition=none", context)
    answer(page, content, right=lambda n: n % 2 == 0)
    files.append(handed_over(page, "Download my answers (JSON)"))
    both = rows(page)
    assert f"{total // 2} of {total}" in next(text for name, text in both.items() if name.startswith("no explanation"))
    assert "100 % 76 % to 100 %" in next(text for name, text in both.items() if name.startswith("sag"))
    assert "sag against no explanation: +50 points" in page.locator(".results").text_content()
    paths = []
    for number, text in enumerate(files):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(text)
    study = answers.read_study(quiz[0])
    none, sag = answers.pool(study, answers.read_sessions(paths, study))
    assert (none.right, none.of, sag.right, sag.of) == (total // 2, total, total, total)
    table = list(csv.DictReader(io.StringIO(handed_over(page, "as a table"))))
    assert {line["condition"] for line in table} == {"none", "sag"}
    assert sum(int(line["correct"]) for line in table if line["condition"] == "sag") == total


def test_what_the_network_said_is_told_at_the_end(quiz, opened):
    page, content = opened("?condition=none"), quiz[1]
    answer(page, content, right=lambda n: n > 0)
    page.locator(".review summary").click()
    first = page.locator(".review tbody tr").first
    assert "wrong" in first.text_content()
    assert "“cat” (80 %)" in first.locator(".kept").text_content()
    assert page.locator(".review tbody tr").count() == len(content["predict"])


def test_a_condition_outlives_the_page(quiz, opened):
    page = opened()
    (kept,) = page.evaluate("[...Array(1)].map(() => document.querySelector('.parts').textContent)")
    page.locator(".parts button").first.click()
    page.keyboard.press("1")
    page.keyboard.press("2")
    condition = page.evaluate("JSON.parse(Object.values(localStorage)[0]).sessions[0].condition")
    assert ("You see no explanation" in kept) == (condition == "")
    page.reload()
    assert f"2 of {len(quiz[1]['predict'])} answered" in page.locator(".parts").text_content()
    stored = page.evaluate("JSON.parse(Object.values(localStorage)[0]).sessions[0]")
    assert stored["condition"] == condition
    assert stored["assigned"] == "random"
    assert [stored["predict"][n]["choice"] for n in "01"] == [0, 1]


def test_numbers_take_the_conditions_in_turn(opened):
    page = opened("?participant=0")
    context = page.context
    sessions = "JSON.parse(Object.values(localStorage)[0]).sessions"
    seen = []
    for number in range(8):
        page = opened(f"?participant={number}", context)
        page.locator(".parts button").first.click()
        page.keyboard.press("1")
        seen.append(page.evaluate(f"{sessions}.find(({{ label }}) => label === '{number}').condition") or "none")
    assert seen == [*CONDITIONS, *CONDITIONS]
    page = opened("?participant=2", context)  # known again
    assert "1 of" in page.locator(".parts").text_content()
    assert page.evaluate(f"{sessions}.length") == 8


def test_chance_gives_every_condition(opened):
    page = opened()
    context = page.context
    conditions = set()
    draw = "const native = crypto.getRandomValues.bind(crypto); crypto.getRandomValues = (array) =>"
    for number in range(4, 8):  # the page draws 32 bits; its other draws are bytes
        page.evaluate("localStorage.clear()")
        context.add_init_script(f"{draw} (array instanceof Uint32Array ? array.fill({number}) : native(array))")
        page = opened("", context)
        page.locator(".parts button").first.click()
        page.keyboard.press("1")
        conditions.add(page.evaluate("JSON.parse(Object.values(localStorage)[0]).sessions[0].condition"))
        page.close()
        page = context.pages[0]
    assert conditions == {"", "sag", "grad-cam", "xgems"}


def test_an_unknown_condition_is_named(opened):
    page = opened("?condition=lime")
    assert "“lime”, which this study does not have (none, sag, grad-cam, xgems)" in page.locator(".home").text_content()


def test_pointing_at_a_version_marks_its_patches_in_the_graph(quiz, opened):
    page, content = opened("?condition=sag"), quiz[1]
    page.locator(".parts button").first.click()
    correct = content["predict"][0]["correct"]
    marked = "all => all.map(e => Number(e.dataset.patch))"
    root = page.locator("sl-attention-graph .node.root .patch.shared")
    assert root.count() == 0
    page.locator(".choice").nth(correct).focus()
    assert root.evaluate_all(marked) == [5, 6]
    page.locator(".choice").nth(1 - correct).focus()
    assert root.evaluate_all(marked) == [5]


def test_answers_of_another_study_or_condition_are_refused(quiz, opened, tmp_path):
    page, content = opened("?condition=sag"), quiz[1]
    answer(page, content)
    session = {"id": "other", "label": "", "condition": "lime", "predict": {"0": {"choice": 1, "seconds": 2}}}
    file = tmp_path / "other.json"
    file.write_text(json.dumps({"study": content["study"], "session": session}))
    page.locator("#files").set_input_files([file])
    page.locator("output", has_text="other.json: its answers are not in the form").wait_for()


@pytest.mark.parametrize("condition", CONDITIONS)
def test_nothing_scrolls_sideways_on_a_phone(quiz, opened, condition):
    page, content = opened(f"?condition={condition}", viewport={"width": 390, "height": 844}), quiz[1]
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 390
    page.locator(".parts button").first.click()
    assert page.evaluate(width) <= 390
    for _ in content["predict"]:
        page.locator(".choice").first.click()
    page.locator(".review summary").click()
    assert page.evaluate(width) <= 390
