"""Speed-up by worker processes: the same recipe in the run's own process, with one worker, and with two.

    python benchmarks/executors.py [--cases locality attfind cdeepex] [--workers 2] [--executor processes]

Each run begins with an empty cache; models come from the zoo and from packages, so that none is trained. Counted are
the steps predict, invert, find, explain and measure, which an executor shares out; from those with workers
the CPU time of their start is taken off, by its mean over workers. Runs take turns, so that all are as warm. Wants as
many idle cores as there are workers: 15 minutes on two.

    python benchmarks/executors.py --overhead

The executor `local`, which packs units and computes them in the run's own process, beside none: ratio of CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FACES = {"use": "images/faces", "with": {"train": 64, "test": 64, "label": "smile"}}
MODELS = {
    "data": FACES,
    "classifier": {"use": "zoo/stylex-faces-classifier"},
    "generator": {"use": "zoo/stylex-faces"},
    "inverter": {"use": "stylex/encoder"},
}
CASES: dict[str, dict[str, Any]] = {
    "locality": {
        "extends": "locality.yaml",
        "explain": {"count": 6, "shard": 1},
        "explainers": {"squares": None},
        "renderers": {"page": None},
    },
    "attfind": {
        **MODELS,
        "explain": {"split": "test", "count": 8},
        "attribute_finders": {"attfind": {"use": "stylex/attfind", "with": {"mode": "exact", "reference": 0}}},
    },
    "cdeepex": {
        **MODELS,
        "explain": {"split": "test", "count": 16, "shard": 2},
        "explainers": {"cdeepex": {"use": "cdeepex/cdeepex"}},
    },
}
SHARED = ("predict", "invert", "find", "explain", "measure")


def run(name: str, executor: str, workers: int) -> dict[str, float]:
    """Seconds of the shared steps, of the workers' start, and of CPU, of one run on an empty cache."""
    with tempfile.TemporaryDirectory(prefix="executors-") as folder:
        root, recipe = Path(folder), dict(CASES[name])
        if "extends" in recipe:
            recipe["extends"] = str(Path("recipes", recipe["extends"]).absolute())
        (root / "case.yaml").write_text(json.dumps({"recipe": 1, "name": name, **recipe}))  # JSON is YAML
        command = [sys.executable, "-m", "sidelight", "run", str(root / "case.yaml"), "--out", str(root / "run")]
        if executor:
            command += ["--executor", executor] + (["--workers", str(workers)] if workers else [])
        environment = {**os.environ, "SIDELIGHT_CACHE": str(root / "cache"), "OMP_NUM_THREADS": "1"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, "--quiet"], env=environment, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        manifest = json.loads((root / "run" / "run.json").read_text())
    seconds = sum(step["seconds"] for step in manifest["steps"] if step["step"].split()[0] in SHARED)
    start = manifest.get("workers", {}).get("start", 0.0) / max(1, workers)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    digests = manifest["outputs"]["artifacts"]
    return {"seconds": seconds, "start": start, "net": seconds - start, "cpu": cpu, "digests": digests}  # type: ignore[dict-item]


def main() -> None:
    """Print times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=tuple(CASES), default=list(CASES))
    parser.add_argument("--executor", default="processes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--overhead", action="store_true")
    arguments = parser.parse_args()
    ways = {"alone": ("", 0), "one": (arguments.executor, 1), "several": (arguments.executor, arguments.workers)}
    if arguments.overhead:
        ways = {"alone": ("", 0), "local": ("local", 0)}
    for name in arguments.cases:
        for number in range(arguments.rounds):
            found = {way: run(name, *settings) for way, settings in ways.items()}
            same = all(one["digests"] == found["alone"]["digests"] for one in found.values())
            told = {way: {key: round(one[key], 1) for key in one if key != "digests"} for way, one in found.items()}
            key = "cpu" if arguments.overhead else "net"
            ratios = {way: round(found["alone"][key] / one[key], 3) for way, one in found.items() if way != "alone"}
            print(json.dumps({"case": name, "round": number, "same": same, "ratios": ratios, **told}), flush=True)


if __name__ == "__main__":
    main()
