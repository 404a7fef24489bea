"""The pictures of an attention graph's page, scored as they are shown, against their captions."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from sidelight_report import HtmlParams
from sidelight_report.html import Html
from sidelight_specs.results import Predictions, Results, Targets
from sidelight_specs.testing import ToyRun
from sidelight_structured import SagParams
from sidelight_structured.sag.sag import Sag

ROUNDING = 1e-3
"""Largest change of a confidence by the classifier's rounding in batches of other sizes."""


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
    """(row, node, pixels) of every root: (H, W, 3) in [0, 1], the enlarged picture cut from a screenshot at scale 1."""
    page_file, *_ = Html(HtmlParams(), run=ToyRun()).render(results, folder)
    page = browser.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=1)
    page.set_default_timeout(240_000)  # a busy machine is no failure
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    for row in range(len(results.targets)):
        drawn = page.locator("sl-attention-graph").nth(row).locator(".node.root")
        roots = [node for node in results.explanations["sag"].graphs[row].nodes if node.root]
        assert drawn.count() == len(roots)
        for position, node in enumerate(roots):
            drawn.nth(position).click()
            yield row, node, pixels(page.locator("dialog canvas"))
            page.keyboard.press("Escape")
            page.locator("dialog").wait_for(state="detached")
    page.close()


def pixels(locator):
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(np.float32) / 255


def gaps(network, results, shown):
    """Of each root, the difference of confidence between what its pixels score and what its caption says."""
    found = []
    for row, node, picture in shown:
        assert picture.shape == (224, 224, 3)
        with torch.inference_mode():
            logits = network.class_logits(torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous())
        score = logits.softmax(1)[0, results.targets.predicted[row]].item()
        found.append(abs(score / results.explanations["sag"].graphs[row].probability - node.confidence))
    return np.array(found)


@pytest.mark.browser
@pytest.mark.parametrize("soft", [True, False])
def test_the_shown_pixels_score_what_the_caption_says(chromium, network, tmp_path, soft):
    options = {"grid": 4, "width": 1, "candidates": 6, "passes": 80, "depth": 1, "order_steps": 2}
    results = explained(network, ("coffee",), soft=soft, **options)
    found = gaps(network, results, screenshots(chromium, tmp_path, results))
    assert len(found) >= 1
    assert found.max() <= ROUNDING


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("baseline", ["blur", "black"])
def test_twenty_sets_of_photographs_score_what_their_captions_say(chromium, network, tmp_path, baseline):
    names = ("camera", "coffee", "chelsea", "motorcycle", "rocket", "flower", "china")
    options = {"width": 2, "passes": 100, "roots": 4, "overlap": 48, "depth": 1, "order_steps": 2}
    results = explained(network, names, baseline=baseline, **options)
    found = gaps(network, results, screenshots(chromium, tmp_path, results))
    print(f"{baseline}, {len(found)} sets: gap at most {found.max():.2g}, mean {found.mean():.2g}")
    assert len(found) >= 20
    assert found.max() <= ROUNDING
