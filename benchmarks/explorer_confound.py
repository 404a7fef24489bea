"""Scripted search for a planted confound in the explorer, compared with the automated latent direction.

    python benchmarks/explorer_confound.py RUN [--factor lip-colour] [--test 200 --control background] [--save FILE]

A script uses the explorer's page in Chromium as a user would: face after face it moves each slider and looks at each
cell, until an edit moves one factor alone and turns the answer. A network trained on drawn faces' true factors reads
what a user would see. The script then makes the same edit on every other face that got the same answer, and moves the
slider of the automated direction towards the same class on the same faces.

With `--test N` each edit that was found is then tested on N fresh draws beside random edits of equal size, as a visitor
of the page does, and so is a false hypothesis: a direction of W that moves the factor `--control`, fitted on encoded
faces (`hypotheses.py`), raises the score. With `--kept` nothing is looked for: tested are the edits that the run's
session holds as verified, the first of each answer.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import attrs
import numpy as np
from explorer_latency import ARGUMENTS, serving
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEN = 0.25
"""A factor that moves by less, in half-ranges, is not seen to move."""
READ = 0.6
"""Factors that the network reads with a smaller R2 are left out: the shape of glasses on faces without any."""
AUTOMATED = ", by directions"
"""Endings of the labels of automated directions, in the recipe `interactivity`."""


def main() -> None:
    """Serve the run, look for the confound by hand, and print it beside what the direction moves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--factor", default="lip-colour")
    parser.add_argument("--reader-images", type=int, default=6000)
    parser.add_argument("--reader-steps", type=int, default=800)
    parser.add_argument("--test", type=int, default=0, help="fresh draws to test each hypothesis on; 0: no tests")
    parser.add_argument("--control", default="background", help="factor of the false hypothesis")
    parser.add_argument("--limit", type=float, default=120, help="seconds to look for an edit of each answer")
    parser.add_argument("--kept", action="store_true", help="test the edits of the run's session, look for none")
    parser.add_argument("--save", help="where to keep the session that was found")
    arguments = parser.parse_args()
    stage, address = serving(arguments.run)
    false = control(stage, arguments.control) if arguments.test else None
    if arguments.kept:
        in_page(address, None, arguments, false)
        return
    reader = Reader(learned(stage, arguments.reader_images, arguments.reader_steps), arguments.factor)
    print(
        f"the reader's R2 of {arguments.factor}: {reader.r_squared:.2f}; left out: {', '.join(reader.unread) or 'none'}"
    )
    in_page(address, reader, arguments, false)


def learned(stage: Any, images: int, steps: int) -> Any:
    """The network that reads true factors; learned anew."""
    from sidelight_specs.testing.run import ToyRun
    from sidelight_toolkit.factors import factor_regressor

    return factor_regressor(Fewer(stage.parts("data")[0].component()), ToyRun(), images, steps)  # type: ignore[arg-type]


def control(stage: Any, factor: str) -> dict[str, Any]:
    """The slider of a direction that moves one factor, as a session file holds it."""
    from hypotheses import encoded, factor_directions
    from sidelight_explorer.session.slider import make_slider, write_slider
    from sidelight_specs.results import Attribute

    parts = {role: stage.parts(role)[0].component() for role in ("data", "generator", "inverter")}
    shift = factor_directions(*encoded(parts))[factor]
    layers = parts["generator"].latent_shape[0]
    coordinate = int(np.abs(shift).argmax())
    attribute = Attribute(name=factor, coordinate=coordinate, shift=float(np.linalg.norm(shift) * np.sqrt(layers)))
    return write_slider(make_slider("fitted", attribute, np.tile(shift, (layers, 1))))


class Fewer:
    """The data with its test images for its many training images: the reader takes the factors' values alone."""

    splits = ("test",)

    def __init__(self, data: Any) -> None:
        self.factor_ranges, self.factor_levels, self.render = data.factor_ranges, data.factor_levels, data.render
        self._test = data.split("test")

    def split(self, name: str) -> Any:
        """The test images, whatever is asked for."""
        del name
        return self._test


class Reader:
    """Changes that a user sees: the factors that can be read off images, and the one that is looked for."""

    def __init__(self, network: Any, factor: str) -> None:
        self._network = network
        self._kept = np.flatnonzero(network.r_squared >= READ)
        self.names = [network.names[place] for place in self._kept]
        self.unread = [name for name in network.names if name not in self.names]
        self.factor, self.place = factor, self.names.index(factor)
        self.r_squared = float(network.r_squared[self._kept[self.place]])

    def changes(self, before: np.ndarray, after: list[np.ndarray]) -> np.ndarray:
        """(N, F) changes of the factors, in half-ranges, from one image (C, H, W) to N others."""
        changes = self._network.half_ranges(np.repeat(before[None], len(after), 0), np.stack(after))
        found: np.ndarray = changes[:, self._kept]
        return found

    def alone(self, changes: np.ndarray) -> np.ndarray:
        """(N,) whether the factor moves and no other is seen to."""
        others = np.abs(np.delete(changes, self.place, 1)).max(1)
        found: np.ndarray = (np.abs(changes[:, self.place]) > 2 * SEEN) & (others < SEEN)
        return found

    def listed(self, changes: np.ndarray) -> str:
        """The factors that moved most, and how many are seen to have moved."""
        order = np.argsort(-np.abs(changes), kind="stable")[:5]
        text = ", ".join(f"{self.names[place]} {changes[place]:+.2f}" for place in order)
        return f"{text}; {int((np.abs(changes) >= SEEN).sum())} of {len(changes)} factors by {SEEN} or more"


@attrs.frozen(eq=False)
class Face:
    """The selected image as a user sees it."""

    name: str
    image: np.ndarray
    score: float
    answer: str


@attrs.frozen
class Edit:
    """Something a user does to the selected image.

    Args:
        text: what it is.
        make: does it.
    """

    text: str
    make: Callable[[Page], None]


class Page:
    """The explorer's page, used through what it shows."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.tried = 0

    def look(self) -> Face:
        """The selected image, once it is there."""
        self.page.wait_for_selector(".current-panel[aria-busy=true]", state="detached")
        read = """() => [document.querySelector('.current-panel h2'), document.querySelector('.current-panel .big'),
            document.querySelector('.says')].map(one => one.textContent)"""
        name, score, says = self.page.evaluate(read)
        image = picture(self.page.locator(".stage.after img").get_attribute("src"))
        return Face(name, image, number(score), " ".join(says.partition(" says ")[2].split(" ")[:-1]))

    def faces(self) -> list[str]:
        """Ids of the images, in the gallery's order."""
        self.settle()
        return [one.get_attribute("data-image") for one in self.page.locator(".gallery [data-image]").all()]

    def select(self, image: str) -> Face:
        """Select an image."""
        self.page.locator(f".gallery [data-image={image}]").click()
        return self.look()

    def clear(self) -> None:
        """Take back the edits and hypotheses of the session that the run shows."""
        for image in self.faces():
            self.select(image)
            reset = self.page.get_by_role("button", name="Reset", exact=True)
            if reset.is_enabled():
                reset.click()
                self.look()
        hypotheses = self.page.get_by_role("region", name="Hypotheses")
        while hypotheses.get_by_role("button", name="Remove").count():
            hypotheses.get_by_role("button", name="Remove").first.click()

    def after(self, edit: Edit) -> Face:
        """The selected image after an edit, which is undone again."""
        edit.make(self)
        self.tried += 1
        found = self.look()
        self.page.keyboard.press("Control+z")
        self.look()
        return found

    def sliders(self) -> list[Edit]:
        """Every attribute, all the way and, where it goes both ways, all the way back."""
        edits = []
        for slider in self.page.locator(".attribute input[type=range]").all():
            label, low = slider.get_attribute("aria-label"), int(slider.get_attribute("min"))
            edits += [self._slid(label, end) for end in dict.fromkeys((100, low)) if end]
        return edits

    def _slid(self, label: str, percent: int) -> Edit:
        return Edit(f"{label}, {percent} %", lambda at: at.page.get_by_label(label, exact=True).fill(str(percent)))

    def cells(self) -> list[tuple[Edit, np.ndarray]]:
        """Effects of every cell of the matrix, seen in the cell itself."""
        self.settle()
        read = "cells => cells.map(cell => [cell.getAttribute('aria-label'), cell.querySelector('img').src])"
        found = self.page.eval_on_selector_all(".matrix .cell", read)
        self.tried += len(found)
        return [
            (
                Edit(label.partition(":")[0], lambda at, n=place: at.page.locator(f".matrix .cell >> nth={n}").click()),
                picture(src),
            )
            for place, (label, src) in enumerate(found)
        ]

    def settle(self) -> None:
        """Every picture is there."""
        self.page.wait_for_selector(".gallery img.blank, .matrix img.blank, [aria-busy=true]", state="detached")

    def note(self, text: str, verdict: str) -> None:
        """Write down a hypothesis about the selected image and what became of it."""
        self.page.get_by_label("A hypothesis").fill(text)
        self.page.keyboard.press("Enter")
        self.page.get_by_label(f"Verdict on: {text}").select_option(verdict)

    def document(self) -> Any:
        """The session, as it is saved."""
        with self.page.expect_download() as saved:
            self.page.get_by_role("button", name="Save", exact=True).click()
        return json.loads(Path(saved.value.path()).read_text())

    def add_slider(self, slider: dict[str, Any]) -> None:
        """Open the session again with one more slider."""
        document = self.document()
        document["sliders"].append(slider)
        body = json.dumps(document).encode()
        file = {"name": "session.json", "mimeType": "application/json", "buffer": body}
        self.page.get_by_label("A saved session").set_input_files([file])
        self.page.get_by_label(f"{slider['name']}, by {slider['finder']}", exact=True).wait_for()

    def test(self, text: str, expected: str, images: int) -> str:
        """Type a hypothesis about the selected image's edit, test it on fresh draws, and read the verdict."""
        self.page.get_by_label("A hypothesis").fill(text)
        self.page.keyboard.press("Enter")
        note = self.page.locator(".notes > li").last
        note.get_by_text("Test it").click()
        note.get_by_label("expected to do").select_option(expected)
        note.get_by_label("Number of images").fill(str(images))
        note.get_by_role("button", name="Run the test").click()
        note.locator(".proposal").wait_for(timeout=3_600_000)
        note.locator(".tested summary").click()
        said = "\n".join(note.locator(".tested").locator(".proposal, .note, tbody tr").all_inner_texts())
        self.page.get_by_role("tab", name="Explore").click()
        return said

    def keep(self, target: str) -> None:
        """Save the session."""
        with self.page.expect_download() as saved:
            self.page.get_by_role("button", name="Save", exact=True).click()
        saved.value.save_as(target)


def in_page(address: str, reader: Reader | None, arguments: argparse.Namespace, false: dict[str, Any] | None) -> None:
    """For each answer find an edit on one face, verify it on all, print it beside the automated one, and test it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        start = time.perf_counter()
        page = Page(browser.new_page(viewport={"width": 1400, "height": 1000}, accept_downloads=True))
        page.page.goto(address)
        page.page.wait_for_selector("html[data-ready]", state="attached")
        if reader is None:
            for image, text, expected in kept(page, arguments.factor):
                page.select(image)
                print(f"test: {text}\n  {page.test(text, expected, arguments.test)}", flush=True)
        else:
            page.clear()
        faces = by_answer(page) if reader else {}
        for answer, same in faces.items():
            assert reader, "there are no faces without it"
            found = by_hand(page, reader, same, start + arguments.limit)
            took = f"{time.perf_counter() - start:.0f} s, {page.tried} edits"
            print(f"“{answer}”: {'found after' if found else 'nothing found in'} {took}")
            if found:
                verified(page, reader, faces[answer], *found)
                if arguments.test:
                    tested(page, reader, *found, arguments.test)
            start, page.tried = time.perf_counter(), 0
        if false:
            rejected(page, false, arguments.test)
        if arguments.save:
            page.keep(arguments.save)
        browser.close()


def kept(page: Page, factor: str) -> list[tuple[str, str, str]]:
    """Image, hypothesis and expectation of the first verified edit towards each answer, in the session on the page."""
    found: dict[str, tuple[str, str, str]] = {}
    for note in page.document()["notes"]:
        answer = note["text"].rpartition(" to ")[2]
        if note["verdict"] == "verified" and answer not in found:
            rises = "not" not in answer
            text = f"{factor}, as edited here, {'raises' if rises else 'lowers'} the score"
            found[answer] = (note["image"], text, "up" if rises else "down")
    return list(found.values())


def by_answer(page: Page) -> dict[str, list[str]]:
    """The images that the classifier gives each answer."""
    found: dict[str, list[str]] = {}
    for image in page.faces():
        found.setdefault(page.select(image).answer, []).append(image)
    return found


def by_hand(page: Page, reader: Reader, images: list[str], end: float) -> tuple[str, Edit] | None:
    """The first image and edit that move the factor alone and turn the answer; None when the time is up."""
    for image in images:
        before = page.select(image)
        for edit, after in tries(page):
            if time.perf_counter() > end:
                return None
            seen_alone = reader.alone(reader.changes(before.image, [after]))[0]
            if seen_alone and page.after(edit).answer != before.answer:
                return image, edit
    return None


def tries(page: Page) -> Iterator[tuple[Edit, np.ndarray]]:
    """Edits that a user tries on an image, with their pictures: sliders, but for automated ones, and then cells."""
    for edit in page.sliders():
        if AUTOMATED not in edit.text:
            yield edit, page.after(edit).image
    yield from page.cells()


def verified(page: Page, reader: Reader, images: list[str], image: str, edit: Edit) -> None:
    """Print what the edit moves on images of the same answer, and what the direction away from it moves on them."""
    page.select(image)
    reached = page.after(edit).answer
    for title, one in [("by hand", edit), *(("automated", rival) for rival in directions(page, reached))]:
        pairs = [(page.select(each), page.after(one)) for each in images]
        compared(reader, title, one, pairs, images.index(image))
    for each in images:
        before = page.select(each)
        edit.make(page)
        turned = page.look().answer != before.answer
        page.note(f"{reader.factor} alone turns {before.name} to “{reached}”", "verified" if turned else "falsified")


def tested(page: Page, reader: Reader, image: str, edit: Edit, images: int) -> None:
    """Test on fresh draws what an edit of one face suggests, and print the result."""
    page.select(image)
    page.page.get_by_role("button", name="Reset", exact=True).click()
    before = page.look()
    edit.make(page)
    after = page.look()
    rises = after.score > before.score
    change = reader.changes(before.image, [after.image])[0, reader.place]
    text = f"{'more' if change > 0 else 'less'} {reader.factor} {'raises' if rises else 'lowers'} the score"
    print(f"test: {text} ({edit.text} on {before.name})\n  " + page.test(text, "up" if rises else "down", images))


def rejected(page: Page, slider: dict[str, Any], images: int) -> None:
    """Test a false hypothesis in the same way, on a face of its own."""
    page.add_slider(slider)
    known = set(page.faces())
    page.page.get_by_role("tab", name="Explore").click()
    page.page.get_by_label("draws", exact=True).fill("1")
    page.page.get_by_role("button", name="Draw", exact=True).click()
    page.page.wait_for_function(
        "count => document.querySelectorAll('.gallery [data-image]').length > count", arg=len(known)
    )
    face = page.select(next(image for image in page.faces() if image not in known))
    page.page.get_by_label(f"{slider['name']}, by {slider['finder']}", exact=True).fill("100")
    page.look()
    text = f"more {slider['name']} raises the score"
    print(f"test: {text} (on {face.name})\n  " + page.test(text, "up", images))


def directions(page: Page, answer: str) -> list[Edit]:
    """The sliders of automated directions, all the way towards an answer."""
    found = []
    for edit in page.sliders():
        name, _, end = edit.text.partition(AUTOMATED)
        left, _, right = name.rpartition(" \u2194 ")
        towards = right if end == ", 100 %" else left
        if AUTOMATED in edit.text and towards == answer:
            found.append(edit)
    return found


def compared(reader: Reader, title: str, edit: Edit, pairs: list[tuple[Face, Face]], first: int) -> None:
    """Print what an edit moved on one face, and on average on all."""
    changes = np.concatenate([reader.changes(before.image, [after.image]) for before, after in pairs])
    turned = sum(before.answer != after.answer for before, after in pairs)
    score = np.mean([after.score - before.score for before, after in pairs])
    before, after = pairs[first]
    print(f"{title}: {edit.text}")
    print(f"  on {before.name}: score {before.score:.2f} to {after.score:.2f}; moved {reader.listed(changes[first])}")
    print(f"  on {len(pairs)} faces: {turned} turned, score {score:+.2f}, alone on {int(reader.alone(changes).sum())}")
    print(f"  mean size of the changes: {reader.listed(np.abs(changes).mean(0))}")


def picture(source: str) -> np.ndarray:
    """(C, H, W) in [0, 1] of a data address."""
    image = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB")
    return np.moveaxis(np.asarray(image, np.float32) / 255, 2, 0)


def number(text: str) -> float:
    """A number with a true minus sign."""
    return float(text.replace("\u2212", "-"))


if __name__ == "__main__":
    main()
