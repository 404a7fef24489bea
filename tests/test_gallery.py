"""docs/gallery: an entry for every recipe, pictures that are there and small, and the tool that takes them."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
TOOL = ROOT / "tools" / "gallery.py"
NAMES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)


@pytest.fixture(scope="module")
def gallery():
    pytest.importorskip("playwright")
    spec = importlib.util.spec_from_file_location("gallery", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_index_is_up_to_date(gallery):
    index = gallery.index(NAMES, gallery.read_facts())
    assert gallery.INDEX.read_text(encoding="utf-8") == index, "run: python tools/gallery.py --index"


def test_every_recipe_has_one_entry_and_no_other(gallery):
    entries = re.findall(r"^### (\S+)$", gallery.INDEX.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(entries) == NAMES


def test_facts_are_of_recipes_and_of_runs_that_finished(gallery):
    facts = gallery.read_facts()
    assert set(facts) <= set(NAMES)
    assert all(fact["title"] and fact["asked"] and fact["finished"] for fact in facts.values())


def test_every_picture_is_there_and_small_and_has_a_text(gallery):
    facts = gallery.read_facts()
    pictured = [name for name, fact in facts.items() if "alt" in fact]
    assert sorted(path.stem for path in gallery.GALLERY.glob("*.webp")) == sorted(pictured)
    for name in pictured:
        file = gallery.GALLERY / f"{name}.webp"
        assert file.stat().st_size == facts[name]["bytes"] <= gallery.MOST_BYTES
        with Image.open(file) as picture:
            assert picture.size == (facts[name]["width"], facts[name]["height"])
            assert 1000 < picture.width < 3000
        assert len(facts[name]["alt"]) > 40
    assert all((gallery.PICTURES / picture).is_file() for picture, _, _ in gallery.EARLIER.values())


def test_withheld_pictures_are_not_committed(gallery):
    assert not [name for name in gallery.WITHHELD if (gallery.GALLERY / f"{name}.webp").exists()]


def test_a_recipe_without_a_run_says_so_and_one_of_other_settings_names_them(gallery):
    missing = gallery.entry("locality", {})
    assert "make gallery" in missing
    assert "![" not in missing
    fact = {"alt": "a", "answer": "b", "basis": "measured", "finished": "2026-12-01", "changed": ["explain.count: 2"]}
    assert "`explain.count: 2`" in gallery.entry("locality", fact)


def test_a_picture_that_cannot_be_small_is_refused(gallery):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (1200, 1200, 3), np.uint8))
    with pytest.raises(ValueError, match="more than 150000"):
        gallery.encoded(noise)


def test_texts_are_cut_between_captions_and_hold_no_markdown(gallery):
    text = gallery.shortened("[A] `b`; " + "caption; " * 60, most=100)
    assert len(text) <= 100
    assert text.startswith("A b; caption")
    assert text.endswith("caption")


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: apt-get install chromium")
def test_the_strip_is_taken_without_its_note(gallery, tmp_path):
    from playwright.sync_api import sync_playwright

    file = tmp_path / "index.html"
    file.write_text(
        "<h1>Why a 4?</h1><section id='answer'><div class='pictures'>"
        "<figure><figcaption>A cdeepex</figcaption></figure>"
        "<p class='note' style='height: 900px'>picked by rule</p></div></section>"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(device_scale_factor=gallery.SCALE)
        page.goto(file.as_uri())
        facts = gallery.picture_of(page, tmp_path / "out" / "strip.webp")
        said = "<li><div class='verdict'><b>{}</b></div><div class='said'><p class='text'>{}</p></div></li>"
        claims = said.format("supported", "a &gt;= 1") + said.format("contradicted", "b &lt; 2")
        file.write_text(f"<h1>Why?</h1><section id='declared'><ul>{claims}</ul></section>")
        page.goto(file.as_uri())
        claimed = gallery.picture_of(page, tmp_path / "out" / "claims.webp")
        browser.close()
    assert claimed["alt"] == "a ≥ 1: supported; b below 2: contradicted"
    assert facts["width"] == pytest.approx(gallery.WIDTH * gallery.SCALE, abs=4)
    assert facts["height"] < 900
    assert facts["alt"] == "Why a 4? A cdeepex"
