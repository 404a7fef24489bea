"""Latency of the explorer, on a finished run: `python benchmarks/explorer_latency.py RUN [--users 8 32 50]`.

Prints, in milliseconds: one forward pass of generator and classifier in the serving process; the round trip of one
edit, from another process; the processor time that both take of the server, which others' load does not change; in
Chromium, from a slider's event to the decoded image and score on the page; a gallery of 24 scored anew; many users
editing at once; and one user's edits while as many others load galleries of 24.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import multiprocessing
import os
import shutil
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from typing import Any
from urllib.parse import parse_qs, urlsplit

os.environ.setdefault("OMP_NUM_THREADS", "1")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
CHANGE = """
async share => {
  const range = document.querySelector('.slide input'), image = document.querySelector('.stage.after img');
  const score = document.querySelector('.current-panel .big'), before = image.src, start = performance.now();
  range.value = share;
  range.dispatchEvent(new Event('input'));
  while (image.src === before) await new Promise(resolve => setTimeout(resolve, 0));
  await image.decode();
  return [performance.now() - start, score.textContent];
}
"""


def main() -> None:
    """Serve the run, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--edits", type=int, default=300)
    parser.add_argument("--users", type=int, nargs="*", default=[8, 32, 50])
    arguments = parser.parse_args()
    stage, address = serving(arguments.run)
    before = time.process_time()
    forward = forwards(stage, arguments.edits)
    of_forward = 1000 * (time.process_time() - before) / (arguments.edits + 20)
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        before = time.process_time()
        one = pool.apply(edits, (address, arguments.edits, 1))
        of_edit = 1000 * (time.process_time() - before) / (arguments.edits + 10)
        gallery = pool.apply(galleries, (address, 20))
        for users in arguments.users:
            editing, beside = crowd(pool, address, users, arguments.edits)
            show(f"an edit, {users} users", editing)
            show(f"an edit, {users} others load galleries", beside)
    forward_after = forwards(stage, arguments.edits)
    show("one forward (before and after)", forward + forward_after)
    show("an edit, one user", one)
    print(f"{'ratio of the 95th percentiles':<34} {p95(one) / p95(forward + forward_after):.2f}")
    print(f"{'ratio of the medians':<34} {statistics.median(one) / statistics.median(forward + forward_after):.2f}")
    print(f"{'processor time of the server':<34} {of_forward:.1f} a forward, {of_edit:.1f} an edit")
    show("a gallery of 24", gallery)
    chromium = shutil.which("chromium")
    if chromium:
        show("in Chromium, to the image", in_browser(chromium, address, arguments.edits // 3))


def serving(folder: str) -> tuple[Any, str]:
    """The run, served from a thread of this process; and its address."""
    from sidelight.engine import api
    from sidelight_specs.stage import Stage

    made: Queue[Any] = Queue()
    address: Queue[str] = Queue()

    def stage(*arguments: Any) -> Stage:
        one = Stage(*arguments)
        made.put(one)
        return one

    api.Stage = stage  # type: ignore[misc,assignment]
    threading.Thread(target=api.serve, args=(folder,), kwargs={"announce": address.put}, daemon=True).start()
    return made.get(timeout=600), address.get(timeout=600)


def forwards(stage: Any, count: int) -> list[float]:
    """Milliseconds of single forward passes of generator and main classifier."""
    import numpy as np
    import torch

    generator = stage.parts("generator")[0].component()
    classifier = stage.parts("classifier")[0].component()
    latents = generator.sample(count + 20, np.random.default_rng(0))
    found = []
    with torch.no_grad():
        for row in range(count + 20):
            start = time.perf_counter()
            classifier.scores(generator.synthesize(latents[row : row + 1]))
            found.append(1000 * (time.perf_counter() - start))
    return found[20:]


class Client:
    """One user: a connection that stays open."""

    def __init__(self, address: str) -> None:
        place = urlsplit(address)
        self.connection = http.client.HTTPConnection(place.hostname or "", place.port)
        self.token = parse_qs(place.query)["token"][0]
        self.headers = {"X-Sidelight-Token": self.token}
        entered = self.ask("/api/tabs", None)
        self.tab, self.layers = entered["tab"], entered["facts"]["layers"]
        self.styles = [style["id"] for style in entered["document"]["styles"]]
        self.stream = http.client.HTTPConnection(place.hostname or "", place.port)  # while it is open the tab is
        self.stream.request("GET", f"/api/tabs/{self.tab}/events")
        self.events = self.stream.getresponse()

    def ask(self, path: str, body: Any) -> Any:
        """Send and read the whole answer."""
        self.connection.request("POST", path, None if body is None else json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {text[:200]!r}")
        return json.loads(text)

    def leave(self) -> None:
        """Close the tab, so that the server has room for the next ones."""
        self.ask(f"/api/tabs/{self.tab}/close", {"token": self.token})

    def draw(self, specs: list[Any], *, edit: bool) -> Any:
        """Pictures of specs."""
        return self.ask(f"/api/tabs/{self.tab}/draw", {"specs": specs, "edit": edit, "ask": {}})

    def spec(self, number: int, seed: int) -> Any:
        """An image that was not asked for before."""
        a, b = self.styles[number % len(self.styles)], self.styles[(number + 1) % len(self.styles)]
        mixes = [[a, b, 1 + (7 * number + 13 * seed + layer * number) % 99] for layer in range(self.layers)]
        return {"layers": mixes, "moves": {}}


def edits(address: str, count: int, seed: int) -> list[float]:
    """Milliseconds of edits, one after the other."""
    client = Client(address)
    found = []
    for number in range(count + 10):
        spec = client.spec(number, seed)
        start = time.perf_counter()
        client.draw([spec], edit=True)
        found.append(1000 * (time.perf_counter() - start))
    client.leave()
    return found[10:]


def galleries(address: str, count: int, seed: int = 99) -> list[float]:
    """Milliseconds of 24 new images at once."""
    client = Client(address)
    found = []
    for number in range(count):
        specs = [client.spec(24 * number + row, seed) for row in range(24)]
        start = time.perf_counter()
        client.draw(specs, edit=False)
        found.append(1000 * (time.perf_counter() - start))
    client.leave()
    return found


def crowd(pool: Any, address: str, users: int, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of edits of all users at once, and of one user beside as many that load galleries."""
    editing = pool.apply(threads, (edits, [(address, max(4, count // users), seed) for seed in range(2, 2 + users)]))
    others = pool.apply_async(threads, (galleries, [(address, 1, seed) for seed in range(100, 100 + users)]))
    time.sleep(1)
    beside = []
    while not beside or not others.ready():
        beside += pool.apply(edits, (address, 5, 1000 + len(beside)))
    others.get()
    return list(itertools.chain(*editing)), beside


def threads(work: Any, arguments: list[tuple[Any, ...]]) -> list[Any]:
    """Results of calls at the same time."""
    with ThreadPoolExecutor(len(arguments)) as pool:
        return [one.result() for one in [pool.submit(work, *each) for each in arguments]]


def in_browser(path: str, address: str, count: int) -> list[float]:
    """Milliseconds from a slider's event to the decoded image."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        page.locator(".matrix .cell >> nth=0").click()
        page.wait_for_timeout(3000)
        found = []
        for number in range(min(count, 98)):
            found.append(page.evaluate(CHANGE, 1 + (37 * number) % 99)[0])
            page.wait_for_timeout(150)
        browser.close()
    return found


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


def show(name: str, values: list[float]) -> None:
    """One line."""
    facts = f"median {statistics.median(values):6.1f}   95th {p95(values):6.1f}   most {max(values):6.1f}"
    print(f"{name:<34} {facts}   of {len(values)}", flush=True)


if __name__ == "__main__":
    main()
