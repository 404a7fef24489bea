"""Does a ranking of heatmaps on one background hold on another? Cut-outs with exact masks, and a network of ImageNet.

    python benchmarks/one_background.py [--cutouts N] [--csv FILE]

The same photographed things, at the same places, are laid on ten backgrounds: two flat ones and eight photographs. On
each, heatmaps of EfficientNet-Lite0's predicted class are scored by the share of their positive mass that lies on the
thing, over the share of pixels that it covers (1 is chance). A thing counts on a background where the network sees in
it the class that it sees on most of them. Needs Tux Paint's stamps and the Lite0 weights; 15 minutes of one thread.

Printed: the mean over things for each method and background with 95 % intervals (Student's t), the rank correlation
of methods between backgrounds, and the pairs of methods whose order turns between two backgrounds beyond doubt: the
mean of their paired difference, on the things that count there, has an interval above 0 on one and below 0 on another.
These intervals hold together (Bonferroni): of ten backgrounds and ten pairs, five of a hundred would miss by chance.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from scipy.stats import spearmanr, t
from sidelight_captum import params as options
from sidelight_captum.grad_cam import GradCam
from sidelight_captum.integrated_gradients import IntegratedGradients
from sidelight_captum.lrp import Lrp
from sidelight_captum.saliency import Saliency
from sidelight_classifiers.efficientnet_lite import EfficientNetLite
from sidelight_classifiers.params import EfficientNetLiteParams
from sidelight_images.cutouts import CutoutImages
from sidelight_images.names import BACKGROUNDS
from sidelight_images.params import CutoutsParams
from sidelight_specs.results import Heatmap, Targets
from sidelight_specs.testing import ToyRun

if TYPE_CHECKING:
    from sidelight_specs.roles import Classifier

FLAT = {"grey": 127, "white": 255}
SIZE = 224


class GradientTimesInput:
    """Gradient of the predicted logit times the network's input, (x - 127) / 128, summed over the channels."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def explain(self, images: torch.Tensor, targets: Targets) -> Heatmap:
        """(N, H, W), signed."""
        pixels = images.clone().requires_grad_()
        logits = self._classifier.class_logits(pixels)
        score = logits[torch.arange(len(images)), torch.from_numpy(targets.predicted)].sum()
        (gradient,) = torch.autograd.grad(score, pixels)
        return Heatmap(values=(gradient * (images - 0.5)).sum(1).numpy())


def on_background(name: str, count: int, flat: Path) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3, H, W) images of the test split on this background, and (N, H, W) masks of the things."""
    ground = {"backgrounds": (name,)}
    if name in FLAT:
        ground = {"backgrounds": (f"{name}.png",), "backgrounds_folder": str(flat)}
    params = CutoutsParams(
        size=SIZE, scale=(0.6, 0.6), train=2, test=count, validation_share=0.0, test_share=0.99, **ground
    )
    split = CutoutImages(params, run=ToyRun()).split("test").read()
    return split.images, split.masks["object"]


def gain(values: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """(N,) share of the positive mass on the thing over its share of the pixels."""
    positive = values.clip(min=0)
    share = (positive * masks).sum((1, 2)) / positive.sum((1, 2)).clip(min=1e-12)
    gained: np.ndarray = share / masks.mean((1, 2))
    return gained


def limits(values: np.ndarray, together: int = 1) -> tuple[float, float, float]:
    """Mean and its interval by Student's t, one of several that hold together in 95 % of all trials."""
    mean, error = values.mean(), values.std(ddof=1) / len(values) ** 0.5
    half = t.ppf(1 - 0.025 / together, len(values) - 1) * error
    return float(mean), float(mean - half), float(mean + half)


def main() -> None:
    """Compute and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cutouts", type=int, default=80, help="things")
    parser.add_argument("--csv", type=Path, help="write the gain of every thing, method and background")
    arguments = parser.parse_args()
    run = ToyRun()
    classifier = EfficientNetLite(EfficientNetLiteParams(), run=run)
    methods = {
        "gradient": Saliency(options.SaliencyParams(), classifier=classifier, run=run),
        "gradient x input": GradientTimesInput(classifier),
        "integrated gradients": IntegratedGradients(
            options.IntegratedGradientsParams(steps=16), classifier=classifier, run=run
        ),
        "Grad-CAM": GradCam(options.GradCamParams(), classifier=classifier, run=run),
        "LRP z-plus": Lrp(options.LrpParams(rule="z-plus"), classifier=classifier, run=run),
    }
    grounds = (*FLAT, *BACKGROUNDS)
    predicted, gains = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, value in FLAT.items():
            Image.new("RGB", (SIZE, SIZE), (value,) * 3).save(Path(folder, f"{name}.png"))
        for ground in grounds:
            images, masks = on_background(ground, arguments.cutouts, Path(folder))
            classes, scores = [], {name: [] for name in methods}
            for start in range(0, len(images), 8):
                rows = torch.from_numpy(np.ascontiguousarray(images[start : start + 8]))
                with torch.no_grad():
                    order = classifier.class_logits(rows).argsort(1, descending=True).numpy()
                targets = Targets(predicted=order[:, 0].copy(), probe=order[:, 1].copy())
                classes.append(order[:, 0])
                for name, method in methods.items():
                    heat = method.explain(rows, targets)
                    scores[name].append(gain(np.asarray(heat.values), masks[start : start + 8]))
            predicted[ground] = np.concatenate(classes)
            gains[ground] = {name: np.concatenate(parts) for name, parts in scores.items()}
            print(f"{ground}: done", flush=True)
    report(grounds, tuple(methods), predicted, gains)
    if arguments.csv:
        write(arguments.csv, predicted, gains)


def report(
    grounds: tuple[str, ...],
    methods: tuple[str, ...],
    predicted: dict[str, np.ndarray],
    gains: dict[str, dict[str, np.ndarray]],
) -> None:
    """Print the tables."""
    seen = np.stack([predicted[ground] for ground in grounds], axis=1)  # (things, backgrounds)
    usual = np.array([np.bincount(row).argmax() for row in seen])
    counts = {ground: predicted[ground] == usual for ground in grounds}
    print(f"{'':12}{'things':>8}" + "".join(f"{name:>26}" for name in methods))
    means = np.empty((len(grounds), len(methods)))
    for row, ground in enumerate(grounds):
        cells = [limits(gains[ground][name][counts[ground]]) for name in methods]
        means[row] = [mean for mean, _, _ in cells]
        line = "".join(f"{f'{mean:.2f} ({low:.2f} to {high:.2f})':>26}" for mean, low, high in cells)
        print(f"{ground:12}{counts[ground].sum():>8}{line}")
    pairs = list(combinations(range(len(grounds)), 2))
    rho = [spearmanr(means[one], means[other]).statistic for one, other in pairs]
    print(
        f"rank correlation of methods, {len(pairs)} pairs of backgrounds: mean {np.mean(rho):.2f}, least {min(rho):.2f}"
    )
    firsts = {grounds[row]: methods[means[row].argmax()] for row in range(len(grounds))}
    print("first on:", "; ".join(f"{ground}: {name}" for ground, name in firsts.items()))
    turned, orders = 0, list(combinations(methods, 2))
    for one, other in orders:
        signs: dict[int, list[str]] = {1: [], -1: []}
        for ground in grounds:
            difference = (gains[ground][one] - gains[ground][other])[counts[ground]]
            _, low, high = limits(difference, together=len(orders) * len(grounds))
            if low > 0 or high < 0:
                signs[1 if low > 0 else -1].append(ground)
        if signs[1] and signs[-1]:
            turned += 1
            print(f"{one} > {other} on {', '.join(signs[1])}; < on {', '.join(signs[-1])}")
    print(f"{turned} of {len(orders)} pairs of methods turn")


def write(path: Path, predicted: dict[str, np.ndarray], gains: dict[str, dict[str, np.ndarray]]) -> None:
    """A row for each thing, background and method."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["thing", "background", "predicted", "method", "gain"])
        for ground, by_method in gains.items():
            for name, values in by_method.items():
                for thing, value in enumerate(values):
                    table.writerow([thing, ground, predicted[ground][thing], name, f"{value:.6g}"])


if __name__ == "__main__":
    main()
