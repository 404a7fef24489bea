"""Time of explaining a single image: inverted, its five strongest attributes, and the few that turn it.

    python benchmarks/one_image.py [--images N]

It runs the recipe `stylex-faces` with the zoo's trained parts. The first run, of several images, finds each class's
attributes, once; then image after image is explained by a run of its own. Given are seconds by the clock: of what the
explanation takes (classify, invert, `independent`, `subset`), and of the whole run, which also draws the faces of the
test split, loads the checkpoints, and looks for attributes of the image at hand.

Measured on a busy machine: 0.57 s, the slowest of ten 1.05 s (the whole run 12.4 s), after the classes' attributes were
found (part of a first run of at most 250 s).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import sidelight

RECIPE = Path(__file__).parent.parent / "recipes" / "stylex-faces.yaml"
SWAP = ["classifier=zoo/stylex-faces-classifier", "generator=zoo/stylex-faces"]
LEFT_OUT = ["attribute_finders.difference", "explainers.gradients", "explainers.occlusion", "metrics", "renderers"]
STEPS = ("predict classifier", "invert inverter", "explain explainers.independent", "explain explainers.subset")


def main() -> None:
    """Print the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=10)
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory() as folder:
        _, first = explained(list(range(100, 108)), folder)
        seconds = [explained([image], folder) for image in range(108, 108 + count)]
    print(f"the first run, with the attributes of the classes: {first:.1f} s")
    components, whole = np.array(seconds).T
    for name, values in (("components", components), ("whole run", whole)):
        print(f"{name:11} median {np.median(values):.2f} s, slowest {values.max():.2f} s, {count} images")


def explained(images: list[int], folder: str) -> tuple[float, float]:
    """Seconds of the components that explain test images, and of the whole run."""
    start = time.perf_counter()
    settings: list[Any] = [f"explain.indices={images}", *(f"{place}=null" for place in LEFT_OUT)]
    run = sidelight.run(RECIPE, set=settings, swap=SWAP, out=Path(folder) / str(images[0]), progress=False)
    whole = time.perf_counter() - start
    inside = {step["step"]: step["inside"] for step in run.manifest["steps"]}
    return sum(inside[step] for step in STEPS), whole


if __name__ == "__main__":
    main()
