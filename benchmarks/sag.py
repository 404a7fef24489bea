"""Cost of a structured attention graph: its wall time over that of one forward pass in the same process.

    python benchmarks/sag.py [--batch 8] [PHOTO ...]

With the settings of the authors' code: 7x7 soft patches over black, beam of 3, 15 candidates, threshold 0.9, 10
explanations. One thread. The unit is EfficientNet-Lite0's forward pass on one image of 224 pixels; while the search
runs, every few of its calls are followed by one such pass, whose time is not counted, so that both see the same
machine.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from sidelight_classifiers import EfficientNetLiteParams
from sidelight_classifiers.efficientnet_lite import EfficientNetLite
from sidelight_images import PhotosParams
from sidelight_images.photos import Photos
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from sidelight_structured import SagParams
from sidelight_structured.sag.sag import Sag, diverse

EVERY = 3
"""Calls of the search for each timed pass: both then see the same machine, and the benchmark stays short."""


class Timed(EfficientNetLite):
    """Times single passes, of itself and of its slower memory layout, between the search's own calls."""

    def begin(self, image: torch.Tensor) -> None:
        """Start to count, on one image (1, 3, 224, 224)."""
        self.image, self.calls, self.units, self.plain_units = image, 0, [], []
        self.plain = EfficientNetLite(EfficientNetLiteParams(channels_last=False), run=self.run)
        self.spent = 0.0

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """The scores; after every few calls a timed pass."""
        result = super().scores(images)
        self.calls += 1
        if self.calls % EVERY == 0:
            start = time.perf_counter()
            with torch.inference_mode():
                for module, times in ((self.module, self.units), (self.plain.module, self.plain_units)):
                    before = time.perf_counter()
                    module(self.image)
                    times.append(time.perf_counter() - before)
            self.spent += time.perf_counter() - start
        return result


def main() -> None:
    """Print one line for each photograph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="*", default=["chelsea", "coffee"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--order-steps", type=int, default=10)
    parser.add_argument("--crop", default="whole", choices=("whole", "center"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    run = ToyRun()
    photos = Photos(PhotosParams(names=tuple(options.photos), crop=options.crop), run=run)
    classifier = Timed(EfficientNetLiteParams(), run=run)
    params = SagParams(width=3, baseline="black", batch=options.batch, order_steps=options.order_steps)
    for name, image in zip(options.photos, torch.from_numpy(photos.split("test").images).split(1), strict=True):
        classifier.begin(image)
        predicted = classifier.class_logits(image).argmax(1).numpy()
        start = time.perf_counter()
        result = Sag(params, classifier=classifier, run=run).explain(
            image, Targets(predicted=predicted, probe=predicted)
        )
        wall = time.perf_counter() - start - classifier.spent
        unit, plain = (statistics.mean(times) for times in (classifier.units, classifier.plain_units))
        sets = [frozenset(patches) for patches in result.graphs[0].sufficient]
        sizes = sorted(map(len, sets))
        print(
            f"{name}, batch {options.batch}: {wall:.1f} s are {wall / unit:.0f} forward passes of {1000 * unit:.1f} ms "
            f"(channels last) or {wall / plain:.0f} of {1000 * plain:.1f} ms (channels first); "
            f"{result.passes[0]:.0f} counted; {len(sizes)} explanations of {sizes} patches, "
            f"{[len(diverse(sets, overlap)) for overlap in (0, 1, 2)]} that share at most 0, 1 and 2",
            flush=True,
        )


if __name__ == "__main__":
    main()
