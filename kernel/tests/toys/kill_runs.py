"""Runs the toy recipe in child processes and kills them; torch is imported once, before any of them is born.

Usage: python kill_runs.py FOLDER ROUNDS SEED: prints, as json, the hashes of an undisturbed run and of runs that
were killed at a random moment and then run again; or `python kill_runs.py FOLDER together` for runs side by side, and
`python kill_runs.py FOLDER once COUNT` for identical ones that begin at once, with what each of them computed.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import sidelight_toy.behaviour  # noqa: F401 (imports torch)
import toy_recipes
from sidelight_toy import log

RECIPE = {key: value for key, value in toy_recipes.RECIPE.items() if key != "attribute_finders"}


def born(folder: Path, name: str, kill_at: tuple[int, float] | None = None) -> int:
    """A child that runs the recipe into `folder/name`, and leaves the number of its calls beside it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.environ["SIDELIGHT_CACHE"] = str(folder / "cache")
            log.kill_at = kill_at
            toy_recipes.run(RECIPE, out=folder / name, set=["explain.count=4"])
            (folder / f"{name}.calls").write_text(str(len(log.calls)))
            (folder / f"{name}.json").write_text(json.dumps(log.calls))
            code = 0
        finally:
            os._exit(code)
    return child


def ended_well(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def outputs(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())["outputs"]


def undisturbed(folder: Path) -> tuple[dict, int]:
    assert ended_well(born(folder, "run"))
    return outputs(folder / "run"), int((folder / "run.calls").read_text())


def killed_and_continued(folder: Path, kill_at: tuple[int, float]) -> dict:
    killed = not ended_well(born(folder, "run", kill_at))
    kept = len(list(folder.glob("cache/v2/*/*")))
    assert ended_well(born(folder, "run"))
    manifest = json.loads((folder / "run" / "run.json").read_text())
    left = [path.name for path in folder.rglob(".sidelight-*")]
    return {
        "outputs": manifest["outputs"],
        "killed": killed,
        "kept": kept,
        "cache": manifest["cache"],
        "left": left,
        "notices": [text for text in manifest["warnings"] if "is not used" in text],
    }


def main() -> None:
    folder = Path(sys.argv[1])
    if sys.argv[2] == "together":
        children = [born(folder, name) for name in ("one", "two", "two")]
        well = [ended_well(child) for child in children]
        print(json.dumps({"well": well, "outputs": [outputs(folder / name) for name in ("one", "two")]}))
        return
    if sys.argv[2] == "once":
        names = [f"run-{number}" for number in range(int(sys.argv[3]))]
        children = [born(folder, name) for name in names]
        well = [ended_well(child) for child in children]
        calls = [json.loads((folder / f"{name}.json").read_text()) for name in names]
        left = [path.name for path in folder.glob("cache/locks/*")]
        print(
            json.dumps(
                {"well": well, "calls": calls, "outputs": [outputs(folder / name) for name in names], "left": left}
            )
        )
        return
    expected, calls = undisturbed(folder / "whole")
    dice = random.Random(int(sys.argv[3]))
    found = []
    for number in range(int(sys.argv[2])):
        moment = (dice.randint(1, calls), dice.choice((0.005, 0.03, 0.15)) * dice.random())
        found.append(killed_and_continued(folder / f"round-{number}", moment))
    print(json.dumps({"expected": expected, "rounds": found}))


if __name__ == "__main__":
    main()
