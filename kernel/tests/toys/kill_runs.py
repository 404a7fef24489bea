"""Runs the toy recipe in child processes and kills them; torch is imported once, before any of them is born.

Usage: python kill_runs.py FOLDER ROUNDS SEED: prints, as json, the hashes of an undisturbed run and of runs that
were killed at a random moment and then run again; or `python kill_runs.py FOLDER together` for runs side by side.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import sidelight_toy.behaviour  # noqa: F401 (imports torch)
import toy_recipes

RECIPE = {key: value for key, value in toy_recipes.RECIPE.items() if key != "attribute_finders"}


def born(folder: Path, name: str) -> int:
    """A child that runs the recipe into `folder/name`."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.environ["SIDELIGHT_CACHE"] = str(folder / "cache")
            toy_recipes.run(RECIPE, out=folder / name, set=["explain.count=4"])
            code = 0
        finally:
            os._exit(code)
    return child


def ended_well(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def outputs(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())["outputs"]


def undisturbed(folder: Path) -> tuple[dict, float]:
    start = time.monotonic()
    assert ended_well(born(folder, "run"))
    return outputs(folder / "run"), time.monotonic() - start


def killed_and_continued(folder: Path, moment: float) -> dict:
    child = born(folder, "run")
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    killed = not ended_well(child)
    kept = len(list(folder.glob("cache/v1/*/*")))
    assert ended_well(born(folder, "run"))
    manifest = json.loads((folder / "run" / "run.json").read_text())
    left = [path.name for path in folder.rglob(".sidelight-*")]
    return {
        "outputs": manifest["outputs"],
        "killed": killed,
        "kept": kept,
        "cache": manifest["cache"],
        "left": left,
        "notices": [text for text in manifest["warnings"] if "unreadable" in text],
    }


def main() -> None:
    folder = Path(sys.argv[1])
    if sys.argv[2] == "together":
        children = [born(folder, name) for name in ("one", "two", "two")]
        well = [ended_well(child) for child in children]
        print(json.dumps({"well": well, "outputs": [outputs(folder / name) for name in ("one", "two")]}))
        return
    expected, took = undisturbed(folder / "whole")
    moments = random.Random(int(sys.argv[3]))
    rounds = range(int(sys.argv[2]))
    found = [killed_and_continued(folder / f"round-{number}", moments.uniform(0, took)) for number in rounds]
    print(json.dumps({"expected": expected, "rounds": found}))


if __name__ == "__main__":
    main()
