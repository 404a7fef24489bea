"""Cost and quality of I-GOS and iGOS++: passes, wall time over one forward pass in the same process, and scores.

    python benchmarks/igos.py [--crop center] [--sizes 28 224] [--steps 20] [PHOTO ...]

Insertion and deletion are taken over the mask's own cells, both as the authors' code takes them (`convention: igos`)
and exactly. One thread. The forward pass is EfficientNet-Lite0's at 224
pixels on one image.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

import torch
from sidelight_classifiers import EfficientNetLiteParams
from sidelight_classifiers.efficientnet_lite import EfficientNetLite
from sidelight_images import PhotosParams
from sidelight_images.photos import Photos
from sidelight_metrics import InsertionDeletionParams
from sidelight_metrics.heatmaps.insertion_deletion import InsertionDeletion
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from sidelight_structured import IgosParams, IgosPlusPlusParams
from sidelight_structured.igos.igos import Igos, IgosPlusPlus

if TYPE_CHECKING:
    from sidelight_specs.results import Heatmap

REPEATS = 30


def forward_time(classifier: EfficientNetLite, image: torch.Tensor) -> float:
    """Median wall time in seconds of one forward pass of one image."""
    times = []
    with torch.inference_mode():
        for _ in range(REPEATS):
            start = time.perf_counter()
            classifier.class_logits(image)
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def scores(heatmap: Heatmap, image: torch.Tensor, targets: Targets, classifier: EfficientNetLite, size: int) -> str:
    """Insertion and deletion, by the authors' convention and exactly."""
    cells = size if size < min(image.shape[-2:]) else None
    texts = []
    for convention in ("igos", "exact"):
        params = InsertionDeletionParams(convention=convention, cells=cells, batch=8)
        numbers = InsertionDeletion(params, classifier=classifier, run=ToyRun()).measure(heatmap, image, targets)
        texts.append(f"{convention} " + " / ".join(f"{item.value:.3f}" for item in numbers.items))
    return ", ".join(texts)


def main() -> None:
    """Print one line for each method, size and photograph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="*", default=["chelsea", "coffee"])
    parser.add_argument("--crop", default="whole", choices=("whole", "center"))
    parser.add_argument("--sizes", nargs="+", type=int, default=[28, 224])
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    run = ToyRun()
    data = Photos(PhotosParams(names=tuple(options.photos), crop=options.crop), run=run)
    images = torch.from_numpy(data.split("test").images)
    classifier = EfficientNetLite(EfficientNetLiteParams(), run=run)
    methods = (("iGOS++", IgosPlusPlus, IgosPlusPlusParams), ("I-GOS", Igos, IgosParams))
    for size in options.sizes:
        for label, kind, params in methods:
            explainer = kind(params(size=size, steps=options.steps, batch=8), classifier=classifier, run=run)
            for name, image in zip(options.photos, images.split(1), strict=True):
                predicted = classifier.class_logits(image).argmax(1).numpy()
                targets = Targets(predicted=predicted, probe=predicted)
                single = forward_time(classifier, image)
                start = time.perf_counter()
                heatmap = explainer.explain(image, targets)
                wall = (time.perf_counter() - start) / single
                reached = scores(heatmap, image, targets, classifier, size)
                print(
                    f"{label} {size:3d} {name:10s} {heatmap.passes[0]:5.0f} passes, {wall:5.0f} forwards of wall time, "
                    f"insertion / deletion: {reached}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
