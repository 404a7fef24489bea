"""Is a planted confound found by hand sooner than by an automated direction? `python tools/explorer_confound.py RUN`.

A script goes through the explorer's page in Chromium as a user would: one column for each layer, face after face, until
an edit moves one factor alone and the score with it. What a user sees, a network reads that was trained on the drawn
faces' true factors. Then the same network reads what the run's automated direction moves.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import shutil
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from explorer_latency import ARGUMENTS, serving
from PIL import Image

SEEN = 0.25
"""A factor that moves by less, in half-ranges, is not seen to move."""
LIMIT = 120.0


def main() -> None:
    """Serve the run, look for the confound by hand, and print it beside what the direction moves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--factor", default="lip-colour")
    parser.add_argument("--reader-images", type=int, default=6000)
    parser.add_argument("--reader-steps", type=int, default=800)
    parser.add_argument("--save", help="where to keep the session that was found")
    arguments = parser.parse_args()
    import sidelight

    results = sidelight.load_run(arguments.run).results
    stage, address = serving(arguments.run)
    reader = learned(stage, arguments.reader_images, arguments.reader_steps)
    place = reader.names.index(arguments.factor)
    print(f"the reader's R2 of {arguments.factor}: {reader.r_squared[place]:.2f}")
    by_hand(address, reader, place, arguments.save)
    for name, found in results.attributes.items():
        automated(name, found, reader)


def learned(stage: Any, images: int, steps: int) -> Any:
    """The network that reads true factors; learned anew."""
    from sidelight_specs.testing.run import ToyRun
    from sidelight_toolkit.factors import factor_regressor

    return factor_regressor(Fewer(stage.parts("data")[0].component()), ToyRun(), images, steps)  # type: ignore[arg-type]


class Fewer:
    """The data with its test images for its many training images: the reader takes the factors' values alone."""

    def __init__(self, data: Any) -> None:
        self.factor_ranges, self.render = data.factor_ranges, data.render
        self._test = data.split("test")

    def split(self, name: str) -> Any:
        """The test images, whatever is asked for."""
        del name
        return self._test


def by_hand(address: str, reader: Any, place: int, save: str | None) -> None:
    """The page, until an edit moves the factor alone; prints what was found and how long it took."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000}, accept_downloads=True)
        start = time.perf_counter()
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        page.get_by_label("Groups of layers").fill("64")
        page.keyboard.press("Tab")
        tried = 0
        while time.perf_counter() - start < LIMIT:
            settled(page)
            image = picture(page.locator(".stage img").get_attribute("src"))
            cells = page.locator(".matrix .cell img").all()
            others = np.stack([picture(cell.get_attribute("src")) for cell in cells])
            changes = reader.half_ranges(np.repeat(image[None], len(others), 0), others)
            labels = [cell.get_attribute("aria-label") or "" for cell in page.locator(".matrix .cell").all()]
            tried += len(cells)
            best = alone(changes, place, [number(label.split("change ")[1]) for label in labels])
            if best is not None:
                page.locator(f".matrix .cell >> nth={best}").click()
                settled(page)
                page.get_by_label("A hypothesis").fill(f"{reader.names[place]} alone moves the score: {labels[best]}")
                page.keyboard.press("Enter")
                page.get_by_label("Verdict on").first.select_option("verified")
                taken = time.perf_counter() - start
                name = page.locator(".current-panel h2").inner_text()
                print(f"by hand, after {taken:.0f} s and {tried} cells: {name}, {labels[best]}")
                print(f"  moved: {listed(changes[best], reader.names)}")
                keep(page, save)
                break
            following = page.locator(".gallery [aria-selected=true]")
            following.focus()
            page.keyboard.press("ArrowRight")
        else:
            print(f"by hand: not found in {LIMIT:.0f} s, {tried} cells")
        browser.close()


def alone(changes: np.ndarray, place: int, scores: list[float]) -> int | None:
    """The cell in which the factor moves and no other is seen to, whose score moves most; None without one."""
    others = np.abs(np.delete(changes, place, 1)).max(1)
    fitting = [
        cell
        for cell in range(len(changes))
        if abs(changes[cell, place]) > 2 * SEEN and others[cell] < SEEN and abs(scores[cell]) > 0.1
    ]
    return max(fitting, key=lambda cell: abs(scores[cell]), default=None)


def automated(name: str, found: Any, reader: Any) -> None:
    """What the longest shift of a direction moves, on average over its example images."""
    if found.directions is None or found.before is None:
        return
    row = int(np.argmax([item.shift for item in found.attributes]))
    changes = reader.half_ranges(found.before[row], found.after[row])
    before, after = found.probabilities[row].mean(0)
    print(f"{name}: {found.attributes[row].name}, probability {before:.2f} to {after:.2f}")
    print(f"  moved: {listed(np.abs(changes).mean(0), reader.names)}")


def listed(changes: np.ndarray, names: tuple[str, ...]) -> str:
    """The factors that moved most, and how many are seen to have moved."""
    order = np.argsort(-np.abs(changes), kind="stable")[:6]
    text = ", ".join(f"{names[place]} {changes[place]:+.2f}" for place in order)
    return f"{text} (half-ranges); {int((np.abs(changes) >= SEEN).sum())} of {len(names)} by {SEEN} or more"


def settled(page: Any) -> None:
    """Every picture is there."""
    page.wait_for_selector(".gallery img.blank, .matrix img.blank, [aria-busy=true]", state="detached")


def picture(source: str) -> np.ndarray:
    """(C, H, W) in [0, 1] of a data address."""
    image = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB")
    return np.moveaxis(np.asarray(image, np.float32) / 255, 2, 0)


def number(text: str) -> float:
    """A number with a true minus sign; 0 where there is none."""
    try:
        return float(text.split(";")[0].replace("\u2212", "-"))
    except ValueError:
        return 0.0


def keep(page: Any, target: str | None) -> None:
    """Save the session."""
    if target is None:
        return
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save").click()
    saved.value.save_as(target)


if __name__ == "__main__":
    main()
