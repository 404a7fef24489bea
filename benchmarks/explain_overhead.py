"""Overhead of `sidelight.explain` beside captum called directly: same model, images, methods and batches, warm.

    python benchmarks/explain_overhead.py [--rounds N] [--profile]

timm's resnet18 with random weights, eight photographs of 224 pixels, integrated gradients of 50 steps and Grad-CAM.
Both sides run in turn, so that a busy machine slows both. Captum's side predicts the classes, attributes, sums the
channels and upsamples; ours also checks, keeps and renders: every call has a seed of its own, so that nothing comes
from the cache. Given are wall and CPU time; CPU time is what other work disturbs least.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from typing import TYPE_CHECKING

import captum.attr
import numpy as np
import sidelight
import torch
from sidelight_images.params import PhotosParams
from sidelight_images.photos import Photos
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.torchvision_import import import_with_torchvision
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS, BATCH = 50, 4
NAMES = ("astronaut", "camera", "chelsea", "coffee", "motorcycle", "rocket", "china", "flower")


def main() -> None:
    """Print times of both sides, their difference and ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=STEPS, help="of integrated gradients")
    parser.add_argument("--profile", action="store_true", help="of one call of ours, by cumulated time")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    model = import_with_torchvision("timm").create_model("resnet18", pretrained=False).eval()
    images = torch.from_numpy(
        np.asarray(Photos(PhotosParams(size=224, names=NAMES), run=ToyRun()).split("test").images)
    )
    methods = {
        "gradients": {"use": "captum/integrated-gradients", "with": {"steps": arguments.steps, "batch": BATCH}},
        "cam": {"use": "captum/grad-cam", "with": {"batch": BATCH, "layer": "layer4"}},
    }

    def ours(seed: int) -> dict[str, np.ndarray]:
        options = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
        run = sidelight.explain(model, images, methods, seed=seed, progress=False, **options)
        return {name: run[name].values for name in methods}

    def theirs(_seed: int) -> dict[str, np.ndarray]:
        with torch.no_grad():
            classes = model(images).argmax(1)
        gradients, cams = captum.attr.IntegratedGradients(model), captum.attr.LayerGradCam(model, model.layer4)
        maps = [
            gradients.attribute(image, target=target, n_steps=arguments.steps, internal_batch_size=BATCH)
            for image, target in zip(images.split(1), classes.split(1), strict=True)
        ]
        coarse = [
            cams.attribute(images[i : i + BATCH], classes[i : i + BATCH], relu_attributions=True)
            for i in range(0, len(images), BATCH)
        ]
        size = images.shape[-2:]
        cam = functional.interpolate(torch.cat(coarse), size=size, mode="bilinear")[:, 0]
        return {"gradients": torch.cat(maps).sum(1).detach().numpy(), "cam": cam.detach().numpy()}

    first, second = ours(0), theirs(0)  # warm: imports, the catalogue, memory
    for name in methods:
        gap = float(np.abs(first[name] - second[name]).max() / np.abs(second[name]).max())
        print(f"{name}: largest difference {gap:.1e} of the largest value")
    if arguments.profile:
        profile(lambda: ours(1 << 40))
    times = np.array([[*seconds(ours, n), *seconds(theirs, n)] for n in range(1, arguments.rounds + 1)])
    for column, clock in enumerate(("wall", "CPU")):
        mine, other = times[:, column], times[:, column + 2]
        print(
            f"{clock}: ours {np.median(mine):.2f} s ({mine.min():.2f} to {mine.max():.2f}), "
            f"captum {np.median(other):.2f} s ({other.min():.2f} to {other.max():.2f}); "
            f"ours - 1.05 captum: median {np.median(mine - 1.05 * other):.2f} s, "
            f"of the least {mine.min() - 1.05 * other.min():.2f} s"
        )


def seconds(compute: Callable[[int], object], seed: int) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    compute(seed)
    return time.perf_counter() - wall, time.process_time() - cpu


def profile(compute: Callable[[], object]) -> None:
    """The functions that take longest."""
    with cProfile.Profile() as profiler:
        compute()
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(90)


if __name__ == "__main__":
    main()
