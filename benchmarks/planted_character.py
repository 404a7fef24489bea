"""A character that only goes with a class: who finds it, does it suffice, and do clean data mend it?

    python benchmarks/planted_character.py --save FILE [--seeds 0 1 2] [--steps 160]
    python benchmarks/planted_character.py --save FILE --table

Li Fuxin et al. 2021, section 3.2 and figure 2b, on crops of photographs (`images/printed`, 112 pixels, of two kinds).
`confounded` learns from data in which every crop of the second kind bears an R and none of the first, `clean` from the
same crops with the R on a random half of each kind. Both are asked about the same crops of other halves of the
photographs, each with and without the R. For each seed, one line of FILE a network:

- called second: share of the crops of each kind, with and without the character;
- blurred: the same where everything is blurred, and where the character alone is not;
- hit: of as many largest values as the character has pixels, the share on it; crops of the second kind called second.

The table pools the crops of all seeds, with 95 % intervals over crops (Wilson's for shares, Student's t for hits), and
gives the mean of each seed beside them. `--kinds parts` leaves out parts of iGOS++ on the confounded network. Masks
take any baseline (`baseline_limit: 1`), so that both networks answer for the same crops; I-GOS and iGOS++ have the
crop's own size, the direct mask its default of 28 cells, which are finer than the character.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sidelight_captum import GradCamParams, IntegratedGradientsParams
from sidelight_captum.grad_cam import GradCam
from sidelight_captum.integrated_gradients import IntegratedGradients
from sidelight_classifiers import VggParams
from sidelight_classifiers.trained.vgg import Vgg
from sidelight_images import PrintedParams
from sidelight_images.printed import Printed
from sidelight_metrics.heatmaps.relevance_rank import precision
from sidelight_specs.results import Measurement, Split, Targets
from sidelight_specs.testing import ToyRun
from sidelight_structured import DirectMaskParams, IgosParams, IgosPlusPlusParams
from sidelight_structured.igos.direct_mask import DirectMask
from sidelight_structured.igos.igos import Igos, IgosPlusPlus
from sidelight_toolkit.baselines import baseline

FIRST, SECOND = ("camera", "coffee", "motorcycle", "astronaut"), ("rocket", "flower", "chelsea", "china")
AGREEMENT = {"confounded": 1.0, "clean": 0.5}
SIZE, HEIGHT, TEST, EXPLAINED = 112, 18, 200, 10
MASK: dict[str, Any] = {"size": SIZE, "steps": 20, "baseline_limit": 1.0}
BLUR: dict[str, Any] = {"baseline": "blur", "steps": 20}
METHODS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "iGOS++": (IgosPlusPlus, IgosPlusPlusParams, MASK),
    "I-GOS": (Igos, IgosParams, MASK),
    "direct mask": (DirectMask, DirectMaskParams, {"baseline_limit": 1.0, "steps": 100}),
    "integrated gradients": (IntegratedGradients, IntegratedGradientsParams, BLUR),
    "the same, smoothed": (
        IntegratedGradients,
        IntegratedGradientsParams,
        {**BLUR, "smooth": 4.0},
    ),
    "Grad-CAM": (GradCam, GradCamParams, {}),
}
PARTS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "without noise": (IgosPlusPlus, IgosPlusPlusParams, {**MASK, "noise": 0.0}),
    "plain variation": (IgosPlusPlus, IgosPlusPlusParams, {**MASK, "variation": "plain"}),
    "not coarse to fine": (IgosPlusPlus, IgosPlusPlusParams, {**MASK, "coarse": SIZE}),
}
"""iGOS++ without each of its parts, asked of the confounded network with `--parts`."""


def crops(seed: int, agreement: float) -> Printed:
    """The data of one seed; the same crops for every agreement."""
    params = PrintedParams(
        size=SIZE, height=HEIGHT, test=TEST, first_photos=FIRST, second_photos=SECOND, agreement=agreement
    )
    return Printed(params, run=ToyRun(seed, "data"))


def second(classifier: Vgg, images: np.ndarray) -> np.ndarray:
    """(N,) bool: called `second`."""
    with torch.inference_mode():
        logits = [classifier.class_logits(torch.from_numpy(part)) for part in np.array_split(images, 8)]
    return torch.cat(logits).argmax(1).numpy().astype(bool)


def with_and_without(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Test crops (N, 3, H, W) with the character and without, its masks (N, H, W), and labels (N,)."""
    agrees, opposed = (crops(seed, agreement).split("test") for agreement in (1.0, 0.0))
    kind = agrees.labels.astype(bool)[:, None, None, None]  # the second kind bears it where the character agrees
    printed = np.where(kind, agrees.images, opposed.images)
    plain = np.where(kind, opposed.images, agrees.images)
    masks = np.where(kind[:, 0], agrees.masks["character"], opposed.masks["character"])
    return printed, plain, masks, agrees.labels


def hits(classifier: Vgg, test: Split, seed: int, methods: dict[str, Any]) -> dict[str, list[float]]:
    """Hits of each method on the first crops of the second kind that bear the character and are called second."""
    rows = np.flatnonzero(test.labels == 1)
    rows = rows[second(classifier, test.images[rows])][:EXPLAINED]
    images, masks = torch.from_numpy(test.images[rows]), test.masks["character"][rows]
    ones = np.ones(len(rows), dtype=np.int64)
    targets = Targets(predicted=ones, probe=1 - ones)
    result = {"chance": [float(mask.mean()) for mask in masks]}
    for name, (kind, params, settings) in methods.items():
        heatmap = kind(params(**settings), classifier=classifier, run=ToyRun(seed)).explain(images, targets)
        result[name] = [precision(values, mask) for values, mask in zip(heatmap.values, masks, strict=True)]
    return result


def trained(seed: int, kind: str, steps: int) -> Vgg:
    """The network of one seed."""
    classifier = Vgg(
        VggParams(width=8, steps=steps, batch=16, learning_rate=0.03, shift=0, flip=False), run=ToyRun(seed, "vgg")
    )
    classifier.fit(crops(seed, AGREEMENT[kind]))
    return classifier


def measure(seed: int, kind: str, steps: int) -> dict[str, Any]:
    """Ask one network everything, or of the parts of iGOS++ alone."""
    test = crops(seed, 1.0).split("test")
    if kind == "parts":
        return {"seed": seed, "kind": kind, "hit": hits(trained(seed, "confounded", steps), test, seed, PARTS)}
    classifier = trained(seed, kind, steps)
    printed, plain, masks, labels = with_and_without(seed)
    blurred = baseline(torch.from_numpy(plain), "blur").numpy()
    alone = np.where(masks[:, None], printed, blurred)  # the character alone is sharp
    asked = {"without": plain, "with": printed, "blurred": blurred, "character alone": alone}
    answers = {name: second(classifier, images.astype(np.float32)) for name, images in asked.items()}
    shares = {
        f"{name}, {label}": float(answer[labels == index].mean())
        for name, answer in answers.items()
        for index, label in enumerate(("first", "second"))
    }
    found = hits(classifier, test, seed, METHODS)
    return {"seed": seed, "kind": kind, "called second": shares, "hit": found}


def interval(values: list[float], seeds: list[float]) -> str:
    """Mean over crops, its 95 % interval, and the mean of each seed."""
    item = Measurement(name="x", values=np.array(values, dtype=np.float32))
    low, high = item.interval or (float("nan"), float("nan"))
    return f"{item.value:.3f} ({low:.3f} to {high:.3f}); seeds {', '.join(f'{mean:.3f}' for mean in seeds)}"


def print_table(rows: list[dict[str, Any]]) -> None:
    """All networks, over the crops of all seeds."""
    for kind in (*AGREEMENT, "parts"):
        own = [row for row in rows if row["kind"] == kind]
        if not own:
            continue
        print(f"\n{kind}, {len(own)} seeds, {TEST // 2} crops of each kind, hits on {EXPLAINED}")
        for name in own[0].get("called second", ()):
            shares = [row["called second"][name] for row in own]
            crops_called = np.concatenate([np.arange(TEST // 2) < round(share * TEST / 2) for share in shares])
            print(f"  called second: {name:24s} {interval(crops_called.astype(float).tolist(), shares)}")
        for name in own[0]["hit"]:
            means = [float(np.mean(row["hit"][name])) for row in own]
            print(f"  hit: {name:24s} {interval([value for row in own for value in row['hit'][name]], means)}")


def main() -> None:
    """Measure what FILE lacks, or print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--kinds", nargs="+", choices=(*AGREEMENT, "parts"), default=list(AGREEMENT))
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.save.read_text().splitlines()] if options.save.exists() else []
    if options.table:
        print_table(rows)
        return
    torch.set_num_threads(1)
    done = {(row["seed"], row["kind"]) for row in rows}
    for seed in options.seeds:
        for kind in options.kinds:
            if (seed, kind) not in done:
                row = measure(seed, kind, options.steps)
                with options.save.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                means = {name: round(float(np.mean(values)), 3) for name, values in row["hit"].items()}
                print(seed, kind, row.get("called second", {}), means, flush=True)


if __name__ == "__main__":
    main()
