"""Checks of a built site's files: every internal link and anchor resolves, and nothing is loaded from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "video": "src"}
LINKS_ONLY = {"canonical", "alternate", "author", "license", "prev", "next", "edit"}  # relations that load nothing


@attrs.define
class Page(HTMLParser):
    """Anchors and references of one HTML page.

    Attributes:
        ids: values of `id` and `name`, the targets of anchors.
        links: targets of `a href`.
        loads: addresses that opening the page fetches.
    """

    ids: set[str] = attrs.field(factory=set)
    links: list[str] = attrs.field(factory=list)
    loads: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        """Set up the parser."""
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what the tag names."""
        held = dict(attributes)
        self.ids.update(value for key in ("id", "name") if (value := held.get(key)))
        if tag == "a" and held.get("href"):
            self.links.append(str(held["href"]))
        target = held.get(LOADS.get(tag, ""))
        if target and not (tag == "link" and set(str(held.get("rel")).split()) <= LINKS_ONLY):
            self.loads.append(target)


def check_files(folder: Path) -> Iterator[str]:
    """Problems of the site in a folder, each a sentence; prints the counts."""
    pages = {file: _read(file) for file in sorted(folder.rglob("*.html"))}
    if not pages:
        yield f"{folder} holds no page; build the site first"
    checked = anchors = 0
    for file, page in pages.items():
        for target in (*page.links, *page.loads):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if target in page.loads and parts.scheme != "data":
                    yield f"{file.relative_to(folder)} loads {target}"
                continue
            checked += 1
            anchors += bool(parts.fragment)
            if file.name != "404.html":  # its links start from the root, which a folder does not know
                yield from _resolve(folder, file, unquote(parts.path), unquote(parts.fragment), pages)
    print(f"{folder.name}: {len(pages)} pages, {checked} internal links checked, {anchors} of them with an anchor")


def _read(file: Path) -> Page:
    page = Page()
    page.feed(file.read_text(encoding="utf-8"))
    return page


def _resolve(folder: Path, file: Path, path: str, anchor: str, pages: dict[Path, Page]) -> Iterator[str]:
    to = (file.parent / path).resolve() if path else file
    to = to / "index.html" if to.is_dir() else to
    if not to.is_file():
        yield f"{file.relative_to(folder)} links to {path}, which does not exist"
    elif anchor and to in pages and anchor not in pages[to].ids:
        yield f"{file.relative_to(folder)} links to {path}#{anchor}, but no element has this id"
