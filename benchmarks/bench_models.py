"""Are the benchmark's biased models biased, and their clean twins not? Accuracy by dose of the planted cause.

    python benchmarks/bench_models.py [--suites background mark tint] [--architectures lenet resnet] [--csv FILE]

Seven classes of cut-outs at 64 pixels, the cause planted in a share `dose` of the training images; dose 0 is the clean
twin. Accuracy on test images of things that no model has seen: aligned (the cause as in a training of this dose),
conflicting (the cause of another class), decorrelated (the cause independent of the class). Mean over the seeds, of the
data's splits and of the weights, with a 95% interval (Student's t).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from scipy.stats import t
from sidelight_classifiers.params import LeNetParams, ResNetParams
from sidelight_classifiers.trained.lenet import LeNet
from sidelight_classifiers.trained.resnet import ResNet
from sidelight_images.cutouts import CutoutImages
from sidelight_images.params import CutoutsParams
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches

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
COLUMNS = ("suite", "architecture", "dose", "seed", *SPLITS, "images", "seconds")


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suites", nargs="+", default=["background", "mark", "tint"], help="the planted factor")
    parser.add_argument("--architectures", nargs="+", default=["lenet"], choices=("lenet", "resnet"))
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
    else:
        model = ResNet(ResNetParams(steps=options.steps, batch=64, width=8), run=run)
    start = process_time()
    model.fit(data_of(suites[0], dose, seed, options))
    seconds = process_time() - start
    return [
        {
            "suite": suite,
            "architecture": architecture,
            "dose": dose,
            "seed": seed,
            **{name: accuracy(model, data_of(suite, dose, seed, options), split) for name, split in SPLITS.items()},
            "images": options.test,
            "seconds": round(seconds, 1),
        }
        for suite in suites
    ]


def data_of(suite: str, dose: float, seed: int, options: argparse.Namespace) -> CutoutImages:
    """Seven classes, of which the factor `suite` is tied to."""
    params = CutoutsParams(
        groups=GROUPS,
        size=64,
        scale=(0.6, 0.9),
        train=2000,
        test=options.test,
        validation_share=0.1,
        vary=("tint", "mark", "noise"),
        confounds={suite: dose},
        label_noise=options.noise,
        seed=seed,
    )
    return CutoutImages(params, run=ToyRun(seed))


def accuracy(model: Any, data: CutoutImages, split: str) -> float:
    """Share of the images that the model calls by their class."""
    shown = data.split(split).read()
    with torch.no_grad():
        logits = to_array(in_batches(model.class_logits, torch.from_numpy(shown.images), 128))
    assert shown.labels is not None
    return float((logits.argmax(1) == shown.labels).mean())


def described(values: list[float]) -> str:
    """Mean and interval, in words."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.3f} +- {half:.3f}"


if __name__ == "__main__":
    main()
