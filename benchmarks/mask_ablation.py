"""Ablation of iGOS++: blur check, noise, bilateral variation, product, integrated gradients; and its rivals.

    python benchmarks/mask_ablation.py --save FILE [--root FOLDER] [--sizes 28] [--methods NAME ...] [PHOTO ...]
    python benchmarks/mask_ablation.py --save FILE --table

EfficientNet-Lite0, one thread, at 128 pixels, where a pass costs a third of one at 224. The photographs are those of
Debian's `opencv-doc` and `palapeli-data` that the network calls something with a probability of at least .4; none chose
a setting. `--root` is a folder in which the packages are unpacked. Each line of FILE is one method on one photograph; a
second call goes on where the first ended.
The table: insertion and deletion by the mask's cells over three baselines, and the paired difference to iGOS++, both
with 95 % intervals of Student's t over photographs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_captum import GradCamParams, IntegratedGradientsParams, OcclusionParams
from sidelight_captum.grad_cam import GradCam
from sidelight_captum.integrated_gradients import IntegratedGradients
from sidelight_captum.occlusion import Occlusion
from sidelight_classifiers import EfficientNetLiteParams
from sidelight_classifiers.efficientnet_lite import EfficientNetLite
from sidelight_images import FilesParams, PhotosParams
from sidelight_images.files import Files
from sidelight_images.photos import Photos
from sidelight_metrics import InsertionDeletionParams
from sidelight_metrics.heatmaps.insertion_deletion import InsertionDeletion
from sidelight_specs.results import Measurement, Targets
from sidelight_specs.testing import ToyRun
from sidelight_structured import DirectMaskParams, IgosParams, IgosPlusPlusParams
from sidelight_structured.igos.direct_mask import DirectMask
from sidelight_structured.igos.igos import Igos, IgosPlusPlus

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENCV = "usr/share/doc/opencv-doc/examples"
PALAPELI = "usr/share/palapeli/collection"
FRESH = (
    *(f"{OPENCV}/data/{name}.jpg" for name in ("squirrel_cls", "apple", "baboon", "messi5", "orange", "home")),
    *(f"{PALAPELI}/{name}.jpg" for name in ("european-honey-bee", "castle-maintenon", "cincinnati-bridge")),
    *(f"{OPENCV}/{name}" for name in ("data/chicky_512.png", "data/fruits.jpg", "alphamat/input_images/plant.jpg")),
    *(f"{OPENCV}/{name}" for name in ("dnn_superres/butterfly.png", "data/board.jpg", "hfs/data/000.jpg")),
    *(f"{OPENCV}/{name}" for name in ("data/butterfly.jpg", "data/aero3.jpg", "hfs/data/002.jpg")),
    f"{PALAPELI}/citrus-fruits.jpg",
)
SURE = 0.4
"""Lowest class probability of a photograph that is taken."""
CROP = 0.875
"""Central part that the network was trained on, 224 of 256."""
STEPS = 15
"""Of iGOS++ and its variants, against 40 by default."""
BASELINES = ("blur", "black", "noisy-linear")
MASKS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "iGOS++": (IgosPlusPlus, IgosPlusPlusParams, {"steps": STEPS}),
    "without the blur check": (IgosPlusPlus, IgosPlusPlusParams, {"steps": STEPS, "baseline_limit": 1.0}),
    "without noise": (IgosPlusPlus, IgosPlusPlusParams, {"steps": STEPS, "noise": 0.0}),
    "plain variation": (IgosPlusPlus, IgosPlusPlusParams, {"steps": STEPS, "variation": "plain"}),
    "no variation": (IgosPlusPlus, IgosPlusPlusParams, {"steps": STEPS, "smoothness": 0.0}),
    "not coarse to fine": (IgosPlusPlus, IgosPlusPlusParams, {"steps": STEPS, "coarse": 1024}),
    "from 14 cells": (IgosPlusPlus, IgosPlusPlusParams, {"steps": STEPS, "coarse": 14}),
    "from 56 cells": (IgosPlusPlus, IgosPlusPlusParams, {"steps": STEPS, "coarse": 56}),
    "iGOS+": (Igos, IgosParams, {"steps": STEPS, "deletion": 2.0, "insertion": 1.0, "coarse": 1024}),
    "I-GOS": (Igos, IgosParams, {}),
    "direct mask": (DirectMask, DirectMaskParams, {"steps": 120}),
    "direct mask, I-GOS's weights": (
        DirectMask,
        DirectMaskParams,
        {"steps": 40, "area": 0.1, "smoothness": 0.5, "exponent": 2.0},
    ),
}
OTHERS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "smoothed integrated gradients": (
        IntegratedGradients,
        IntegratedGradientsParams,
        {"baseline": "blur", "steps": 20, "smooth": 8.0},
    ),
    "Grad-CAM": (GradCam, GradCamParams, {}),
    "occlusion": (Occlusion, OcclusionParams, {"baseline": "blur", "window": 42, "stride": 21}),
}
METHODS = {**MASKS, **OTHERS}
PARTS = ("iGOS++", "without noise", "plain variation", "without the blur check", "iGOS+", "I-GOS")
RIVALS = ("direct mask", *OTHERS)


def photographs(options: argparse.Namespace, classifier: EfficientNetLite) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and image (1, 3, side, side) of each photograph that the network is sure of."""
    run = ToyRun()
    for name in options.photos:
        if "/" in name:
            path = str(Path(options.root) / name)
            data = Files(
                FilesParams(paths=path, size=options.side, crop="center", crop_share=CROP, mode="rgb"), run=run
            )
            image = torch.from_numpy(data.split("all").read().images)
        else:
            photos = PhotosParams(names=(name,), size=options.side, crop="center")
            image = torch.from_numpy(Photos(photos, run=run).split("test").images)
        with torch.inference_mode():
            probability = classifier.class_logits(image).softmax(1).max()
        if "/" not in name or probability >= SURE:
            yield name, image


def measure(method: str, size: int, image: torch.Tensor, classifier: EfficientNetLite) -> dict[str, Any]:
    """Insertion and deletion over each baseline, passes and the strength of the blur."""
    run = ToyRun()
    kind, params, settings = METHODS[method]
    if method in MASKS:
        settings = {"coarse": min(settings["coarse"], size), **settings} if "coarse" in settings else settings
        settings = {**settings, "size": size, "batch": 8, "curve_step": 1.0}  # the by-product `curves` is not looked at
    with torch.inference_mode():
        logits = classifier.class_logits(image)
    predicted = logits.argmax(1).numpy()
    targets = Targets(predicted=predicted, probe=predicted)
    heatmap = kind(params(**settings), classifier=classifier, run=run).explain(image, targets)
    result: dict[str, Any] = {
        "class": classifier.class_names[int(predicted[0])],
        "probability": float(logits.softmax(1).max()),
        "passes": None if heatmap.passes is None else float(heatmap.passes[0]),
        "answered": bool(heatmap.answered is None or heatmap.answered[0]),
    }
    if method in MASKS:
        kept, strength = run.emitted["baseline"].items
        result |= {"baseline": float(kept.values[0]), "strengthened": int(strength.values[0])}
    for cells in sorted({size, 28}):
        grid = InsertionDeletionParams(cells=cells if cells < image.shape[-1] else None, step=0.1, batch=8)
        for item in InsertionDeletion(grid, classifier=classifier, run=ToyRun()).measure(heatmap, image, targets).items:
            result |= {f"{item.name} {name} {cells}": float(item.variants[name][0]) for name in BASELINES}
    return result


def student(values: np.ndarray) -> str:
    """Mean and 95 % interval."""
    if not values.any():
        return "the same"  # Measurement takes zeros alone for a share, and gives Wilson's interval
    item = Measurement(name="x", values=values.astype(np.float32))
    interval = item.interval
    return f"{item.value:+.3f}" + (f" ({interval[0]:+.3f} to {interval[1]:+.3f})" if interval else "")


def print_table(rows: list[dict[str, Any]], cells: int, size: int) -> None:
    """Means over photographs, and paired differences to iGOS++ over the photographs that both have."""
    by_method: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["size"] == size and row["answered"] and f"insertion blur {cells}" in row:
            by_method.setdefault(row["method"], {})[row["photo"]] = row
    reference = by_method["iGOS++"]
    for method, scored in by_method.items():
        photos = sorted(set(scored) & set(reference))
        passes = scored[photos[0]]["passes"]
        print(f"\n{method}, size {size}, by {cells} cells, {len(photos)} photographs, {passes} passes")
        for name in ("insertion", "deletion"):
            values = {
                base: np.array(
                    [[side[photo][f"{name} {base} {cells}"] for photo in photos] for side in (scored, reference)]
                )
                for base in BASELINES
            }
            values["mean"] = np.mean(list(values.values()), axis=0)
            parts = (f"{base} {own.mean():.3f} [{student(own - other)}]" for base, (own, other) in values.items())
            print(f"  {name}: {', '.join(parts)}")


def main() -> None:
    """Measure what FILE lacks, or print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="*", default=FRESH)
    parser.add_argument("--save", type=Path, required=True)
    parser.add_argument("--root", default="/")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--sizes", nargs="+", type=int, default=[28])
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=[*PARTS, *RIVALS])
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.save.read_text().splitlines()] if options.save.exists() else []
    if options.table:
        for size in sorted({row["size"] for row in rows}):
            for cells in sorted({size, 28}):
                print_table(rows, cells, size)
        return
    torch.set_num_threads(1)
    classifier = EfficientNetLite(EfficientNetLiteParams(), run=ToyRun())
    done = {(row["photo"], row["method"], row["size"]): row for row in rows}
    for photo, image in photographs(options, classifier):
        for size in options.sizes:
            for method in options.methods:
                key = photo, method, size
                if key in done:
                    continue
                full = done.get((photo, "iGOS++", size))
                same = method == "without the blur check" and full is not None and not full["strengthened"]
                numbers = full if same else measure(method, size, image, classifier)  # the check changed nothing
                done[key] = {**numbers, "photo": photo, "method": method, "size": size}
                with options.save.open("a") as file:
                    file.write(json.dumps(done[key]) + "\n")
                print(
                    photo,
                    size,
                    method,
                    f"{numbers['insertion blur 28']:.3f} {numbers['deletion blur 28']:.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
