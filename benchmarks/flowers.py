"""Colour or form: the feature by which a classifier tells flowers with five petals from those with many.

    python benchmarks/flowers.py --seeds 10
    python benchmarks/flowers.py --answers runs/flowers       after `sidelight run recipes/flowers.yaml`

The flowers are Tux Paint's (apt-get install tuxpaint-stamps-default). For each seed the cut-outs are divided anew into
those that the classifier learns from and those that it is tested on, and a classifier is trained. The test photographs
are then edited by their masks, form and brightness kept: without colour; and with the hue that is most frequent in the
training images of either kind. Printed are, over the seeds, the ratio of test images that are called many-petalled, of
each kind and with each edit: mean and half of the 95 % interval over the seeds (Student's t). Test images of one seed
show two or three cut-outs of each kind, so that the seeds, and not the images, are what counts.

`--answers` takes the counterfactuals of a run apart: the answer's colour (Cb and Cr of ITU-R BT.601) on the image's
lightness (Y), and the other way round. Printed are how many are still turned, and the share of the change of the
difference of logits.
"""

from __future__ import annotations

import argparse
import colorsys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t
from sidelight.engine.machine import Cancellation
from sidelight.engine.progress import Display
from sidelight.engine.results import load_run
from sidelight.engine.session import Session
from sidelight.engine.store import Store
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_classifiers.params import LeNetParams
from sidelight_classifiers.trained.lenet import LeNet
from sidelight_images.cutouts import CutoutImages
from sidelight_images.params import CutoutsParams
from sidelight_specs.testing.run import ToyRun
from sidelight_toolkit.arrays import to_array

FIVE = (
    *("adeenia", "bolsom", "chemparathi", "flower1", "flower10", "flower4", "flower5", "flower6", "flower8", "flower9"),
    *("chuvanna_plastic_poo", "whitestar-petunia"),
)
MANY = (
    *("appooppanthady", "flower3", "marigold", "pigface", "red-gazania", "yellow-flower", "anemone_red", "flower2"),
)
TRIED = 200
YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
HUES = 36


def main() -> None:
    """Print the table."""
    options = _options()
    torch.set_num_threads(1)
    if options.answers is not None:
        take_apart(options.answers)
        return
    rows = [trial(seed) for seed in range(options.seeds)]
    print(f"{options.seeds} divisions of the cut-outs, {TRIED} test images each; called many-petalled:")
    for name in rows[0]:
        print(f"  {name:44} {described([row[name] for row in rows])}")


def take_apart(folder: Path) -> None:
    """Print what the colour and the lightness of a run's answers do alone."""
    results = load_run(folder).results
    resolved = load_recipe(results.recipe, catalog=installed(), finished=True)
    session = Session(resolved, Store(), "cpu", Display(), Cancellation())
    images, answers = np.asarray(results.split.images), results.explanations["cdeepex"].images  # (N, 3, H, W)
    before, after = (np.einsum("ij,njhw->nihw", YCBCR, each) for each in (images, answers))
    edits = {
        "the answer": answers,
        "its colour": _rgb(np.concatenate([before[:, :1], after[:, 1:]], 1)),
        "its lightness": _rgb(np.concatenate([after[:, :1], before[:, 1:]], 1)),
    }
    rows, targets = np.arange(len(images)), results.targets
    with torch.no_grad():
        logits = [
            session.get(resolved.classifier).class_logits(torch.from_numpy(each)).numpy()
            for each in (images, *edits.values())
        ]
    start, *leads = (each[rows, targets.probe] - each[rows, targets.predicted] for each in logits)
    for name, lead in zip(edits, leads, strict=True):
        print(f"{name:14} turns {(lead > 0).sum()} of {len(lead)}, {described((lead - start) / (leads[0] - start))}")


def _rgb(ycbcr: np.ndarray) -> np.ndarray:
    return np.clip(np.einsum("ij,njhw->nihw", np.linalg.inv(YCBCR), ycbcr), 0, 1).astype(np.float32)


def trial(seed: int) -> dict[str, float]:
    """Edit to the ratio of images of a kind that are called many-petalled; and the hues, in degrees."""
    params = CutoutsParams(
        groups={"five petals": FIVE, "many petals": MANY},
        size=64,
        train=3000,
        test=TRIED,
        rotation=180.0,
        scale=(0.8, 1.0),
        backgrounds=("foliage",),
        seed=seed,
    )
    data = CutoutImages(params, run=ToyRun())
    classifier = LeNet(LeNetParams(steps=800, flip=True, shift=4), run=ToyRun(seed=seed))
    classifier.fit(data)
    train, test = data.split("train").read(count=400), data.split("test").read(count=TRIED)
    masks = _masks(test)
    hues = [typical_hue(train.images[train.labels == kind]) for kind in (0, 1)]
    row: dict[str, float] = {}
    for kind, name in enumerate(("five petals", "many petals")):
        mine = test.labels == kind
        images, mask = test.images[mine], masks[mine]
        edits = {
            "as photographed": images,
            "without colour": recoloured(images, mask, None),
            "in the hue of the other kind": recoloured(images, mask, hues[1 - kind]),
            "in the hue of its own kind": recoloured(images, mask, hues[kind]),
        }
        for edit, edited in edits.items():
            called = to_array(classifier.class_logits(torch.from_numpy(edited)).argmax(1))
            row[f"{name}, {edit}"] = float((called == 1).mean())
        row[f"{name}: typical hue, degrees"] = 360 * hues[kind]
    return row


def _masks(split: Any) -> np.ndarray:
    """(N, H, W) bool: the object."""
    return np.asarray(split.masks["object"][:]).reshape(len(split.labels), *split.images.shape[2:]) > 0


def typical_hue(images: np.ndarray) -> float:
    """The most frequent hue, in [0, 1), of saturated bright pixels of (N, 3, H, W), in steps of 10 degrees."""
    pixels = images.transpose(0, 2, 3, 1).reshape(-1, 3)
    high, low = pixels.max(1), pixels.min(1)
    vivid = pixels[(high > 0.4) & (high - low > 0.4 * high)]
    hues = np.array([colorsys.rgb_to_hsv(*pixel)[0] for pixel in vivid[:: max(1, len(vivid) // 20_000)].tolist()])
    counts, edges = np.histogram(hues, HUES, (0, 1))
    return float(edges[counts.argmax()] + 0.5 / HUES)


def recoloured(images: np.ndarray, masks: np.ndarray, hue: float | None) -> np.ndarray:
    """(N, 3, H, W) whose masked pixels have another hue, saturation and value kept; grey of the same value for None."""
    changed = images.transpose(0, 2, 3, 1).copy()  # (N, H, W, 3)
    pixels = changed[masks]
    value = pixels.max(1, keepdims=True)
    if hue is None:
        changed[masks] = value
    else:
        saturation = (value - pixels.min(1, keepdims=True)) / np.maximum(value, 1e-6)
        pure = np.array(colorsys.hsv_to_rgb(hue, 1.0, 1.0), dtype=np.float32)
        changed[masks] = value * (1 - saturation * (1 - pure))  # HSV to RGB
    return np.ascontiguousarray(changed.transpose(0, 3, 1, 2), dtype=np.float32)


def described(values: list[float]) -> str:
    """Mean and interval."""
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.2f} +- {half:.2f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="divisions of the cut-outs, and trainings")
    parser.add_argument("--answers", type=Path, help="folder of a run of recipes/flowers.yaml")
    return parser.parse_args()


if __name__ == "__main__":
    main()
