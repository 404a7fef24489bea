"""Variety of a StyleGAN2 of digits under several settings of its training: within-class distance, precision, recall.

    python benchmarks/stylegan2_variety.py --save FILE [--settings NAME ...] [--seeds N ...] [--steps N] [--split NAME]
        [--pictures FOLDER]
    python benchmarks/stylegan2_variety.py --save FILE --table

Trains on the digits of `recipes/stylegan2-digits.yaml` with its networks, one training for each setting and seed, and
measures 1,000 samples of each with `metrics/fidelity-diversity`, beside 1,000 images: of the split `train` to choose
settings, of `test` to quote them. Classes come from the zoo's LeNet, which no generator here was trained with. FILE
gets a line of JSON for each training; one that has a line is not done again. `--pictures` draws 96 samples of each.
`recipe` is the recipe's setting, and names that begin with it change one thing of it; all others begin with `plain`,
the logistic loss, R1 at every eighth step and Adam.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from sidelight_images.digits import Digits
from sidelight_images.params import DigitsParams
from sidelight_metrics.fidelity_diversity import FidelityDiversity
from sidelight_metrics.params import FidelityDiversityParams
from sidelight_specs.testing import ToyRun
from sidelight_stylegan2.params import GeneratorParams
from sidelight_stylegan2.trained import Trained
from sidelight_ui.images import pixels, png
from sidelight_zoo.card import cards
from sidelight_zoo.conformance import loaded

NETWORKS = {
    "conditional": True,
    "shuffle": 2,
    "filter": (1.0, 1.0),
    "z": 32,
    "w": 32,
    "discriminator_rate": 0.006,
    "precision": "bfloat16",
}
PLAIN = {"rate": 0.006, "r1_every": 8}
PENALTIES = {"r1": 1.0, "r2": 1.0, "r1_every": 1}
RECIPE = {"loss": "relativistic", **PENALTIES, "deviation": False, "clip": True, "optimizer": "muon", "rate": 0.03}
SETTINGS: dict[str, dict[str, object]] = {
    "recipe": RECIPE,
    "recipe, logistic": {**RECIPE, "loss": "logistic"},
    "recipe, Adam": {**RECIPE, "optimizer": "adam", "rate": 0.006},
    "recipe, not clipped": {**RECIPE, "clip": False},
    "recipe, deviation": {**RECIPE, "deviation": True},
    "recipe, no R2": {**RECIPE, "r2": 0.0},
    "recipe, penalties 3": {**RECIPE, "r1": 3.0, "r2": 3.0},
    "recipe, penalties 10": {**RECIPE, "r1": 10.0, "r2": 10.0},
    "recipe, filter": {**RECIPE, "filter": (1.0, 3.0, 3.0, 1.0)},
    "plain": {},
    "r1 10": {"r1": 10.0},
    "filter": {"filter": (1.0, 3.0, 3.0, 1.0)},
    "filter, r1 3": {"filter": (1.0, 3.0, 3.0, 1.0), "r1": 3.0},
    "filter, r1 10": {"filter": (1.0, 3.0, 3.0, 1.0), "r1": 10.0},
    "augment": {"augment": ("geometric",)},
    "blit": {"augment": ("blit", "geometric")},
    "mode seeking .05": {"mode_seeking": 0.05},
    "mode seeking .1": {"mode_seeking": 0.1},
    "mode seeking .2": {"mode_seeking": 0.2},
    "mode seeking .1, r1 3": {"mode_seeking": 0.1, "r1": 3.0},
    "mode seeking .1, augment": {"mode_seeking": 0.1, "augment": ("geometric",)},
    "no classes": {"conditional": False},
    "no shuffle": {"shuffle": 1},
}
COLUMNS = ("within-class distance", "within-class distance, features", "precision", "recall", "coverage", "sure")
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # 97.5 % quantiles for that many seeds


def measure(name: str, seed: int, widths: tuple[int, ...], args: argparse.Namespace) -> dict[str, object]:
    """Train once, and measure."""
    data = Digits(DigitsParams(size=32), run=ToyRun())
    start = {} if name.startswith("recipe") else PLAIN
    options = {**NETWORKS, **start, "steps": args.steps, "widths": widths, **SETTINGS[name]}
    if options["shuffle"] == 1:
        options["widths"] = (*widths, widths[-1] // 2)
    run, classifier = ToyRun(seed=seed), loaded(cards()["digits-classifier"])
    generator = Trained(GeneratorParams(**options), run=run)
    begin = time.process_time()
    generator.fit(data)
    seconds = time.process_time() - begin
    metric = FidelityDiversity(
        FidelityDiversityParams(split=args.split), classifier=classifier, generator=generator, data=data, run=run
    )
    with torch.no_grad():
        real, samples = metric.sets()
        items = {item.name: item for item in metric.compare(real, samples).items}
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
        sheet = samples[:96].reshape(6, 16, 32, 32).permute(0, 2, 1, 3).reshape(1, 192, 512)
        (args.pictures / f"{name} {seed}.png").write_bytes(png(pixels(sheet.numpy())))
    values = {column: round(items[column].value, 4) for column in COLUMNS}
    key = {"setting": name, "seed": seed, "steps": args.steps, "widths": list(widths), "split": args.split}
    return {**key, **values, "CPU seconds": round(seconds)}


def print_table(rows: list[dict[str, object]]) -> None:
    """Mean over seeds, with its 95 % interval (Student's t)."""
    groups: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for row in rows:
        groups.setdefault((row["setting"], row["steps"], row["split"]), []).append(row)
    print("| setting | steps | split | seeds | " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * (4 + len(COLUMNS)))
    for group, members in groups.items():
        cells = []
        for column in COLUMNS:
            values = np.array([float(str(row[column])) for row in members])
            half = STUDENT.get(len(values), 2.5) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0
            cells.append(f"{values.mean():.2f}" + (f" ± {half:.2f}" if half else ""))
        print("| " + " | ".join(map(str, group)) + f" | {len(members)} | " + " | ".join(cells) + " |")


def main() -> None:
    """Train what has no line yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", type=Path, required=True)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=["plain"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--widths", nargs=3, type=int, default=[64, 64, 64])
    parser.add_argument("--split", choices=("train", "test"), default="train")
    parser.add_argument("--pictures", type=Path, help="folder for a sheet of samples of each training")
    parser.add_argument("--table", action="store_true", help="print the table of FILE alone")
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = [json.loads(line) for line in args.save.read_text().splitlines()] if args.save.exists() else []
    done = {(row["setting"], row["seed"], row["steps"], tuple(row["widths"]), row["split"]) for row in known}
    for seed in [] if args.table else args.seeds:
        for name in args.settings:
            if (name, seed, args.steps, tuple(args.widths), args.split) not in done:
                known.append(measure(name, seed, tuple(args.widths), args))
                with args.save.open("a") as file:
                    file.write(json.dumps(known[-1]) + "\n")
    print_table(known)


if __name__ == "__main__":
    main()
