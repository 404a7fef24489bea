"""Figure 4 over seeds: does the factor that two data sets plant in opposite ways show in opposite ways?

    python plugins/intervention/benchmarks/dataset_bias.py [--seeds 5] [--factor hair-length] [--out FOLDER]

Runs recipes/dataset-bias.yaml with the factor on its high side in 70% of the smiling faces, and in 30%, once for each
seed. Prints how far the concept images of the two classes differ in the factor, in half-ranges, with a 95% interval of
the mean over the seeds (Student's t).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import sidelight
from scipy.stats import t

RECIPE = Path(__file__).parents[3] / "recipes" / "dataset-bias.yaml"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--factor", default="hair-length", help="the planted factor")
    parser.add_argument("--out", type=Path, default=Path("runs/dataset-bias"), help="folder for the runs")
    options = parser.parse_args()
    for share in (0.7, 0.3):
        shown = [difference(share, seed, options.factor, options.out) for seed in range(options.seeds)]
        half = t.ppf(0.975, len(shown) - 1) * np.std(shown, ddof=1) / np.sqrt(len(shown)) if len(shown) > 1 else np.nan
        seeds = ", ".join(f"{value:+.2f}" for value in shown)
        print(f"{options.factor} {share:.0%}: {np.mean(shown):+.2f} +- {half:.2f} half-ranges; by seed {seeds}")


def difference(share: float, seed: int, factor: str, out: Path) -> float:
    """`shown: FACTOR` of one run."""
    run = sidelight.run(
        RECIPE,
        set=[
            f"seed={seed}",
            f"data.with.confounds={{{factor}: {share}}}",
            f"metrics.factors.with.factors=[smile, {factor}]",
        ],
        out=out / f"{factor}-{share:g}-{seed}",
    )
    measured = next(iter(run.results.measurements["factors"].values()))
    return next(item.value for item in measured.items if item.name == f"shown: {factor}")


if __name__ == "__main__":
    main()
