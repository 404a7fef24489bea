"""Answers of CDeepEx before classifiers that were never searched: an ensemble and terms of plausibility.

    python benchmarks/cdeepex_judge.py --validate     # strengths, on validation digits, seed 0
    python benchmarks/cdeepex_judge.py                # the table of docs/explanation/cdeepex.md

For each seed it trains a LeNet, which is explained and in turn joins the ensemble of the other seeds. The generator is
`zoo/digits-vae`. The judges, a residual network and a support vector machine, take part in no search. The question is
always why not the second choice. `--keep` keeps what was trained and measured, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from attrs import frozen
from scipy.stats import t
from sidelight_cdeepex.cdeepex import CDeepEx
from sidelight_cdeepex.inversion import EncoderInversion
from sidelight_cdeepex.params import CdeepexParams, EncoderParams
from sidelight_classifiers.params import LeNetParams, ResNetParams
from sidelight_classifiers.trained.lenet import LeNet
from sidelight_classifiers.trained.resnet import ResNet
from sidelight_images.digits import Digits
from sidelight_images.params import DigitsParams
from sidelight_metrics.statistics import wilson_interval
from sidelight_specs.results import State
from sidelight_specs.roles import Generator
from sidelight_specs.testing import ToyRun, toy_targets
from sidelight_zoo import components
from sidelight_zoo.card import cards
from sidelight_zoo.origin import open_params
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results import Counterfactual, Targets

VALIDATION, TEST = slice(600, 632), slice(200, 302)  # rows of the test split
SEEDS = 3
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # 97.5 % quantile of Student's t for a mean of so many values
PARTS = {
    "lenet": (LeNet, LeNetParams(steps=500)),
    "judge": (ResNet, ResNetParams(width=8, steps=400, batch=64, flip=False)),
}
Setting = tuple[dict[str, Any], int]  # options of `cdeepex`, classifiers beside the explained one
SETTINGS: dict[str, Setting] = {
    "default": ({}, 0),
    "reconstruction": ({"reconstruction": 2.0}, 0),
    "ensemble of 2": ({}, 1),
    "ensemble of 2, reconstruction": ({"reconstruction": 2.0}, 1),
}
STRENGTHS: dict[str, Setting] = {
    "default": ({}, 0),
    **{f"prior {v}": ({"prior": v}, 0) for v in (0.1, 0.5, 2.0)},
    **{f"reconstruction {w}": ({"reconstruction": w}, 0) for w in (0.1, 0.5, 2.0, 8.0, 32.0)},
    **{f"ensemble of {1 + others}": ({}, others) for others in (1, 2)},
}


@frozen
class World:
    """Trained models, and the judges that answers are shown to.

    Args:
        lenets: of every seed; one is explained, the next ones join its ensemble.
        generator: of all seeds.
        judges: name to (N, C, H, W) -> (N, K) probabilities.
        images: (1000, 1, 32, 32), the test split.
    """

    lenets: list[LeNet]
    generator: Generator
    judges: dict[str, Callable[[torch.Tensor], np.ndarray]]
    images: torch.Tensor


def main() -> None:
    """Train, explain, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--validate", action="store_true", help="strengths of the terms on validation digits")
    parser.add_argument("--only", nargs="+", help="names of settings")
    parser.add_argument("--whole", action="store_true", help="all test digits for every seed, in place of a third each")
    parser.add_argument("--keep", type=Path, help="a folder that keeps what was trained and measured")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    settings, rows = (STRENGTHS, VALIDATION) if chosen.validate else (SETTINGS, TEST)
    one, part = world(chosen.keep), (rows.stop - rows.start) // SEEDS
    of_seed = {seed: slice(rows.start + seed * part, rows.start + (seed + 1) * part) for seed in range(SEEDS)}
    if chosen.validate or chosen.whole:
        of_seed = dict.fromkeys(range(1 if chosen.validate else SEEDS), rows)
    first: list[dict[str, np.ndarray]] = []
    for name in chosen.only or settings:
        seeds = [kept_numbers(one, name, settings[name], seed, of_seed[seed], chosen.keep) for seed in of_seed]
        report(name, seeds)
        if first:
            report_difference(name, seeds, first, same_images=chosen.whole)
        first = first or seeds


def world(folder: Path | None) -> World:
    """Trained on 4,000 digits, or read from `folder`."""
    data = Digits(DigitsParams(size=32), run=ToyRun())
    train, test = data.split("train").read(), data.split("test").read()
    network = trained("judge", 0, data, folder)
    machine = CalibratedClassifierCV(SVC(C=10), ensemble=False, cv=3)
    machine.fit(train.images.reshape(len(train), -1), train.labels)
    judges: dict[str, Callable[[torch.Tensor], np.ndarray]] = {
        "residual network": lambda images: logits_of(network, images).softmax(1).numpy(),
        "support vectors": lambda images: machine.predict_proba(images.reshape(len(images), -1).numpy()),
    }
    images = torch.from_numpy(test.images)
    for name, judge in judges.items():
        print(f"the {name} gets {(judge(images).argmax(1) == test.labels).mean():.3f} of the test digits right")
    lenets = [trained("lenet", seed, data, folder) for seed in range(SEEDS)]
    for seed, lenet in enumerate(lenets):
        right = (logits_of(lenet, images).argmax(1).numpy() == test.labels).mean()
        print(f"the LeNet of seed {seed} gets {right:.3f} of the test digits right")
    generator = components.digits_vae(open_params(cards()["digits-vae"])(), run=ToyRun())
    return World(lenets, generator, judges, images)


def trained(name: str, seed: int, data: Digits, folder: Path | None) -> Any:
    """One component, its random streams named after it."""
    kind, params = PARTS[name]
    component = kind(params, run=ToyRun(seed, name))
    kept = folder / f"{name}-{seed}" if folder else None
    if kept and kept.exists():
        component.load_state(State.load(kept))
        return component
    component.fit(data)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        component.state().save(kept)
    return component


def logits_of(classifier: Any, images: torch.Tensor) -> torch.Tensor:
    """(N, K)."""
    with torch.inference_mode():
        return torch.cat([classifier.class_logits(batch) for batch in images.split(100)])


def kept_numbers(
    one: World, name: str, setting: Setting, seed: int, rows: slice, folder: Path | None
) -> dict[str, np.ndarray]:
    """The numbers of one setting and seed, measured or read from `folder`."""
    kept = folder / f"{name}-{seed}-{rows.start}-{rows.stop}.npz" if folder else None
    if kept and kept.exists():
        with np.load(kept) as arrays:
            return dict(arrays)
    numbers = measure(one, setting, seed, rows)
    if kept:
        np.savez(kept, **numbers)
    return numbers


def measure(one: World, setting: Setting, seed: int, rows: slice) -> dict[str, np.ndarray]:
    """Name of a number to its (N,) values over images."""
    options, others = setting
    images, explained, generator = one.images[rows], one.lenets[seed], one.generator
    targets = toy_targets(explained, images)
    slots = ("second_classifier", "third_classifier")[:others]
    explainer = CDeepEx(
        CdeepexParams(batch=34, together=34, **options),
        classifier=explained,
        generator=generator,
        inverter=EncoderInversion(EncoderParams(), generator=generator, run=ToyRun()),
        run=ToyRun(),
        **{slot: one.lenets[(seed + after) % SEEDS] for after, slot in enumerate(slots, start=1)},
    )
    result = explainer.explain(images, targets)
    numbers = {
        "all constraints hold": result.converged,
        "distance": np.linalg.norm(result.latents - result.start_latents, axis=1),
        "L2 of the change": np.linalg.norm((result.images - images.numpy()).reshape(len(images), -1), axis=1),
        "passes": result.passes,
    }
    for name, judge in one.judges.items():
        numbers |= judged(name, judge, images, result, targets)
    return numbers


def judged(
    name: str,
    judge: Callable[[torch.Tensor], np.ndarray],
    images: torch.Tensor,
    result: Counterfactual,
    targets: Targets,
) -> dict[str, np.ndarray]:
    """A judge's answers to images and counterfactuals."""
    rows = np.arange(len(images))
    before, after = judge(images), judge(torch.from_numpy(result.images))
    probe, predicted = after[rows, targets.probe], after[rows, targets.predicted]
    likeliest = after.argmax(1)
    return {
        f"{name}: P(probe) before": before[rows, targets.probe],
        f"{name}: P(probe)": probe,
        f"{name}: P(predicted)": predicted,
        f"{name}: turned": probe > predicted,
        f"{name}: a third class": (likeliest != targets.probe) & (likeliest != targets.predicted),
    }


def report(name: str, seeds: Sequence[dict[str, np.ndarray]]) -> None:
    """Mean over the seeds with Student's interval; a share of all images and seeds with Wilson's."""
    print(f"{name}:")
    for number in seeds[0]:
        values = np.stack([one[number] for one in seeds])  # (S, N)
        if values.dtype == bool:
            low, high = wilson_interval(int(values.sum()), values.size)
            text = f"{values.mean():.3f} ({low:.3f} to {high:.3f}), {values.sum()} of {values.size}"
        else:
            means = values.mean(1)
            half = STUDENT[len(means)] * means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.nan
            text = f"{means.mean():.3f} +- {half:.3f}"
        print(f"  {number:34} {text}", flush=True)


def report_difference(
    name: str, seeds: Sequence[dict[str, np.ndarray]], first: Sequence[dict[str, np.ndarray]], *, same_images: bool
) -> None:
    """Paired difference from the first setting: Student's interval over images, and the mean of each seed.

    Where all seeds have the same images, their mean is one value for each image.
    """
    print(f"{name}, less the first setting:")
    for number in seeds[0]:
        values = np.stack([one[number].astype(float) - other[number] for one, other in zip(seeds, first, strict=True)])
        images = values.mean(0) if same_images else values.ravel()
        half = t.ppf(0.975, len(images) - 1) * images.std(ddof=1) / np.sqrt(len(images))
        each = ", ".join(f"{mean:+.3f}" for mean in values.mean(1))
        print(f"  {number:34} {images.mean():+.3f} +- {half:.3f} ({each})", flush=True)


if __name__ == "__main__":
    main()
