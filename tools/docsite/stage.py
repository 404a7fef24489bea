"""Pages of the site, staged in one folder that both generators read.

The pages of `docs/` are read on a code host as they are, and link to files outside of `docs/`. Here each is copied,
those outside join them (`EXTRA`, READMEs of distributions, recipes), pages of the Python API are added, and every link
is rewritten to the copy. A link to a file that the site does not hold leads to the repository when its address is
known, and is plain text otherwise.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from docsite.api import api_pages
from docsite.dialect import for_python_markdown
from docsite.markdown import SCHEME, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
NAVIGATION = "docs/nav.md"
PATTERN = re.compile(r" *- ([\w/-]*\*\.md)$")
EXTRA = {
    "CONTRIBUTING.md": "project/contributing.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/security.md",
    "CODE_OF_CONDUCT.md": "project/code-of-conduct.md",
    "SUPPORT.md": "project/support.md",
    "recipes/README.md": "recipes/index.md",
}
MAPPED = {"README.md": "index.md"}  # the site has a home of its own, and links to the README lead there
COPIED = {".md", ".png", ".jpg", ".jpeg", ".svg", ".webp", ".css", ".js", ".txt", ".html"}


def stage(root: Path, target: Path, repository: str = "") -> dict[str, str]:
    """Write all pages anew.

    Args:
        root: the checkout.
        target: folder to write; what it held is removed.
        repository: address of the repository's files, such as `https://host/owner/name/blob/main`, or empty.

    Returns:
        Place in `target` of each page, by its path in the checkout.
    """
    pages = places(root)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for source, place in pages.items():
        to = target / place
        to.parent.mkdir(parents=True, exist_ok=True)
        if source.endswith(".yaml"):
            to.write_text(recipe_page((root / source).read_text(encoding="utf-8"), Path(source).stem), encoding="utf-8")
        elif source in MAPPED:
            continue
        elif source.endswith(".md"):
            text = (root / source).read_text(encoding="utf-8")
            text = rewrite(text, source, root, pages, repository)
            to.write_text(text if source == NAVIGATION else for_python_markdown(text), encoding="utf-8")
        else:
            shutil.copyfile(root / source, to)
    for place, text in api_pages(root).items():
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        (target / place).write_text(text, encoding="utf-8")
    navigation = target / "nav.md"
    navigation.write_text(drop_empty(navigation.read_text(encoding="utf-8"), target), encoding="utf-8")
    return pages


def drop_empty(navigation: str, target: Path) -> str:
    """Navigation without patterns that match no page."""
    return "".join(
        line
        for line in navigation.splitlines(keepends=True)
        if not (pattern := PATTERN.match(line)) or any(target.glob(pattern[1]))
    )


def places(root: Path) -> dict[str, str]:
    """Place in the staged folder of every file that the site holds, by its path in the checkout."""
    found = {
        file.relative_to(root).as_posix(): file.relative_to(root / "docs").as_posix()
        for file in sorted((root / "docs").rglob("*"))
        if file.suffix in COPIED and file.is_file()
    }
    found |= {source: place for source, place in (EXTRA | MAPPED).items() if (root / source).is_file()}
    for readme in [root / "kernel/README.md", root / "specs/README.md", *sorted(root.glob("plugins/*/README.md"))]:
        if readme.is_file():
            found[readme.relative_to(root).as_posix()] = f"reference/plugins/{readme.parent.name}.md"
    for recipe in sorted(root.glob("recipes/*.yaml")):
        found[recipe.relative_to(root).as_posix()] = f"recipes/{recipe.stem}.md"
    return found


def recipe_page(text: str, name: str) -> str:
    """Page that shows one recipe."""
    return f"# {name}\n\n`sidelight run {name}`\n\n```yaml\n{text.rstrip()}\n```\n"


def rewrite(text: str, source: str, root: Path, pages: dict[str, str], repository: str) -> str:
    """Text of a page with its links as the staged folder needs them; code stays as it is.

    Args:
        text: page as it stands in the checkout.
        source: its path in the checkout.
        root: the checkout.
        pages: answer of `places`.
        repository: address of the repository's files, or empty.
    """
    here, there = posixpath.dirname(source), posixpath.dirname(pages[source])

    def replace(match: re.Match[str]) -> str:
        image, words, target = match.groups()
        if not image:
            words = LINK.sub(replace, words)  # an image may be what is clicked on
        path, hash_, anchor = target.partition("#")
        if SCHEME.match(target) or not path:
            return f"{image}[{words}]({target})"
        linked = posixpath.normpath(posixpath.join(here, path))
        place = pages.get(linked) or pages.get(f"{linked}/README.md")
        if place:
            return f"{image}[{words}]({posixpath.relpath(place, there or '.')}{hash_}{anchor})"
        if not (root / linked).exists():
            return match[0]  # the generator reports it
        return f"[{words}]({repository}/{linked}{hash_}{anchor})" if repository else _plain(words, linked)

    lines = text.splitlines(keepends=True)
    blocks = [token.map for token in parse(text) if token.type in ("fence", "code_block") and token.map]
    code = {number for start, end in blocks for number in range(start, end)}
    stretches = ((is_code, "".join(stretch)) for is_code, stretch in _stretches(lines, code))
    return "".join(stretch if is_code else LINK.sub(replace, stretch) for is_code, stretch in stretches)


def _stretches(lines: list[str], code: set[int]) -> Iterator[tuple[bool, list[str]]]:
    """Lines in stretches that are code, and stretches that are not."""
    start = 0
    for number in range(1, len(lines) + 1):
        if number == len(lines) or (number in code) != (start in code):
            yield start in code, lines[start:number]
            start = number


def _plain(words: str, linked: str) -> str:
    return words if linked.rstrip("/") in words or words.startswith("`") else f"{words} (`{linked}`)"
