"""The site's pages before they are built, and the checks of a built site."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from docsite.api import PACKAGES  # noqa: E402
from docsite.built import check_files  # noqa: E402
from docsite.dialect import for_python_markdown  # noqa: E402
from docsite.markdown import links  # noqa: E402
from docsite.stage import rewrite, stage  # noqa: E402


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "docs"
    stage(ROOT, folder)
    return folder


def test_every_page_stands_in_the_navigation(staged):
    text = (staged / "nav.md").read_text()
    named = {link.target for link in links(text)}
    patterns = [line.strip(" -") for line in text.splitlines() if line.endswith("*.md")]
    pages = {page.relative_to(staged).as_posix() for page in staged.rglob("*.md")} - {"nav.md"}
    missing = {page for page in pages - named if not any(Path(page).match(pattern) for pattern in patterns)}
    assert not missing, f"add them, or a pattern of their folder, to docs/nav.md: {sorted(missing)}"
    assert named <= pages
    assert len(pages) > 200


def test_every_link_of_a_staged_page_leads_to_a_staged_file(staged):
    wrong = [
        f"{page.relative_to(staged)}: {link.target}"
        for page in staged.rglob("*.md")
        for link in links(page.read_text())
        if link.is_internal and not (page.parent / link.target.partition("#")[0]).exists()
    ]
    assert not wrong, "\n".join(wrong)


PAGES = {"docs/a/page.md": "a/page.md", "docs/b.md": "b.md", "README.md": "index.md", "docs/x.png": "x.png"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[b](../b.md#part)", "[b](../b.md#part)"),
        ("[home](../../README.md)", "[home](../index.md)"),
        ("[![alt](../x.png)](../../README.md)", "[![alt](../x.png)](../index.md)"),
        ("[web](https://example.org/a) [part](#part)", "[web](https://example.org/a) [part](#part)"),
        ("[the licence](../../LICENSE)", "the licence (`LICENSE`)"),
        ("[`LICENSE`](../../LICENSE)", "`LICENSE`"),
        ("```\n[home](../../README.md)\n```\n", "```\n[home](../../README.md)\n```\n"),
        ("[lost](nowhere.md)", "[lost](nowhere.md)"),  # the generators tell
    ],
)
def test_links_are_rewritten_for_the_site(text, expected):
    assert rewrite(text, "docs/a/page.md", ROOT, PAGES, "") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n  b\n  - c\n    d\n", "- a\n    b\n    - c\n        d\n"),
        ("1. a\n\n   ```\n   x\n     y\n   ```\n", "1. a\n\n    ```\n    x\n      y\n    ```\n"),
        ("text\n- a\n- b\n", "text\n\n- a\n- b\n"),
        ("text\n\n| a |\n|---|\n| b |\n", "text\n\n| a |\n|---|\n| b |\n"),
        ("- a\nlazy\n", "- a\n    lazy\n"),
        ("```\n- a\n  b\n```\n", "```\n- a\n  b\n```\n"),
    ],
)
def test_lists_have_the_indent_that_python_markdown_wants(text, expected):
    assert for_python_markdown(text) == expected
    assert for_python_markdown(expected) == expected


def test_files_outside_the_site_lead_to_a_repository_that_is_known():
    text = rewrite("[licence](../../LICENSE)", "docs/a/page.md", ROOT, PAGES, "https://code.example.com/s/blob/v1")
    assert text == "[licence](https://code.example.com/s/blob/v1/LICENSE)"


def test_what_is_wrong_with_a_built_site_is_found(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "index.html").write_text(
        '<h1 id="top">B</h1><script src="https://cdn.example.com/x.js"></script>'
    )
    (tmp_path / "index.html").write_text(
        '<a href="b/#top">1</a><a href="b/#gone">2</a><a href="c/">3</a><a href="https://example.org/">4</a>'
        '<img src="d.png"><link rel="canonical" href="https://example.org/"><img src="data:image/png;base64,AA">'
    )
    assert sorted(check_files(tmp_path)) == [
        "b/index.html loads https://cdn.example.com/x.js",
        "index.html links to b/#gone, but no element has this id",
        "index.html links to c/, which does not exist",
        "index.html links to d.png, which does not exist",
    ]
    assert list(check_files(tmp_path / "b" / "none"))


def test_docstrings_name_one_parameter_a_line():
    """What the site's builds refuse, told by a test of a second."""
    several = re.compile(r"^ +[a-z_]+(, [a-z_]+)+: [a-z]")
    wrong = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for package, (sources, _) in PACKAGES.items()
        for file in (ROOT / sources / package).rglob("*.py")
        if not file.name.startswith("_") and "checks" not in file.parts
        for docstring in (
            ast.get_docstring(node) for node in ast.walk(ast.parse(file.read_text())) if is_documented(node)
        )
        for line in (docstring or "").splitlines()
        if several.match(line)
    ]
    assert not wrong, "\n".join(wrong)


def is_documented(node):
    return isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))


def test_the_citation_names_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == (ROOT / "VERSION").read_text().strip()
    assert {"cff-version", "message", "title", "authors", "license"} <= citation.keys()
