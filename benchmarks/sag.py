"""Search for minimal sufficient explanations on eight photographs, beside the search of the authors' code.

    python benchmarks/sag.py [--baseline black blur] [--passes 360] [--equal] [PHOTO ...]

The settings of the authors' code: 7x7 soft patches, beam of 3, 15 candidates, threshold 0.9; EfficientNet-Lite0 at 224
pixels. For each photograph and baseline: the passes of the classifier in all, the largest number of explanations of
which no two share more than 0, 1 and 2 patches, and the size of the smallest. `--equal` gives each search the passes
that the authors' took, `--most` at most. The authors' figures (`AUTHORS`) were measured once, as
docs/explanation/structured-explanations.md tells. Last come means of the paired differences, ours less theirs, with
95% intervals.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from scipy import stats
from sidelight_classifiers import EfficientNetLiteParams
from sidelight_classifiers.efficientnet_lite import EfficientNetLite
from sidelight_images import PhotosParams
from sidelight_images.photos import Photos
from sidelight_specs.results import Targets
from sidelight_specs.testing import ToyRun
from sidelight_structured import SagParams
from sidelight_structured.sag.sag import Sag, diverse

PHOTOS = ("astronaut", "camera", "chelsea", "china", "coffee", "flower", "motorcycle", "rocket")
ORDER = 65  # passes beside the search: two terms at ten points, forward and backward, and five that check the baseline
AUTHORS: dict[str, dict[str, tuple[int, int, int, int, int]]] = {
    "black": {
        "astronaut": (4904, 1, 1, 1, 9),
        "camera": (1934, 1, 2, 4, 3),
        "chelsea": (3507, 1, 1, 1, 9),
        "china": (1441, 1, 3, 4, 4),
        "coffee": (5742, 1, 1, 1, 7),
        "flower": (8327, 1, 1, 1, 17),
        "motorcycle": (3983, 1, 2, 3, 4),
        "rocket": (1312, 1, 1, 1, 7),
    },
    "blur": {
        "astronaut": (3168, 1, 1, 1, 5),
        "camera": (442, 1, 2, 4, 3),
        "chelsea": (2110, 1, 1, 1, 10),
        "china": (755, 1, 1, 4, 3),
        "coffee": (3591, 1, 1, 1, 11),
        "flower": (7482, 1, 1, 1, 12),
        "motorcycle": (674, 1, 2, 3, 4),
        "rocket": (1238, 1, 3, 6, 2),
    },
}
"""Passes, diverse explanations at overlap 0, 1 and 2, and smallest size, by the authors' code."""


def main() -> None:
    """Print one line for each photograph and baseline, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", default=PHOTOS)
    parser.add_argument("--baseline", nargs="*", default=("black", "blur"))
    parser.add_argument("--passes", type=int, default=360)
    parser.add_argument("--equal", action="store_true")
    parser.add_argument("--most", type=int, default=1200, help="passes at most with --equal")
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    run = ToyRun()
    photos = Photos(PhotosParams(names=tuple(options.photos)), run=run).split("test").images
    classifier = EfficientNetLite(EfficientNetLiteParams(), run=run)
    for baseline in options.baseline:
        differences = []
        for name, image in zip(options.photos, torch.from_numpy(photos).split(1), strict=True):
            theirs = AUTHORS.get(baseline, {}).get(name)
            passes = min(options.most, theirs[0] - ORDER) if options.equal and theirs else options.passes
            params = SagParams(
                width=3, baseline=baseline, passes=passes, overlap=2, roots=1, depth=1, batch=options.batch
            )
            with torch.inference_mode():
                predicted = classifier.class_logits(image).argmax(1).numpy()
            start = time.process_time()
            result = Sag(params, classifier=classifier, run=run).explain(
                image, Targets(predicted=predicted, probe=predicted)
            )
            assert result.passes is not None
            sets = [frozenset(patches) for patches in result.graphs[0].sufficient]
            ours = (
                int(result.passes[0]),
                *(len(diverse(sets, overlap)) if sets else 0 for overlap in (0, 1, 2)),
                min(map(len, sets), default=0),
            )
            print(f"{baseline}, {name}: {ours}, theirs {theirs}; {time.process_time() - start:.0f} s", flush=True)
            if theirs and sets:
                differences.append(np.subtract(ours, theirs))
        for label, values in (
            ()
            if len(differences) < 2
            else zip(
                ("passes", "overlap 0", "overlap 1", "overlap 2", "smallest"), np.transpose(differences), strict=True
            )
        ):
            half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))  # Student's t
            mean = values.mean()
            print(f"{baseline}, {label}: {mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f}), n = {len(values)}")


if __name__ == "__main__":
    main()
