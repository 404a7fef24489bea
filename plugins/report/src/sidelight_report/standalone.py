"""One self-contained web page that opens from disk and asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import TYPE_CHECKING, Any

from sidelight_report.bundle import bundle, read

if TYPE_CHECKING:
    from collections.abc import Sequence


def assemble(content: dict[str, Any], entry: str, styles: Sequence[str]) -> str:
    """The page around a document. The policy allows this script and style by their hashes, and no request at all.

    Args:
        content: the document; `title` becomes the page's.
        entry: the module in `web/` to run.
        styles: the style sheets in `web/`, in order.
    """
    script, style = bundle(entry), "".join(read(name) for name in styles)
    policy = (
        f"default-src 'none'; img-src data:; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(content['title'])} · Sidelight</title>\n"
        f"<style>{style}</style>\n</head>\n<body>\n"
        "<noscript><p>This page draws itself with JavaScript, which is switched off here.</p></noscript>\n"
        f'<script type="application/json" id="document">{_json(content)}</script>\n'
        f'<script type="module">{script}</script>\n'
        "</body>\n</html>\n"
    )


def _json(content: dict[str, Any]) -> str:
    """JSON that cannot end its script block or open a comment, whatever names it holds."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
