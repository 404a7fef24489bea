"""Weight of the sparse reconstruction (Li Fuxin et al. 2021, equation 1): a curve over weights and seeds.

    python benchmarks/xnn_reconstruction.py {fashion,cutouts} [--weights 0 0.003 ...] [--seeds 3] [--steps 3000]
        [--keep FOLDER] [--split validation]
    python benchmarks/xnn_reconstruction.py cutouts --describe 1 [--seeds 3] [--steps 400] [--widths 200 50]

For each weight and seed one explanation network is trained once, without restarts, and measured on images that neither
it nor the choice of the weight has seen (`test`), or on those that choose it (`validation`): the layer's dimensions
that are rebuilt (R squared above one half), agreement with the classifier, mean squared cosine, x-features that fire;
mean and 95% interval over the seeds (Student's t). Below: the dimensions that as many principal components rebuild.
FOLDER keeps the layer's outputs, and the figures of each network; a second call goes on from there.

`--describe WEIGHT` says what the x-features of cut-outs respond to: of the eight training images in which each is
strongest, the share that show its commonest class, its commonest background, and its commonest cut-out.

Fashion-MNIST: `classifiers/lenet`; the explanation network learns from 50,000 training images
and 10,000 others are the validation images. Cut-outs: `classifiers/linear-probe` at 224 pixels.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.stats import t
from sidelight_classifiers.params import LeNetParams, LinearProbeParams
from sidelight_classifiers.trained.lenet import LeNet
from sidelight_classifiers.trained.linear_probe import LinearProbe
from sidelight_images.cutouts import CutoutImages
from sidelight_images.fashion import Fashion
from sidelight_images.params import CutoutsParams, FashionParams
from sidelight_specs.testing import ToyRun
from sidelight_structured import XnnParams
from sidelight_structured.xnn.quality import REBUILT, agreement
from sidelight_structured.xnn.srae import pull_away
from sidelight_structured.xnn.training import encode, rebuilt_dimensions, strongest, train_once
from sidelight_toolkit.layers import find_layer, layer_and_logits

if TYPE_CHECKING:
    from sidelight_specs.results import Split

CLASSES = ("birds", "mammals", "flowers", "vehicles", "instruments")
FIGURES = ("rebuilt", "agreement", "squared cosine", "x-features")
CUTOUTS = CutoutsParams(classes=CLASSES, train=1500, validation=300, test=300)
EXEMPLARS = 8
VALIDATION = 10_000
BATCH = 32

Outputs = dict[str, tuple[torch.Tensor, torch.Tensor]]
"""Split to Z (N, S) and logits (N, K)."""


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("fashion", "cutouts"))
    parser.add_argument("--weights", type=float, nargs="+", default=[0, 0.003, 0.03, 0.3, 1, 3, 10])
    parser.add_argument("--seeds", type=int, default=3, help="how many; two or more for an interval")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--widths", type=int, nargs="*", default=[])
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--keep", type=Path, default=Path("runs/xnn-reconstruction"))
    parser.add_argument("--describe", type=float)
    chosen = parser.parse_args()
    chosen.keep.mkdir(parents=True, exist_ok=True)
    outputs = layer_outputs(chosen.data, chosen.keep)
    if chosen.describe is not None:
        for seed in range(chosen.seeds):
            describe(outputs, settings(chosen, chosen.describe), seed)
        return
    print(f"{'weight':>8}" + "".join(f"{name:>22}" for name in FIGURES))
    for weight in chosen.weights:
        measured = [figures(outputs, chosen, settings(chosen, weight), seed) for seed in range(chosen.seeds)]
        rows = [[one[chosen.split][name] for one in measured] for name in FIGURES]
        print(f"{weight:>8g}" + "".join(f"{interval(values):>22}" for values in rows), flush=True)
    layer = outputs[chosen.split][0]
    for count in (5, 10, 15):
        print(f"{count} principal components rebuild {principal(outputs['train'][0], layer, count)} dimensions")


def settings(chosen: argparse.Namespace, weight: float) -> XnnParams:
    """Options of one network."""
    return XnnParams(
        reconstruction=weight, steps=chosen.steps, widths=tuple(chosen.widths), batch=chosen.batch, tries=1
    )


def describe(outputs: Outputs, params: XnnParams, seed: int) -> None:
    """Print what each x-feature's strongest training images have in common."""
    layer, logits = outputs["train"]
    network, _ = train_once(layer, logits, params, ToyRun(seed=seed), params.orthogonality)
    rows, _ = strongest(encode(network, layer, "cpu"), EXEMPLARS)
    split = CutoutImages(CUTOUTS, run=ToyRun()).split("train")
    known = {"class": split.labels, "background": split.factors["background"], "cut-out": split.factors["cut-out"]}
    shares = {
        name: [common(values[one]) for one in rows.numpy()] for name, values in known.items() if values is not None
    }
    for number, one in enumerate(rows.numpy()):
        names = [split.ids[row].split("-", 2)[2] for row in one]
        classes = [split.class_names[split.labels[row]] for row in one] if split.labels is not None else []
        print(f"seed {seed}, x-feature {number + 1}: {max(classes, key=classes.count)}: {', '.join(names)}")
    print(
        f"seed {seed}: " + ", ".join(f"same {name} {np.mean(values):.3f}" for name, values in shares.items()),
        flush=True,
    )


def common(values: np.ndarray) -> float:
    """Share of the commonest value."""
    return float(np.unique(values, return_counts=True)[1].max() / len(values))


def figures(outputs: Outputs, chosen: argparse.Namespace, params: XnnParams, seed: int) -> dict[str, Any]:
    """Figures of one network on the validation and test images."""
    key = f"{chosen.data} {params.reconstruction:g} {seed} {params.steps} {params.widths} {params.batch}"
    kept = chosen.keep / f"{chosen.data}.jsonl"
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    for line in lines:
        if (found := json.loads(line))["key"] == key:
            return dict(found)
    layer, logits = outputs["train"]
    network, _ = train_once(layer, logits, params, ToyRun(seed=seed), params.orthogonality)
    every, result = range(logits.shape[1]), dict[str, Any](key=key)
    for split in ("validation", "test"):
        z, y = outputs[split]
        x_features = encode(network, z, "cpu")
        result[split] = {
            "rebuilt": int((rebuilt_dimensions(network, z, "cpu") > REBUILT).sum()),
            "agreement": float(agreement(y, network.logits(x_features), every).float().mean()),
            "squared cosine": float(pull_away(x_features)),
            "x-features": int((x_features > 0).any(0).sum()),
        }
    with kept.open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")
    return result


def interval(values: list[float]) -> str:
    """Mean and half of the 95% interval."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} +- {t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5:.3f}"


def principal(train: torch.Tensor, layer: torch.Tensor, count: int) -> int:
    """Dimensions rebuilt from the first principal components of the training images."""
    mean = train.mean(0)
    _, _, axes = torch.linalg.svd((train - mean)[:5000], full_matrices=False)
    centred = layer - mean
    error = (centred - centred @ axes[:count].T @ axes[:count]).square().sum(0)
    spread = (layer - layer.mean(0)).square().sum(0)
    return int((1 - error / spread.clamp_min(1e-12) > REBUILT).logical_and(spread > 0).sum())


def layer_outputs(data: str, keep: Path) -> Outputs:
    """Last hidden layer and logits of all splits, from the file where it is there."""
    path = keep / f"{data}.npz"
    if path.exists():
        arrays = np.load(path)
        splits = ("train", "validation", "test")
        return {name: (torch.from_numpy(arrays[f"{name} z"]), torch.from_numpy(arrays[f"{name} y"])) for name in splits}
    outputs = fashion_outputs() if data == "fashion" else cutout_outputs()
    np.savez(
        path,
        **{f"{name} {kind}": a.numpy() for name, pair in outputs.items() for kind, a in zip("zy", pair, strict=True)},
    )
    return outputs


def fashion_outputs() -> Outputs:
    """Of a LeNet that learned from all 60,000 training images."""
    source, run = Fashion(FashionParams(), run=ToyRun()), ToyRun()
    classifier = LeNet(LeNetParams(steps=600, batch=64, flip=True), run=run)
    classifier.fit(source)
    print(f"accuracy {run.emitted['accuracy'].items[0].value:.4f}", flush=True)
    layer, logits = collected(classifier, source.split("train"))
    rows = {"train": slice(VALIDATION, None), "validation": slice(VALIDATION)}
    outputs = {name: (layer[where], logits[where]) for name, where in rows.items()}
    return outputs | {"test": collected(classifier, source.split("test"))}


def cutout_outputs() -> Outputs:
    """Of a linear probe; no cut-out is in two of the splits."""
    source, run = CutoutImages(CUTOUTS, run=ToyRun()), ToyRun()
    classifier = LinearProbe(LinearProbeParams(), run=run)
    classifier.fit(source)
    for name in ("accuracy on validation", "accuracy"):
        print(f"{name} {run.emitted[name].items[0].value:.4f}", flush=True)
    return {name: collected(classifier, source.split(name)) for name in ("train", "validation", "test")}


def collected(classifier: Any, split: Split) -> tuple[torch.Tensor, torch.Tensor]:
    """Z (N, S) and logits (N, K), a batch of images in memory at a time."""
    name, parts = "", list[tuple[torch.Tensor, torch.Tensor]]()
    for batch in split.batches(BATCH):
        images = torch.from_numpy(batch.images)
        name = name or find_layer(classifier, "", images[:1])
        with torch.no_grad():
            layer, logits = layer_and_logits(classifier, name, images)
        parts.append((layer.flatten(1), logits))
    layers, scores = zip(*parts, strict=True)
    return torch.cat(layers), torch.cat(scores)


if __name__ == "__main__":
    main()
