"""Peak memory, time and disk of whole runs of 100, 1,000 and 10,000 images.

    python benchmarks/scaling.py [--images 100 1000 10000] [--recipes heatmaps cdeepex] [--work FOLDER]

Each run is a process of its own with an empty cache. `heatmaps` explains a folder of JPEG photographs at 224 px by
Grad-CAM on a small network of three convolutions in a .pt2 file; `cdeepex` a folder of grey images at 64 px, with a VAE
and a LeNet that train for 64 steps on 64 others, and a search of four steps. Both write a page. Given are the peak
of resident memory (`ru_maxrss`, which counts pages of mapped files), CPU seconds, and the bytes that cache and run
take together, where a file with two names counts once, beside those of the results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = """
import json, resource, sys
import sidelight
sidelight.run(json.loads(sys.argv[1]), out=sys.argv[2], progress=False)
usage = resource.getrusage(resource.RUSAGE_SELF)
print("USED", usage.ru_maxrss // 1024, usage.ru_utime + usage.ru_stime)
"""
TRAINING = 64  # images that the generator and the classifier of `cdeepex` learn from, for as many steps


def main() -> None:
    """Print a row for each run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--work", type=Path, default=None)
    options = parser.parse_args()
    print("recipe    images  peak MB  cpu s  disk MB  results MB", flush=True)
    for name in options.recipes:
        for count in options.images:
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                recipe = RECIPES[name](Path(folder), count)
                peak, seconds, disk, results = measure({"recipe": 1, "name": name, "seed": 0, **recipe}, Path(folder))
            print(f"{name:9} {count:6} {peak:8} {seconds:6.0f} {disk:8.0f} {results:11.0f}", flush=True)


def heatmaps(folder: Path, count: int) -> dict[str, Any]:
    """Photographs of 224 x 224, in a network that is not trained."""
    paint(folder / "images" / "all", count, 224, "RGB")
    with_path = {"path": str(folder / "images"), "size": 224, "limit": count}
    model = {"path": str(export(folder, 224)), "height": 224, "width": 224}
    return {
        "data": {"use": "images/folder", "with": with_path},
        "explain": {"split": "all", "count": count},
        "classifier": {"use": "classifiers/torch", "with": model},
        "explainers": {"cam": {"use": "captum/grad-cam"}},
        "renderers": {"page": {"use": "report/html"}},
    }


def cdeepex(folder: Path, count: int) -> dict[str, Any]:
    """Grey images of 64 x 64 in two classes, the brighter and the darker ones."""
    for label in range(2):
        paint(folder / "images" / "train" / str(label), TRAINING // 2, 64, "L", 128 * label)
        paint(folder / "images" / "test" / str(label), count // 2, 64, "L", 128 * label)
    short = {"steps": TRAINING, "batch": 16}
    return {
        "data": {"use": "images/folder", "with": {"path": str(folder / "images"), "size": 64, "limit": count}},
        "explain": {"split": "test", "count": count},
        "classifier": {"use": "classifiers/lenet", "with": short},
        "generator": {"use": "cdeepex/vae", "with": {**short, "latent": 8, "width": 4}},
        "inverter": {"use": "cdeepex/encoder", "with": {"batch": 32}},
        "explainers": {"cdeepex": {"use": "cdeepex/cdeepex", "with": {"steps": 4, "together": 32}}},
        "metrics": {"flips": {"use": "metrics/flip-rate"}},
        "renderers": {"page": {"use": "report/html"}},
    }


RECIPES = {"heatmaps": heatmaps, "cdeepex": cdeepex}


def paint(folder: Path, count: int, size: int, mode: str, floor: int = 0) -> None:
    """Noise in squares of an eighth of the side, from `floor` up."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng([count, floor])
    shape = (8, 8, 3) if mode == "RGB" else (8, 8)
    for number in range(count):
        pixels = rng.integers(floor, min(255, floor + 128 if mode == "L" else 255), shape, dtype=np.uint8)
        Image.fromarray(pixels.repeat(size // 8, 0).repeat(size // 8, 1)).save(folder / f"{number:05}.jpg")


def export(folder: Path, size: int) -> Path:
    """A network of three convolutions for ten classes, in a file."""
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 8, 3, 4), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3, 2), torch.nn.ReLU()]
    layers += [torch.nn.Conv2d(16, 16, 3, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(16, 10)).eval()
    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.export.export(network, (torch.zeros(2, 3, size, size),), dynamic_shapes=({0: batch},))
    torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2"


def measure(recipe: dict[str, Any], folder: Path) -> tuple[int, float, float, float]:
    """Megabytes at the peak, CPU seconds, megabytes of cache and run, megabytes of the results among them."""
    environment = {**os.environ, "SIDELIGHT_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    # through a shell that ends: a child's ru_maxrss begins with what its parent had when it was forked
    command = [
        "/bin/sh",
        "-c",
        '"$0" "$@"; exit $?',
        sys.executable,
        "-c",
        RUN,
        json.dumps(recipe),
        str(folder / "run"),
    ]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    peak, seconds = done.stdout.rsplit("USED", 1)[1].split()
    return int(peak), float(seconds), size_of(folder / "cache", folder / "run"), size_of(folder / "run" / "results")


def size_of(*folders: Path) -> float:
    """Megabytes of the files below folders, where one with several names counts once."""
    files = {(file.stat().st_dev, file.stat().st_ino): file.stat().st_size for file in found(*folders)}
    return sum(files.values()) / 1e6


def found(*folders: Path) -> Iterator[Path]:
    """Files below folders."""
    return (path for folder in folders for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
