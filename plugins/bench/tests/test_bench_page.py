"""The leaderboard page, made by the command against a host that runs nothing, and opened from disk."""

import argparse
import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from sidelight_bench import command
from sidelight_bench.page import LONGEST, write_page
from sidelight_specs import UserError
from sidelight_ui.testing import check_module, check_types

PLUGIN = Path(__file__).parent.parent
WEB = PLUGIN / "src/sidelight_bench/web"


def test_tsc_accepts_every_module():
    check_types(PLUGIN)


@pytest.mark.parametrize("module", sorted(WEB.glob("*.js")), ids=lambda path: path.name)
def test_every_module_is_checked_used_and_never_writes_markup(module):
    check_module(module, "sidelight_bench", ("leaderboard",))


@pytest.fixture(scope="module")
def made(new_host, tmp_path_factory):
    host = new_host()
    host.fail.add("captum/lrp")
    folder = tmp_path_factory.mktemp("made") / "out"
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = ["quick", "--suite", "faces", "--suite", "cutouts-background", "--method", "gradient", "--out", str(folder)]
    command.run(parser.parse_args(words), host)
    return folder


@pytest.fixture
def out(made, tmp_path):
    """A copy, which a test may change."""
    return shutil.copytree(made, tmp_path / "out")


def content(page):
    (text,) = re.findall(r'<script type="application/json" id="document">(.*?)</script>', page.read_text(), re.DOTALL)
    return json.loads(text)


def test_the_page_is_made_of_the_tables_alone_and_the_same_bits_again(out):
    page = out / "leaderboard.html"
    before = page.read_bytes()
    assert write_page(out) == page
    assert page.read_bytes() == before
    assert content(page)["leaderboard"]["rows"] == len((out / "leaderboard.csv").read_text().splitlines()) - 1


def test_cells_link_to_pages_that_are_there(out):
    assert not [text for text in content(out / "leaderboard.html")["cells"]["texts"] if text.endswith("index.html")]
    (run,) = out.glob("recipes/faces/lenet-0.9-1/bench-oracle.yaml")
    made = out / "runs/faces/lenet-0.9-1/bench-oracle/page/index.html"
    assert run.is_file()
    made.parent.mkdir(parents=True)
    made.write_text("<p>pictures</p>")
    write_page(out)
    links = [text for text in content(out / "leaderboard.html")["cells"]["texts"] if text.endswith("index.html")]
    assert links == ["runs/faces/lenet-0.9-1/bench-oracle/page/index.html"]


def test_long_reasons_are_cut(out):
    table = out / "leaderboard.csv"
    table.write_text(table.read_text().replace("it broke", "it broke " * 100))
    write_page(out)
    texts = content(out / "leaderboard.html")["leaderboard"]["texts"]
    assert [len(text) for text in texts if "it broke" in text] == [LONGEST]


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"leaderboard\.csv cannot be read"):
        write_page(tmp_path)


@pytest.fixture
def opened(out, chromium):
    page = chromium.new_page(viewport={"width": 1200, "height": 900})
    errors, requests = [], []
    page.on("pageerror", lambda error: errors.append(error))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((out / "leaderboard.html").as_uri())
    yield page
    assert not errors
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    page.close()


def methods(page):
    return page.locator("table.board tbody th").all_inner_texts()


@pytest.mark.browser
def test_rows_are_sorted_by_score_and_by_any_heading(opened):
    by_score = methods(opened)
    assert by_score.index("bench/oracle") < by_score.index("bench/random"), "which sees nothing in the toy"
    assert by_score[-1] == "captum/lrp", "it failed, and is listed last"
    opened.get_by_role("button", name="Method").click()
    assert methods(opened) == sorted(by_score)
    opened.get_by_role("button", name="Method").press("Enter")
    assert methods(opened) == sorted(by_score, reverse=True)
    assert opened.locator('th[aria-sort="descending"]').count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("heading", ["AUROC", "s / image", "passes"])
def test_rows_without_a_number_are_last_whichever_way(opened, heading):
    for _ in range(2):
        opened.get_by_role("button", name=heading).click()
        assert methods(opened)[-1] == "captum/lrp", "it failed"


@pytest.mark.browser
def test_the_line_of_guessing_is_that_of_the_measure(opened):
    for measure, level in (("auroc", "0.50"), ("false_alarms", "0.75")):
        opened.select_option("#measure", measure)
        tick = opened.locator("svg.scatter text", has_text=level).first.get_attribute("y")
        (line,) = opened.locator("svg.scatter line.chance").all()
        assert float(line.get_attribute("y1")) == pytest.approx(float(tick) - 4)


@pytest.mark.browser
def test_a_factor_that_every_model_uses_is_not_called_unused(out, opened):
    truth, board = out / "truth.csv", out / "leaderboard.csv"
    rows = list(csv.DictReader(board.open()))
    for row in rows:
        if (row["suite"], row["factor"]) == ("faces", "lip-colour"):
            row |= {"auroc": "", "users": "0", "others": "0"}
    with board.open("w") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    known = truth.read_text()
    for used, note in (("true", "no model is known not to use it"), ("false", "no model is known to use it")):
        truth.write_text(re.sub(r"(faces/.*,)(true|false)", rf"\g<1>{used}", known))
        write_page(out)
        opened.reload()
        opened.select_option("#suite", "faces")
        opened.select_option("#factor", "lip-colour")
        row = opened.locator("table.board tbody tr", has_text="captum/saliency")
        assert note in row.locator("td.said").inner_text()


@pytest.mark.browser
def test_a_method_opens_its_models_and_says_what_keeps_it_from_being_ranked(opened):
    opened.get_by_role("button", name="captum/lrp", exact=True).click()
    assert "Failed: " in opened.locator(".details").inner_text()
    opened.get_by_role("button", name="captum/lrp", exact=True).click()
    assert opened.locator(".details").count() == 0
    opened.get_by_role("button", name="captum/saliency", exact=True).press("Enter")
    details = opened.locator(".details")
    assert "Pairs of a model and a factor" in details.inner_text()
    details.locator("summary").click()
    assert details.locator(".cells tbody tr").count() > 0
    assert details.locator(".cells tbody a").first.get_attribute("href").startswith("recipes/")


@pytest.mark.browser
def test_a_suite_and_a_factor_narrow_the_table(opened):
    opened.select_option("#suite", "faces")
    opened.select_option("#factor", "lip-colour")
    assert set(methods(opened)) >= {"bench/oracle", "captum/saliency"}
    opened.select_option("#measure", "false_alarms")
    assert opened.get_by_role("button", name="false alarms").count() == 1
    opened.select_option("#suite", "cutouts-background")
    assert opened.locator("#factor").input_value() == "all"


@pytest.mark.browser
def test_nothing_leaves_a_narrow_screen(opened):
    opened.set_viewport_size({"width": 390, "height": 844})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    edges = opened.locator("td.interval").evaluate_all("all => all.map((one) => one.getBoundingClientRect().right)")
    assert max(edges) <= 390, "values are read without scrolling"


@pytest.mark.browser
def test_methods_of_one_score_share_the_lead(opened):
    opened.select_option("#suite", "faces")
    opened.select_option("#factor", "lip-colour")
    lead = opened.locator(".verdict").inner_text()
    scores = opened.locator("table.board tbody tr:not(.fixed) td.interval b").all_inner_texts()
    first = scores.count(scores[0])
    assert first > 1, "the toy's methods see the same"
    assert "share the lead" in lead
    assert lead.split(" share")[0].count(",") + 1 + (f"and {first - 3} more" in lead) == min(first, 4)


@pytest.mark.browser
def test_a_factor_that_nobody_reads_is_no_fault_of_a_method(out, opened):
    table = out / "cells.csv"
    rows = list(csv.DictReader(table.open()))
    for row in rows:
        if row["factor"] == "size" or (row["factor"], row["method"]) == ("tint", "captum/saliency"):
            row |= {"cannot": "it has no region", "score": ""}
    with table.open("w") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    write_page(out)
    opened.reload()
    note = opened.locator("table.board tbody tr", has_text="captum/saliency").locator("td.said").inner_text()
    assert "cannot speak of tint" in note
    assert "size" not in note


def test_the_list_of_methods_that_are_no_different_is_whole(out):
    table = out / "leaderboard.csv"
    names = " ".join(f"captum/method-{number:03d}" for number in range(60))
    text = re.sub(r"bench/centre( bench/[a-z]+)+", names, table.read_text())
    assert names in text
    table.write_text(text)
    assert any(names in text for text in content(write_page(out))["leaderboard"]["texts"])
