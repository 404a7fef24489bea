"""Does a pair of concept images show the concept alone? Every factor's change, over seeds.

    python benchmarks/concept_isolation.py --seeds 3 --tasks smile glasses

Runs `recipes/concepts-isolated.yaml` with classifier, codes and decoders trained anew for each seed, on `--images` test
faces. A network trained on true factors, anew for each seed, reads 25 factors off the pairs; changes are signed from
the first class to the second, in half-ranges, over the flips that change the class. Printed are the change of the
task's factor and, of all others that are read with R2 of at least 0.5, the largest and the mean absolute mean change,
as shares of it: mean and half of the 95 % interval over the seeds (Student's t).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import sidelight
import torch
import yaml
from scipy.stats import t

RECIPE = Path(__file__).parent.parent / "recipes" / "concepts-isolated.yaml"
READABLE = 0.5
PAIRS = ("same-face", "average", "decoder")


def main() -> None:
    """Print a table for each task."""
    options = _options()
    torch.set_num_threads(1)
    for task in options.tasks:
        runs = [measured(task, seed, options) for seed in range(options.seeds)]
        print(f"\n{task}: {options.seeds} seeds, {options.images} test faces")
        print(f"{'':24}{'flipped':>18}{'largest other':>18}{'mean of others':>18}   largest in each seed")
        for name in runs[0]:
            columns = [[run[name][column] for run in runs] for column in range(3)]
            which = ", ".join(run[name][3] for run in runs)
            print(f"{name:24}" + "".join(f"{described(values):>18}" for values in columns) + f"   {which}", flush=True)


def measured(task: str, seed: int, options: argparse.Namespace) -> dict[str, tuple[float, float, float, str]]:
    """Explainer to the change of the task's factor, largest and mean of the others by it, the largest one."""
    changes = [f"vars.task={task}", f"seed={seed}", *options.set]
    results = sidelight.run(recipe(options.images), set=changes, out=options.out / f"{task}-{seed}").results
    rows = {}
    for name, found in results.measurements["flips"].items():
        means = {item.name.removeprefix("flipped: "): item for item in found.items}
        flipped = means.pop(task).value
        others = {
            factor: abs(item.value / flipped)
            for factor, item in means.items()
            if float(item.settings["R2 of the reading"]) >= READABLE
        }
        largest = max(others, key=lambda factor: others[factor])
        rows[name] = (flipped, others[largest], float(np.mean(list(others.values()))), largest)
    return rows


def recipe(images: int) -> dict[str, Any]:
    """The recipe without a page, with fewest and all flips of every kind of picture."""
    document: dict[str, Any] = yaml.safe_load(RECIPE.read_text())
    document.pop("renderers")
    document["explain"]["count"] = images
    document["explainers"] = {
        f"{generator}-{flips}": {
            "use": "intervention/concept-flip",
            "needs": {"classifier": "deep", "generator": generator},
            "with": {"flips": flips},
        }
        for generator in PAIRS
        for flips in ("fewest", "all")
    }
    return document


def described(values: list[float]) -> str:
    """Mean and interval."""
    if len(values) < 2:
        return f"{values[0]:.2f}"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.2f} +- {half:.2f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["smile", "glasses"], help="factors that are classified")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each task")
    parser.add_argument("--images", type=int, default=100, help="test faces that are flipped")
    parser.add_argument("--out", type=Path, default=Path("runs/concept-isolation"), help="folder of the runs")
    parser.add_argument("--set", nargs="*", default=[], help="further changes of the recipe, such as data.with.seed=5")
    return parser.parse_args()


if __name__ == "__main__":
    main()
