"""SIGKILL at random moments, to workers, to the run's own process, and to nodes of a Ray cluster.

    python benchmarks/executor_kills.py --victims worker driver --rounds 100 --csv kills.csv
    python benchmarks/executor_kills.py --victims node --rounds 20 --csv kills.csv          needs sidelight-ray
    python benchmarks/executor_kills.py --csv kills.csv --table

A small recipe is run once undisturbed with two workers. Each round begins with a cache that holds the trained model
alone. After a random number of entries one of the workers, the run itself or a node is killed; where it was the run, it
is run again. Every process notes what it computes, so that the columns are counts and not sums:

    kept           entries that were complete at the kill
    before, after  computations that came to their end before it, and after it
    repeated       entries whose computation began twice: the kill cut the first one short
    again          of these, entries that were complete at the kill: none may be
    left           workers that outlived the killed run: none may
    other outcome, other entries   hashes and warnings, or entries, other than undisturbed: none may be

A round whose run had ended when the kill came does not count. Each round is a row of the CSV; a series that was stopped
goes on with the next round. Drivers are forked from this process, which has torch; those of a Ray cluster are not.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import sidelight
import torch
from sidelight.engine import units
from sidelight.engine.session import Session
from sidelight_metrics.statistics import wilson_interval

RECIPE: dict[str, Any] = {
    "recipe": 1,
    "name": "kills",
    "seed": 0,
    "explain": {"split": "test", "count": 8, "shard": 2},
    "data": {"use": "images/digits", "with": {"test": 10}},
    "classifier": {"use": "classifiers/lenet", "with": {"steps": 50}},
    "explainers": {
        "gradients": {"use": "captum/integrated-gradients"},
        "occlusion": {"use": "captum/occlusion", "with": {"window": 4}},
        "lime": {"use": "captum/lime", "with": {"samples": 100}},
    },
    "metrics": {"curves": {"use": "metrics/insertion-deletion", "with": {"baselines": ["black"], "step": 0.1}}},
}
PATIENCE = 600  # seconds of one run
NEVER = ("again", "left", "other outcome", "other entries")  # counts that have to be 0
COLUMNS = ("victim", "seed", "round", "hit", "kept", "before", "after", "repeated", *NEVER, "seconds")


class NotedWork(units.Work):
    """Units of work in a process that notes what it computes."""

    def __call__(self, data: bytes) -> bytes:
        """As ever."""
        note_computations()
        return super().__call__(data)


def note_computations() -> None:
    """Have this process write `began KEY` and `ended KEY` beside the cache for every entry that it computes."""
    make = Session._make
    if make.__module__ == __name__:
        return

    def noted(self: Session, step: Any, key: str, *rest: Any) -> Any:
        log = os.open(self.store.root.parent / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(log, f"began {key}\n".encode())
            entry = make(self, step, key, *rest)
            os.write(log, f"ended {key}\n".encode())
        finally:
            os.close(log)
        return entry

    Session._make = noted  # type: ignore[method-assign]


def begin(folder: Path, executor: dict[str, Any]) -> int:
    """A child that runs the recipe, forked; but not where this process talks to a Ray cluster, in threads."""
    if executor["use"] == "ray/ray":
        command = [sys.executable, __file__, "--drive", str(folder), json.dumps(executor)]
        return os.posix_spawn(sys.executable, command, dict(os.environ))
    child = os.fork()
    if child:
        return child
    try:
        drive(folder, executor)
    finally:
        os._exit(1)


def drive(folder: Path, executor: dict[str, Any]) -> None:
    """Run the recipe, and end the process with 0, or with 1 where it failed."""
    try:
        import executor_kills  # by the name that workers know it by

        executor_kills.note_computations()
        units.Work = executor_kills.NotedWork  # type: ignore[misc]
        os.environ["SIDELIGHT_CACHE"] = str(folder / "cache")
        sidelight.run({**RECIPE, "executor": executor}, out=folder / "run", progress=False)
    except Exception:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def status_of(child: int, seconds: float = PATIENCE) -> int | None:
    """The exit code, minus the signal, of a child; None where it has not ended in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def workers_of(process: int) -> list[int]:
    """Its children that are worker processes."""
    found = []
    for task in Path(f"/proc/{process}/task").glob("*"):
        with suppress(OSError):
            for child in (task / "children").read_text().split():
                if b"executors.processes" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


def entries(folder: Path) -> dict[str, Path]:
    """Documents of the complete entries in the cache, by key."""
    return {path.parent.name: path for path in folder.glob("cache/v*/??/*/entry.json")}


def noted(folder: Path, word: str) -> Counter[str]:
    """Number of times that the computation of each entry began or ended."""
    with suppress(FileNotFoundError):
        lines = (line.split() for line in (folder / "log").read_text().splitlines())
        return Counter(key for verb, key in lines if verb == word)
    return Counter()


def outcome(folder: Path) -> dict[str, Any]:
    """All that a kill must not change."""
    manifest = json.loads((folder / "run" / "run.json").read_text())
    return {"outputs": manifest["outputs"]["artifacts"], "warnings": manifest["warnings"]}


class Nodes:
    """A Ray cluster on this machine whose two nodes have one core each; the head has none."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        self._nodes = [self._cluster.add_node(num_cpus=1) for _ in range(2)]
        self.executor = {"use": "ray/ray", "with": {"address": self._cluster.address, "workers": 2, "retries": 5}}

    def kill(self, dice: random.Random) -> None:
        """Remove one node without a warning, and add another."""
        self._cluster.remove_node(self._nodes.pop(dice.randrange(2)), allow_graceful=False)
        self._nodes.append(self._cluster.add_node(num_cpus=1))

    def close(self) -> None:
        """End it."""
        self._cluster.shutdown()


class Rounds:
    """Rounds of one victim, and what an undisturbed run gives."""

    def __init__(self, root: Path, victim: str, seed: int) -> None:
        self._root, self._victim, self._seed = root, victim, seed
        self._nodes = Nodes() if victim == "node" else None
        local = {"use": "sidelight/processes", "with": {"workers": 2}}
        self._executor = self._nodes.executor if self._nodes else local
        whole = root / "whole"
        whole.mkdir()
        if status_of(begin(whole, self._executor)) != 0:
            raise SystemExit("the undisturbed run failed")
        self._expected, documents = outcome(whole), entries(whole)
        self._keys = set(documents)
        computed = noted(whole, "ended").total()
        print(f"undisturbed: {len(documents)} entries, {computed} computations", flush=True)
        for path in documents.values():
            if json.loads(path.read_text())["step"] != "fit":
                shutil.rmtree(path.parent)
        shutil.move(whole / "cache", root / "trained")
        shutil.rmtree(whole)

    def close(self) -> None:
        """End the cluster, where there is one."""
        if self._nodes:
            self._nodes.close()

    def one(self, number: int) -> dict[str, Any]:
        """A row of the CSV."""
        folder, begun = self._root / f"round-{number}", time.monotonic()
        dice = random.Random(f"{self._seed} {self._victim} {number}")
        shutil.copytree(self._root / "trained", folder / "cache")
        trained = set(entries(folder))
        wanted, child = dice.randrange(len(trained), len(self._keys)), begin(folder, self._executor)
        status = None
        while status is None and (len(entries(folder)) < wanted or not self._can_be_hit(child)):
            status = status_of(child, 0.02)
        if status is None:
            status = status_of(child, dice.random() / 4)
        kept, before, left = set(entries(folder)), noted(folder, "ended").total(), 0
        is_hit = status is None and self._kill(child, dice)
        if self._victim == "worker":  # a node takes seconds to remove, while the run goes on
            kept, before = set(entries(folder)), noted(folder, "ended").total()
        if status is None:
            status = status_of(child)
        if self._victim == "driver" and is_hit:
            time.sleep(0.5)  # for its workers to end
            kept, before, left = set(entries(folder)), noted(folder, "ended").total(), len(workers_left(folder))
            status = status_of(begin(folder, self._executor))
        if status != 0:
            raise SystemExit(f"round {number} ended with {status}")
        began, ended = noted(folder, "began"), noted(folder, "ended").total()
        again = sum(began[key] - (key not in trained) for key in kept)
        row = {"victim": self._victim, "seed": self._seed, "round": number, "hit": int(is_hit), "kept": len(kept)}
        row |= {"before": before, "after": ended - before, "again": again, "left": left}
        row |= {"repeated": sum(count > 1 for count in began.values())}
        row["other outcome"] = int(outcome(folder) != self._expected)
        row["other entries"] = int(set(entries(folder)) != self._keys)
        shutil.rmtree(folder)
        return {**row, "seconds": round(time.monotonic() - begun, 1)}

    def _can_be_hit(self, child: int) -> bool:
        return self._victim != "worker" or bool(workers_of(child))

    def _kill(self, child: int, dice: random.Random) -> bool:
        if self._nodes:
            self._nodes.kill(dice)
            return True
        targets = [child] if self._victim == "driver" else workers_of(child)
        with suppress(ProcessLookupError, IndexError):
            os.kill(dice.choice(targets), signal.SIGKILL)
            return True
        return False


def workers_left(folder: Path) -> list[int]:
    """Worker processes that still run with the cache in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_worker = b"executors.processes" in (path / "cmdline").read_bytes()
            if is_worker and str(folder).encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
    return found


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Rows of earlier series, numbers as such."""
    if not path.is_file():
        return []
    with path.open(newline="") as stream:
        return [
            {name: value if name == "victim" else float(value) for name, value in row.items()}
            for row in csv.DictReader(stream)
        ]


def table(rows: list[dict[str, Any]]) -> str:
    """Sums over the rounds that hit, for each victim, and the interval of the rounds without a fault."""
    lines = ["victim  rounds  missed  sound (95 %)         " + "  ".join(COLUMNS[4:-1])]
    for victim in dict.fromkeys(row["victim"] for row in rows):
        own = [row for row in rows if row["victim"] == victim]
        hit = [row for row in own if row["hit"]]
        sound = sum(not any(row[name] for name in NEVER) for row in hit)
        low, high = wilson_interval(sound, len(hit)) if hit else (0.0, 1.0)
        sums = "  ".join(f"{sum(row[name] for row in hit):{len(name)}.0f}" for name in COLUMNS[4:-1])
        text = f"{sound} ({100 * low:.1f} to {100 * high:.1f} %)"
        lines.append(f"{victim:6}  {len(hit):6}  {len(own) - len(hit):6}  {text:19}  {sums}")
    return "\n".join(lines)


def main() -> None:
    """Print each round, and sums over the rounds of each victim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="that hit their victim, those in the CSV included")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--victims", nargs="+", choices=("worker", "driver", "node"), default=["worker", "driver"])
    parser.add_argument("--csv", type=Path, default=Path("kills.csv"))
    parser.add_argument("--drive", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--table", action="store_true", help="print the table of the CSV alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.drive:
        drive(Path(arguments.drive[0]), json.loads(arguments.drive[1]))
    for victim in [] if arguments.table else arguments.victims:
        earlier = [row for row in rows_of(arguments.csv) if (row["victim"], row["seed"]) == (victim, arguments.seed)]
        number, hits = len(earlier), sum(int(row["hit"]) for row in earlier)
        with tempfile.TemporaryDirectory(prefix="kills-") as name:
            rounds = Rounds(Path(name), victim, arguments.seed)
            try:
                while hits < arguments.rounds:
                    row = rounds.one(number)
                    number, hits = number + 1, hits + row["hit"]
                    is_new = not arguments.csv.is_file()
                    with arguments.csv.open("a", newline="") as stream:
                        writer = csv.DictWriter(stream, COLUMNS)
                        if is_new:
                            writer.writeheader()
                        writer.writerow(row)
                    print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
            finally:
                rounds.close()
    print(table(rows_of(arguments.csv)))


if __name__ == "__main__":
    main()
