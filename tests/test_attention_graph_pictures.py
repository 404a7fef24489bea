"""The pictures of an attention graph's page, scored as they are shown, against their captions."""

import io
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from sidelight_report import HtmlParams
from sidelight_report.html import Html
from sidelight_specs.results import Predictions, Results, Targets
from sidelight_specs.testing import ToyRun
from sidelight_structured import SagParams
from sidelight_structured.sag import Sag

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
ROUNDING = 1e-3
"""How far the classifier's own rounding in batches of other sizes may move a confidence."""


@pytest.fixture(scope="module")
def chromium():
    path = os.environ.get("SIDELIGHT_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    playwright = pytest.importorskip("playwright.sync_api", reason="NOT RUN: the package playwright is not installed")
    if path is None:
        pytest.skip("NOT RUN: no Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def network():
    lite = pytest.importorskip("sidelight_classifiers.efficientnet_lite")
    from sidelight_classifiers import EfficientNetLiteParams

    return lite.EfficientNetLite(EfficientNetLiteParams(), run=ToyRun())


def explained(network, names, **options):
    """A finished run: the graphs of photographs."""
    photos = pytest.importorskip("sidelight_images.photos")
    from sidelight_images import PhotosParams

    split = photos.Photos(PhotosParams(names=names), run=ToyRun()).split("test")
    images = torch.from_numpy(split.images)
    with torch.inference_mode():
        logits = network.class_logits(images)
    predicted = logits.argmax(1).numpy()
    targets = Targets(predicted=predicted, probe=predicted)
    graphs = Sag(SagParams(batch=8, **options), classifier=network, run=ToyRun()).explain(images, targets)
    return Results(
        name="graphs",
        split=split,
        predictions=Predictions(logits=logits.numpy()),
        targets=targets,
        class_names=network.class_names,
        explanations={"sag": graphs},
        recipe={"recipe": 1, "name": "graphs"},
    )


def screenshots(browser, folder, results):
    """(row, node, full size, thumbnail) of every root: (H, W, 3) in [0, 1], cut from screenshots at device scale 1."""
    page_file, *_ = Html(HtmlParams(), run=ToyRun()).render(results, folder)
    page = browser.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=1)
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
    for row in range(len(results.targets)):
        drawn = page.locator("sl-attention-graph").nth(row).locator(".node.root")
        roots = [node for node in results.explanations["sag"].graphs[row].nodes if node.root]
        assert drawn.count() == len(roots)
        for position, node in enumerate(roots):
            drawn.nth(position).evaluate("node => node.scrollIntoView({ block: 'center' })")
            small = pixels(drawn.nth(position).locator("image"))
            drawn.nth(position).click()
            yield row, node, pixels(page.locator("dialog canvas")), small
            page.keyboard.press("Escape")
            page.locator("dialog").wait_for(state="detached")
    page.close()


def pixels(locator):
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(np.float32) / 255


def gaps(network, results, shown):
    """Differences of confidence between what the pixels score and what the caption says, full size and thumbnail."""
    found = []
    for row, node, full, small in shown:
        assert full.shape == (224, 224, 3)
        enlarged = np.asarray(Image.fromarray(np.rint(small * 255).astype(np.uint8)).resize((224, 224), Image.BICUBIC))
        batch = torch.from_numpy(np.stack([full, enlarged / np.float32(255)])).permute(0, 3, 1, 2).contiguous()
        with torch.inference_mode():
            scores = network.class_logits(batch).softmax(1)[:, results.targets.predicted[row]].numpy()
        found.append(np.abs(scores / results.explanations["sag"].graphs[row].probability - node.confidence))
    return np.array(found)


@pytest.mark.browser
@pytest.mark.parametrize("soft", [True, False])
def test_the_shown_pixels_score_what_the_caption_says(chromium, network, tmp_path, soft):
    results = explained(network, ("coffee",), soft=soft, grid=4, width=1, candidates=6, most=1, depth=1, order_steps=2)
    found = gaps(network, results, screenshots(chromium, tmp_path, results))
    assert len(found) >= 1
    assert found[:, 0].max() <= ROUNDING


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("baseline", ["blur", "black"])
def test_twenty_sets_of_photographs_score_what_their_captions_say(chromium, network, tmp_path, baseline):
    names = ("camera", "coffee", "chelsea", "motorcycle", "rocket", "flower", "china")
    results = explained(network, names, baseline=baseline, width=2, most=4, roots=3, overlap=40, depth=1)
    found = gaps(network, results, screenshots(chromium, tmp_path, results))
    for place, one in zip(("full size", "thumbnail"), found.T, strict=True):
        print(f"{baseline}, {len(one)} sets, {place}: gap at most {one.max():.4f}, mean {one.mean():.4f}")
    assert len(found) >= 20
    assert found[:, 0].max() <= ROUNDING
