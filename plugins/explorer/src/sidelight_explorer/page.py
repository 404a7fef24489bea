"""The page's HTML: the same front end served live or written to disk."""

from __future__ import annotations

from typing import Any

from sidelight_ui.page import standalone_page

STYLES = ("layout.css", "parts.css")


def page(content: dict[str, Any], *, live: bool = False) -> str:
    """The page around its first content.

    Args:
        content: `{token, name}` of a served page; facts, session, pictures and heatmaps of an offline one.
        live: True if the page may send requests to its server.
    """
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
    )
