"""Internal links and anchors of every Markdown page of the repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOT_PAGES = ("tools/", "plugins/dev/src/", "docs/nav.md")  # texts that pages are made from
sys.path.insert(0, str(ROOT / "tools"))

from docsite.markdown import anchors, broken, links, slugify  # noqa: E402


@pytest.fixture(scope="module")
def pages():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: which pages belong to it is unknown")
    return [ROOT / name for name in listed.stdout.splitlines() if not name.startswith(NOT_PAGES)]


def test_every_internal_link_leads_to_a_file_and_a_heading(pages):
    read = {}
    wrong = [
        f"{page.relative_to(ROOT)}:{link.line}: {link.target}: {why}"
        for page in pages
        if page.is_file()
        for link, why in broken(page, read)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_pages_have_many_links(pages):
    internal = [link for page in pages if page.is_file() for link in links(page.read_text()) if link.is_internal]
    assert len(internal) > 200
    assert sum("#" in link.target for link in internal) > 50


def test_a_link_to_a_missing_file_or_heading_is_found(tmp_path):
    (tmp_path / "b.md").write_text("# One `two`: three\n\n## One\n\n## One\n")
    page = tmp_path / "a.md"
    page.write_text(
        "# Here\n\n[good](b.md#one-two-three) [second](b.md#one-1) [own](#here) [site](https://example.org/x#y)\n\n"
        "[file](c.md) ![image](d.png) [anchor](b.md#two)\n\n`[code](e.md)`\n\n```\n[code](f.md)\n```\n\n"
        '<img src="g.png" alt="">\n'
    )
    assert [(link.target, link.line) for link, _ in broken(page, {})] == [
        ("c.md", 5),
        ("d.png", 5),
        ("b.md#two", 5),
        ("g.png", 13),
    ]


def test_anchors_are_those_of_github():
    assert slugify("Policy: which plugins may be loaded?") == "policy-which-plugins-may-be-loaded"
    assert slugify("A - b_c (4.1.3)") == "a---b_c-413"
    assert anchors("# *Emphasis* and [a link](x.md)\n") == {"emphasis-and-a-link"}
