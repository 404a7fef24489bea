"""The page's HTML: the same front end, served live or written to disk, with what it shows first inside."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from html import escape
from typing import Any

from sidelight_explorer.bundle import bundle, read

STYLES = ("tokens.css", "layout.css", "parts.css")


@cache
def _front_end() -> tuple[str, str]:
    """Script and style."""
    return bundle("page"), "".join(read(name) for name in STYLES)


def page(content: dict[str, Any], *, live: bool = False) -> str:
    """The page around some content. Its policy allows this script and style alone; the server, only where it is live.

    Args:
        content: what the page reads first: `{token}`, or the facts, document and pictures of an export.
        live: whether it may ask its server.
    """
    script, style = _front_end()
    connect = "connect-src 'self'; " if live else ""
    policy = (
        f"default-src 'none'; img-src data: blob:; script-src {_hash(script)}; style-src {_hash(style)}; "
        f"{connect}base-uri 'none'; form-action 'none'"
    )
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(_title(content))}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        "<noscript><p>The explorer draws itself with JavaScript, which is switched off here.</p></noscript>\n"
        f'<script type="application/json" id="content">{_json(content)}</script>\n'
        f'<script type="module">{script}</script>\n'
        "</body>\n</html>\n"
    )


def _title(content: dict[str, Any]) -> str:
    return f"{content.get('facts', {}).get('name', content.get('name', 'explorer'))} · Sidelight explorer"


def _json(content: dict[str, Any]) -> str:
    """JSON that cannot end its script block or open a comment, whatever names it holds."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
