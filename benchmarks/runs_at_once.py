"""Identical runs that begin at once on an empty cache: what they compute together, and whether they agree.

    python benchmarks/runs_at_once.py [--runs 1 2 4] [--workers 2] [--work FOLDER]

The recipe is `recipes/quickstart.yaml` with short trainings and searches, in shards of two images. Every process notes
the entries of the cache that it computes. Given are

    entries      in the cache at the end
    computed     computations that came to their end, in all processes together
    twice        entries that were computed, or begun, more than once
    outcomes     different hashes of the results
    waits        times that a run said that it waits for another one
    cpu s, s     CPU seconds of all processes together, and seconds until the last has ended

With `--workers` each run has so many worker processes. Runs are forked from this process, which has torch, and let go
together.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

import sidelight
import torch  # noqa: F401 (before the fork)
from executor_kills import entries, noted, outcome
from sidelight.engine import units

RECIPE = Path(__file__).parents[1] / "recipes" / "quickstart.yaml"
SHORT = (
    "explain.shard=2",
    "classifier.classifier.with.steps=60",
    "classifier.judge.with.steps=10",
    "generator.with.steps=60",
    "explainers.cdeepex.with.steps=20",
    "explainers.xgems.with.steps=20",
)


def main() -> None:
    """Print a row for each number of runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--work", type=Path, default=None)
    options = parser.parse_args()
    print("runs  entries  computed  twice  outcomes  waits  cpu s      s", flush=True)
    for count in options.runs:
        with tempfile.TemporaryDirectory(dir=options.work) as folder:
            print(at_once(Path(folder), count, options.workers), flush=True)


def at_once(folder: Path, count: int, workers: int) -> str:
    """One row.

    Raises:
        SystemExit: a run failed.
    """
    gate, opened = os.pipe()
    children = [begin(folder, number, workers, gate) for number in range(count)]
    began = time.monotonic()
    os.write(opened, bytes(count))
    ended = [os.wait4(child, 0) for child in children]
    seconds = time.monotonic() - began
    if any(status for _, status, _ in ended):
        raise SystemExit(f"a run failed:\n{(folder / 'said-0').read_text()}")
    spent = sum(usage.ru_utime + usage.ru_stime for _, _, usage in ended)
    begun, computed = noted(folder, "began"), noted(folder, "ended")
    twice = sum(begun[key] > 1 or computed[key] > 1 for key in begun)
    outcomes = {str(outcome(folder / f"{number}")["outputs"]) for number in range(count)}
    waits = sum((folder / f"said-{number}").read_text().count("waiting for") for number in range(count))
    row = f"{count:4}  {len(entries(folder)):7}  {computed.total():8}  {twice:5}  {len(outcomes):8}  {waits:5}"
    return f"{row}  {spent:5.0f}  {seconds:5.0f}"


def begin(folder: Path, number: int, workers: int, gate: int) -> int:
    """A child that runs the recipe when it can read from the gate."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        said = os.open(folder / f"said-{number}", os.O_WRONLY | os.O_CREAT)
        os.dup2(said, sys.stderr.fileno())
        import executor_kills  # by the name that workers know it by

        executor_kills.note_computations()
        units.Work = executor_kills.NotedWork  # type: ignore[misc]
        os.environ["SIDELIGHT_CACHE"] = str(folder / "cache")
        os.read(gate, 1)
        options = {"executor": "processes", "workers": workers} if workers else {}
        sidelight.run(RECIPE, set=SHORT, out=folder / f"{number}" / "run", **options)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
