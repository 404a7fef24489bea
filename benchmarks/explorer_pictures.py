"""Cost of large images on the explorer's page: `python benchmarks/explorer_pictures.py [--size 256] [--edits 30]`.

A generator that mixes crops of two photographs (scikit-learn's), so that pictures have the bytes of photographs, behind
a real server; a gallery of 24 images and a matrix of 5 styles by 4 groups in Chromium. Prints the bytes that the first
page takes; the bytes of an edit until its own picture is there, and until the page is complete again; and the page's
memory, of JavaScript and of the whole process (proportional set size), at first and after the edits.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import uvicorn
from sidelight_explorer._params import WebParams
from sidelight_explorer.server.app import application
from sidelight_explorer.server.listener import address, listen
from sidelight_explorer.server.live_state import LiveState
from sidelight_explorer.session.state import explorer_state, initial_session
from sidelight_specs.roles import Classifier, Generator
from sidelight_specs.testing.explanations import toy_results
from sidelight_specs.testing.run import ToyRun
from sklearn.datasets import load_sample_images
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

LAYERS, CROP = 18, 200  # 18 layers: StyleGAN2 at 1024 pixels
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
SETTLED = ".gallery img.blank, .matrix img.blank, [aria-busy=true]"


class Photographs(Generator):
    """A few layers choose among crops of photographs, the others shift their brightness by a little."""

    def __init__(self, size: int, count: int = 16) -> None:
        rng, crops = np.random.default_rng(0), []
        for index in range(count):
            photograph = load_sample_images().images[index % 2]
            top, left = (int(rng.integers(0, edge - CROP)) for edge in photograph.shape[:2])
            crops.append(photograph[top : top + CROP, left : left + CROP])
        array = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
        self.crops = functional.interpolate(array, (size, size), mode="bicubic").clamp(0, 1)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(3, size, size)."""
        return (3, self.crops.shape[-1], self.crops.shape[-1])

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(layers, crops)."""
        return (LAYERS, len(self.crops))

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """The same vector in every layer."""
        w = torch.from_numpy(rng.standard_normal((n, 1, len(self.crops)), dtype=np.float32))
        return w.expand(n, *self.latent_shape).contiguous()

    def synthesize(self, latents: Tensor) -> Tensor:
        """Crops, weighted: mostly one of them."""
        weights = (4 * latents.mean(1)).softmax(1)  # (N, crops)
        return torch.einsum("nc,cxyz->nxyz", weights, self.crops)


class Brightness(Classifier):
    """Two classes by the mean of the red channel: costs nothing."""

    task, class_names, input_shape = "multiclass", ("other", "red"), (3, 64, 64)

    def scores(self, images: Tensor) -> Tensor:
        """(N, 2)."""
        red = 20 * (images[:, 0].mean((1, 2)) - 0.45)
        return torch.stack([-red, red], 1)


class Stage:
    """No other component."""

    def parts(self, role: str) -> tuple[Any, ...]:
        """None."""
        del role
        return ()

    @contextmanager
    def watching(self, watcher: Any) -> Iterator[None]:
        """Nothing to watch."""
        del watcher
        yield


def main() -> None:
    """Serve, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--crops", type=int, default=16, help="of the photographs; fewer are faster to mix")
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels for a CSS pixel")
    arguments = parser.parse_args()
    params = WebParams(images=24, styles=5, groups=4, region=64, batch=8)
    generator, classifiers = Photographs(arguments.size, arguments.crops), {"brightness": Brightness()}
    state = explorer_state(toy_results(), params, generator, classifiers, ToyRun(), styled=False)
    live = LiveState(state, Stage(), initial_session(state, params), own={}, encodes=False)  # type: ignore[arg-type]
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(application(live, "token", upload=1 << 20), log_level="warning"))
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    measure(address(listening, "token"), arguments)
    server.should_exit = True


def measure(url: str, arguments: argparse.Namespace) -> None:
    """Open the page, edit, print."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_context(
            viewport={"width": 1440, "height": 1000}, device_scale_factor=arguments.scale
        ).new_page()
        page.set_default_timeout(900_000)
        drawn: list[tuple[bool, int]] = []

        def seen(response: Any) -> None:
            if response.url.endswith("/draw") and response.status == 200:
                drawn.append(('"edit":true' in (response.request.post_data or ""), len(response.body())))

        page.on("response", seen)
        page.goto(url)
        page.wait_for_selector("html[data-ready]", state="attached")
        complete(page)
        print(f"{arguments.size} pixels, {arguments.scale:g} for each CSS pixel")
        print(f"first page       {sum(size for _, size in drawn) / 1e6:8.2f} MB")
        memory(browser, page, "at first")
        own, whole = [], []
        page.locator(".matrix .cell >> nth=0").click()
        complete(page)
        for number in range(arguments.edits):
            drawn.clear()
            page.locator(".slide input >> nth=0").fill(str(1 + 37 * (number + 1) % 99))
            complete(page)
            own.append(sum(size for edit, size in drawn if edit) / 1e3)
            whole.append(sum(size for _, size in drawn) / 1e3)
        first, rest = statistics.median(own), statistics.median(whole)
        print(f"an edit          {first:8.1f} kB to its picture, {rest:.0f} kB to the page (medians of {len(own)})")
        memory(browser, page, f"after {arguments.edits} edits")
        browser.close()


def complete(page: Any) -> None:
    """Wait until every picture is there."""
    page.wait_for_timeout(150)
    page.wait_for_selector(SETTLED, state="detached")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(100)


def memory(browser: Any, page: Any, when: str) -> None:
    """Print what the page holds."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    values = {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [one["id"] for one in processes if one["type"] == "renderer"]
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() for pid in renderers]
    sizes = [int(line.split()[1]) for lines in rollups for line in lines if line.startswith("Pss:")]
    print(f"memory {when:<18} {values['JSHeapUsedSize'] / 1e6:6.1f} MB of JavaScript, "
          f"{max(sizes) / 1e3:.0f} MB of the process")  # fmt: skip


if __name__ == "__main__":
    main()
