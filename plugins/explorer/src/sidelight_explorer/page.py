"""The page's HTML: the same front end served live or written to disk."""

from __future__ import annotations

from typing import Any

from sidelight_ui.bundle import bundle, reader
from sidelight_ui.page import standalone_page

STYLES = ("layout.css", "parts.css")


def page(content: dict[str, Any], *, live: bool = False) -> str:
    """The page around its first content.

    Args:
        content: `{token, name}` of a served page; facts, session, heatmaps and pictures or models of an
            offline one.
        live: True if the page may send requests to its server.
    """
    computes = "models" in content
    if computes:  # a page from disk can load no second file
        content = {**content, "worker": bundle("local-worker", reader("sidelight_explorer"))}
    name = content["facts"]["name"] if "facts" in content else content["name"]
    return standalone_page(
        "sidelight_explorer",
        "page",
        STYLES,
        content,
        title=f"{name} · Sidelight explorer",
        element="content",
        images="data: blob:",  # uploads are shown from memory
        connect="'self'" if live else "",
        computes=computes,
    )
