"""Pages of a built site in Chromium: requests to other hosts, failed requests and errors of scripts, counted."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext

NAMES = ("chromium", "chromium-browser", "google-chrome")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def check_pages(folder: Path) -> Iterator[str]:
    """Problems of the pages as a browser sees them, each a sentence; prints the counts."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        print(f"NOT RUN: the pages of {folder.name} in a browser (Chromium is not installed)")
        return
    from playwright.sync_api import sync_playwright

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.html") if file.name != "404.html")
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            yield from _visit(chromium.new_context(), f"http://127.0.0.1:{server.server_port}", files, folder.name)
            chromium.close()
    finally:
        server.shutdown()


def _visit(context: BrowserContext, home: str, files: list[str], name: str) -> Iterator[str]:
    """Open every page in one tab; a late request counts for the page that is open by then."""
    requests: list[str] = []
    wrong: list[str] = []
    context.set_default_timeout(120_000)
    context.on("request", lambda request: requests.append(request.url))
    context.on("weberror", lambda error: wrong.append(f"error of a script: {error.error}"))
    context.on("console", lambda said: wrong.append(f"console: {said.text}") if said.type == "error" else None)
    page = context.new_page()
    external = 0
    for number, file in enumerate(files, 1):
        before = len(requests)
        page.goto(f"{home}/{file.removesuffix('index.html')}", wait_until="load")
        if number == len(files):
            page.wait_for_timeout(2000)
        strange = [url for url in requests[before:] if not url.startswith((home, "data:", "blob:"))]
        external += len(strange)
        yield from (f"{file} asks {url}" for url in strange)
        yield from (f"{file}: {problem}" for problem in wrong)
        wrong.clear()
    print(f"{name}: {len(files)} pages opened in Chromium, {len(requests)} requests, {external} of them external")
