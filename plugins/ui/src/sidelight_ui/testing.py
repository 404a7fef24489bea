"""pytest plugin: the fixture `chromium`, checks that every front end passes, and a list of tests that could not run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from sidelight_ui.bundle import bundle, reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # containers forbid the namespaces that the sandbox needs; pages of tests are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|</script")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running Chromium: the one named by SIDELIGHT_CHROMIUM, else the first on the path."""
    path = os.environ.get("SIDELIGHT_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"NOT RUN: no Chromium (looked for {', '.join(BROWSERS)}; SIDELIGHT_CHROMIUM may name one)")
    playwright = pytest.importorskip("playwright.sync_api", reason="NOT RUN: the package playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name every test that could not run here, so that a missing browser or tsc is never taken for a pass."""
    for report in terminalreporter.stats.get("skipped", []):
        if "NOT RUN" in str(report.longrepr):
            terminalreporter.write_line(f"NOT RUN: {report.nodeid}")


def check_types(folder: Path) -> None:
    """Run tsc over a distribution's front end; skips where it is not installed."""
    tsc = folder / "node_modules/.bin/tsc"
    if shutil.which("node") is None or not tsc.exists():
        pytest.skip(f"NOT RUN: tsc is not installed (run `npm install` in {folder.name})")
    done = subprocess.run([tsc, "--noEmit"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603  (our own tsc)
    assert done.returncode == 0, done.stdout


def check_module(path: Path, package: str, entries: Sequence[str]) -> None:
    """A module is type-checked, part of a page, and never writes markup (names in data could inject it)."""
    text = path.read_text()
    assert text.startswith("// @ts-check\n")
    assert not MARKUP.search(text)
    assert any(f"m_{path.stem.replace('-', '_')} = (" in bundle(entry, reader(package)) for entry in entries)
