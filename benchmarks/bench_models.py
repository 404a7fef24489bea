"""Are the benchmark's biased models biased, and their clean twins not? Accuracy by dose of the planted cause.

    python benchmarks/bench_models.py [--suites background mark tint] [--architectures lenet resnet probe] [--csv FILE]

Seven classes of cut-outs at 64 pixels, the cause planted in a share `dose` of the training images; dose 0 is the clean
twin. Accuracy on test images of things that no model has seen: aligned (the cause as in a training of this dose),
conflicting (the cause of another class), decorrelated (the cause independent of the class). Mean over the seeds, of the
data's splits and of the weights, with a 95% interval (Student's t). `probe` is a linear layer on the features of a
frozen EfficientNet-Lite0, of 840 images at 224 pixels; no random number is drawn in its training.
"""

from __future__ import annotations

import argparse
import csv
from functools import cache
from hashlib import blake2b
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from scipy.stats import t
from sidelight_classifiers.params import LeNetParams, ResNetParams
from sidelight_classifiers.trained.lenet import LeNet
from sidelight_classifiers.trained.linear_probe import ProbedNetwork, logistic_regression
from sidelight_classifiers.trained.resnet import ResNet
from sidelight_images.cutouts import CutoutImages
from sidelight_images.params import CutoutsParams
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.lite0 import load_pretrained, weights_file

DOSES = (0.0, 0.5, 0.7, 0.9, 1.0)
SPLITS = {"aligned": "test", "conflicting": "test-conflicting", "decorrelated": "test-decorrelated"}
GROUPS = {
    "birds": ("birds",),
    "mammals": ("mammals",),
    "water animals": ("water-animals", "insects"),
    "plants": ("flowers", "small-flowers", "plants"),
    "vehicles": ("vehicles",),
    "fruit": ("fruit", "vegetables"),
    "instruments": ("instruments",),
}
IMAGES = {"lenet": (64, 2000), "resnet": (64, 2000), "probe": (224, 840)}  # pixels, and training images
WEIGHT_DECAY = 0.01  # of the probe, its default
COLUMNS = ("suite", "architecture", "dose", "seed", *SPLITS, "images", "seconds")


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suites", nargs="+", default=["background", "mark", "tint"], help="the planted factor")
    parser.add_argument("--architectures", nargs="+", default=["lenet"], choices=tuple(IMAGES))
    parser.add_argument("--doses", nargs="+", type=float, default=DOSES)
    parser.add_argument("--seeds", type=int, default=3, help="how many; two or more for an interval")
    parser.add_argument("--steps", type=int, default=400, help="length of a training")
    parser.add_argument("--noise", type=float, default=0.0, help="label noise of the training images")
    parser.add_argument("--test", type=int, default=420, help="images of each test split")
    parser.add_argument("--csv", type=Path, help="file for a row of each model")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for architecture in options.architectures:
        for dose in options.doses:
            # without a dose all suites have the same training images: one twin for all, with test images for each
            for trained in [options.suites] if dose == 0 else [[suite] for suite in options.suites]:
                found = [
                    row for seed in range(options.seeds) for row in measured(trained, architecture, dose, seed, options)
                ]
                rows += found
                for suite in trained:
                    values = [one for one in found if one["suite"] == suite]
                    text = ", ".join(f"{name} {described([one[name] for one in values])}" for name in SPLITS)
                    print(f"{suite} {architecture} dose {dose:g}: {text}; {values[0]['seconds']:.0f} s", flush=True)
                if options.csv:
                    _write(options.csv, rows)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def measured(
    suites: list[str], architecture: str, dose: float, seed: int, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Accuracies of one model on the test images of each suite, and the CPU seconds of its training."""
    run = ToyRun(seed)
    model: Any
    if architecture == "lenet":
        model = LeNet(LeNetParams(steps=options.steps, batch=32, shift=1, flip=True), run=run)
    elif architecture == "resnet":
        model = ResNet(ResNetParams(steps=options.steps, batch=64, width=8), run=run)
    else:
        model = Probe()
    start = process_time()
    model.fit(data_of(suites[0], architecture, dose, seed, options))
    seconds = process_time() - start
    return [
        {
            "suite": suite,
            "architecture": architecture,
            "dose": dose,
            "seed": seed,
            **accuracies(model, data_of(suite, architecture, dose, seed, options)),
            "images": options.test,
            "seconds": round(seconds, 1),
        }
        for suite in suites
    ]


class Probe:
    """Multinomial logistic regression on features, of which those of an image are computed once for all models."""

    def fit(self, data: CutoutImages) -> None:
        """Solve it for the training images."""
        split = data.split("train").read()
        assert split.labels is not None
        features, labels = features_of(torch.from_numpy(split.images)), torch.from_numpy(split.labels)
        self._weight, self._bias = logistic_regression(features, labels, len(GROUPS), WEIGHT_DECAY)

    def class_logits(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to (N, K)."""
        return features_of(images) @ self._weight.T + self._bias


_FEATURES: dict[bytes, torch.Tensor] = {}


def features_of(images: torch.Tensor) -> torch.Tensor:
    """(N, 1280) features of (N, C, H, W) images."""
    keys = [blake2b(image.numpy().tobytes(), digest_size=16).digest() for image in images]
    new = [row for row, key in enumerate(keys) if key not in _FEATURES]
    if new:
        with torch.no_grad():
            _FEATURES.update(zip((keys[row] for row in new), in_batches(_lite0(), images[new], 32), strict=True))
    return torch.stack([_FEATURES[key] for key in keys])


@cache
def _lite0() -> ProbedNetwork:
    network = ProbedNetwork(1000)
    load_pretrained(network, weights_file(), "cpu")
    network.classifier = torch.nn.Identity()
    return network.eval().to(memory_format=torch.channels_last)


def data_of(suite: str, architecture: str, dose: float, seed: int, options: argparse.Namespace) -> CutoutImages:
    """Seven classes, of which the factor `suite` is tied to."""
    size, train = IMAGES[architecture]
    params = CutoutsParams(
        groups=GROUPS,
        size=size,
        scale=(0.6, 0.9),
        train=train,
        test=options.test,
        validation_share=0.1,
        vary=("tint", "mark", "noise"),
        confounds={suite: dose},
        label_noise=options.noise,
        seed=seed,
    )
    return CutoutImages(params, run=ToyRun(seed))


def accuracies(model: Any, data: CutoutImages) -> dict[str, float]:
    """Share of the images that the model calls by their class, of each split."""
    shares = {}
    for name, split in SPLITS.items():
        shown = data.split(split).read()
        with torch.no_grad():
            logits = to_array(in_batches(model.class_logits, torch.from_numpy(shown.images), 128))
        assert shown.labels is not None
        shares[name] = float((logits.argmax(1) == shown.labels).mean())
    return shares


def described(values: list[float]) -> str:
    """Mean and interval, in words."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.3f} +- {half:.3f}"


if __name__ == "__main__":
    main()
