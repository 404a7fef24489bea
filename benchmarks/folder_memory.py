"""Peak memory of explaining 2 of 600 photographs in a folder, beside that of a folder of 2.

    python benchmarks/folder_memory.py [--images 600] [--size 384]

Three runs, each in a process of its own with an empty cache, of Grad-CAM on a small network of three convolutions in
a .pt2 file: on a folder of 2 images (what model, libraries and two images take), on a folder of N of which 2 are
explained, and on all of its images at once, read as a training reads them. Given is the largest resident set
(`ru_maxrss`), and how far it lies above the first.

Measured twice with the defaults on a busy machine: 2 of 2 343 and 321 MB, 2 of 600 347 and 316 MB, all 600 read 1,278
and 1,279 MB, of which 1,062 are the images. Before images were read lazily, 2 of 600 took 2.4 GB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

MEASURED = """
import resource, sys
{body}
print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
EXPLAIN = """
import sidelight
recipe = {{"recipe": 1, "name": "memory", "explain": {{"split": "all", "count": 2}},
    "data": {{"use": "images/folder", "with": {{"path": {path!r}, "size": {size}}}}},
    "classifier": {{"use": "classifiers/torch", "with": {{"path": {model!r}, "height": {size}, "width": {size}}}}},
    "explainers": {{"cam": {{"use": "captum/grad-cam"}}}}}}
sidelight.run(recipe, out={out!r}, progress=False)
"""
READ = """
import torch, captum
from sidelight_images.folder import Folder
from sidelight_images.params import FolderParams
from sidelight_specs.testing import ToyRun
torch.from_numpy(Folder(FolderParams(path={path!r}, size={size}), run=ToyRun()).split("all").read().images)
"""


def main() -> None:
    """Print the peaks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--size", type=int, default=384)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        model = export(Path(place), options.size)
        few, many = (paint(Path(place) / str(count), count) for count in (2, options.images))
        floor = peak(EXPLAIN, few, options.size, model)
        print(f"2 of 2         {floor:5} MB")
        for name, body in ((f"2 of {options.images}", EXPLAIN), (f"all {options.images} read", READ)):
            value = peak(body, many, options.size, model)
            print(f"{name:14} {value:5} MB, {value - floor:+5} MB")


def paint(folder: Path, count: int) -> Path:
    """A folder of noisy photographs of 500 x 400."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 255, (40, 50, 3)).repeat(10, 0).repeat(10, 1).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:04}.jpg")
    return folder


def export(folder: Path, size: int) -> Path:
    """A network of three convolutions for ten classes, in a file."""
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 16, 3, 2), torch.nn.ReLU(), torch.nn.Conv2d(16, 32, 3, 2), torch.nn.ReLU()]
    layers += [torch.nn.Conv2d(32, 32, 3, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(32, 10)).eval()
    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.export.export(network, (torch.zeros(2, 3, size, size),), dynamic_shapes=({0: batch},))
    torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2"


def peak(body: str, folder: Path, size: int, model: Path) -> int:
    """Megabytes."""
    with tempfile.TemporaryDirectory() as cache:
        text = body.format(path=str(folder), size=size, model=str(model), out=f"{cache}/run")
        script = Path(cache) / "script.py"
        script.write_text(MEASURED.format(body=text))
        environment = {**os.environ, "SIDELIGHT_CACHE": f"{cache}/cache", "OMP_NUM_THREADS": "1"}
        # through a shell that ends: a child's ru_maxrss begins with what its parent had when it was forked
        command = ["/bin/sh", "-c", f"{sys.executable} {script}; exit $?"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return int(done.stdout.rsplit("PEAK", 1)[1])


if __name__ == "__main__":
    main()
