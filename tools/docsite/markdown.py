"""Headings, links and code blocks of a Markdown page, by the CommonMark parser markdown-it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from markdown_it.token import Token

PARSER = MarkdownIt("commonmark").enable("table")
IN_HTML = re.compile(r"""<(?:a|img|source)\b[^>]*?\b(?:href|src)=["']([^"']+)["']""")
MARKER = re.compile(r"<!-- (not checked|compiled only): (.+?) -->")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@attrs.frozen
class Link:
    """Target of a link or an image, as the page writes it.

    Attributes:
        line: number of the line at which its paragraph begins, from 1.
        target: path, address or `#anchor`.
    """

    line: int
    target: str

    @property
    def is_internal(self) -> bool:
        """True for a path or an anchor, false for an address such as `https:` or `mailto:`."""
        return not SCHEME.match(self.target) and not self.target.startswith("//")


@attrs.frozen
class Block:
    """Fenced code block.

    Attributes:
        line: number of the line of its first fence, from 1.
        info: words after the fence, such as `python` or `sh`; may be empty.
        text: code without fences.
        marker: `not checked` or `compiled only`, from the comment `<!-- MARKER: REASON -->` before it, else empty.
        reason: the reason that the comment gives.
    """

    line: int
    info: str
    text: str
    marker: str = ""
    reason: str = ""


def parse(text: str) -> list[Token]:
    """Tokens of a page."""
    return PARSER.parse(text)


def links(text: str) -> Iterator[Link]:
    """Links and images in the order of the page; HTML tags count, code does not."""
    for token in parse(text):
        line = (token.map or [0])[0] + 1
        if token.type == "html_block":
            yield from (Link(line, target) for target in IN_HTML.findall(token.content))
        for child in token.children or ():
            if child.type == "html_inline":
                yield from (Link(line, target) for target in IN_HTML.findall(child.content))
            target = child.attrs.get("href") or child.attrs.get("src")
            if target is not None:
                yield Link(line, str(target))


def blocks(text: str) -> Iterator[Block]:
    """Code blocks in the order of the page, indented ones with the info `indented`."""
    marker = reason = ""
    for token in parse(text):
        if token.type == "html_block" and (comment := MARKER.search(token.content)):
            marker, reason = comment.groups()
        elif token.type in ("fence", "code_block"):
            info = token.info.strip() if token.type == "fence" else "indented"
            yield Block((token.map or [0])[0] + 1, info, token.content, marker, reason)
            marker = reason = ""
        elif token.type != "html_block":
            marker = reason = ""


def anchors(text: str) -> set[str]:
    """Anchors of the page's headings, as GitHub and the site's configuration make them."""
    tokens = parse(text)
    slugs: set[str] = set()
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            slug = base = slugify("".join(_plain(child) for child in tokens[index + 1].children or ()))
            number = 0
            while slug in slugs:
                number += 1
                slug = f"{base}-{number}"
            slugs.add(slug)
        elif token.type == "html_block":
            slugs.update(re.findall(r"""\bid=["']([^"']+)["']""", token.content))
    return slugs


def slugify(title: str) -> str:
    """Anchor of a heading: lower case, no punctuation, a hyphen for each space."""
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


def broken(page: Path, anchors_of: dict[Path, set[str]]) -> Iterator[tuple[Link, str]]:
    """Internal links of a page that lead nowhere, each with the reason.

    Args:
        page: file of the page.
        anchors_of: anchors of the pages read so far; filled as the links need it.
    """
    for link in links(page.read_text(encoding="utf-8")):
        if not link.is_internal:
            continue
        path, _, anchor = link.target.partition("#")
        to = (page.parent / path).resolve() if path else page.resolve()
        if not to.exists():
            yield link, "no such file"
        elif anchor and to.suffix == ".md":
            if to not in anchors_of:
                anchors_of[to] = anchors(to.read_text(encoding="utf-8"))
            if anchor not in anchors_of[to]:
                yield link, "no heading has this anchor"


def _plain(token: Token) -> str:
    return token.content if token.type in ("text", "code_inline") else ""
