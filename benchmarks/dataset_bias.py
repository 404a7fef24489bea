"""Figure 4 of Gat et al. 2022 over seeds: do opposite biases of the data show in opposite ways?

    python benchmarks/dataset_bias.py [--seeds 5] [--out FOLDER]

Runs recipes/dataset-bias.yaml once for each seed, with other faces and other weights. For the classifier of each of its
data sets it prints by how much the concept images of smiling and of other faces differ in the planted factor, in
half-ranges, with a 95% interval of the mean over the seeds (Student's t). The seeds' runs are kept below FOLDER.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import sidelight
from scipy.stats import t

RECIPE = Path(__file__).parents[1] / "recipes" / "dataset-bias.yaml"
FACTOR = "hair-length"
SIDES = {"long": "long hair goes with smiles, 70/30", "short": "short hair goes with smiles, 70/30"}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many; two or more for an interval")
    parser.add_argument("--out", type=Path, default=Path("runs/dataset-bias"), help="folder for the runs")
    options = parser.parse_args()
    found = [differences(seed, options.out) for seed in range(options.seeds)]
    for side, what in SIDES.items():
        print(f"{what}: {described([seed[side] for seed in found])}")
    print(f"the former minus the latter: {described([seed['long'] - seed['short'] for seed in found])}")


def differences(seed: int, out: Path) -> dict[str, float]:
    """`shown: hair-length` of one run, for the classifier of each data set."""
    seeds = ["seed", *(f"data.{side}.with.seed" for side in SIDES)]
    run = sidelight.run(RECIPE, set=[f"{name}={seed}" for name in seeds], out=out / f"{seed}")
    found = {side: shown(run, f"factors-{side}") for side in SIDES}
    print(f"seed {seed}: " + ", ".join(f"{side} {value:+.2f}" for side, value in found.items()), flush=True)
    return found


def shown(run: sidelight.Run, metric: str) -> float:
    """Difference of the two classes' concept images in the factor."""
    measured = next(iter(run.results.measurements[metric].values()))
    return next(item.value for item in measured.items if item.name == f"shown: {FACTOR}")


def described(values: list[float]) -> str:
    """Mean and interval, in words."""
    if len(values) < 2:
        return f"{values[0]:+.2f} half-ranges"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):+.2f} +- {half:.2f} half-ranges"


if __name__ == "__main__":
    main()
