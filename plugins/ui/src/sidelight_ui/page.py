"""Self-contained web pages: script, style and data inline, everything else forbidden by a Content-Security-Policy."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from sidelight_ui.bundle import bundle, reader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOKENS = "tokens.css"


def standalone_page(
    package: str,
    entry: str,
    styles: Sequence[str],
    data: Mapping[str, Any],
    *,
    title: str,
    element: str = "document",
    images: str = "data:",
    connect: str = "",
    loads_scripts: bool = False,
    computes: bool = False,
) -> str:
    """HTML of a page. The policy allows this script and style by their hashes, and no request.

    Args:
        package: module whose folder `web/` has the scripts and style sheets.
        entry: name of the script module to run.
        styles: style sheets, after the shared design tokens.
        data: JSON values for the script.
        title: of the page.
        element: id of the script element that holds the data.
        images: sources that images may come from.
        connect: source that the script may send requests to; empty for none.
        loads_scripts: True to let the script, and nothing else, load files of data as scripts: a page from disk may
            read no file in another way.
        computes: True to let the script start workers from texts that it holds, and compile WebAssembly in them.
    """
    script, style = _script(package, entry), _style(package, tuple(styles))
    policy = "; ".join(
        [
            "default-src 'none'",
            f"img-src {images}",
            f"script-src {_hash(script)}" + " 'strict-dynamic'" * loads_scripts + " 'wasm-unsafe-eval'" * computes,
            *(["worker-src blob:"] if computes else []),
            f"style-src {_hash(style)}",
            *([f"connect-src {connect}"] if connect else []),
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<link rel="icon" href="data:,">\n'  # browsers ask for /favicon.ico otherwise
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        "<noscript><p>This page draws itself with JavaScript, which is switched off here.</p></noscript>\n"
        f'<script type="application/json" id="{element}">{_json(data)}</script>\n'
        f'<script type="module">{script}</script>\n'
        "</body>\n</html>\n"
    )


@cache
def _script(package: str, entry: str) -> str:
    return bundle(entry, reader(package))


@cache
def _style(package: str, names: tuple[str, ...]) -> str:
    read = reader(package)
    return reader("sidelight_ui")(TOKENS) + "".join(map(read, names))


def _json(data: Mapping[str, Any]) -> str:
    """JSON that cannot end its script block or open a comment, whatever names it holds."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
