"""SIGKILL at random moments, to workers, to the run's own process, and to nodes of a Ray cluster.

    python benchmarks/executor_kills.py --victims worker driver --rounds 100
    python benchmarks/executor_kills.py --victims node --rounds 20          needs sidelight-ray

A small recipe is run once undisturbed with two workers. Each round begins with a cache that holds the trained model
alone. Once workers are there and a random number of entries, one of them, the run itself or a node is killed; where it
was the run, it is run again. Every round has to end with the hashes and warnings of the undisturbed run. `again` counts
units that workers made though they had been kept when the kill came: none may be. Drivers are forked from this
process, which has torch; 100 rounds take about 15 minutes for workers, 20 for drivers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import sidelight
import torch

RECIPE: dict[str, Any] = {
    "recipe": 1,
    "name": "kills",
    "seed": 0,
    "explain": {"split": "test", "count": 12, "shard": 2},
    "data": {"use": "images/digits"},
    "classifier": {"use": "classifiers/lenet", "with": {"steps": 50}},
    "explainers": {
        "gradients": {"use": "captum/integrated-gradients", "with": {"steps": 400}},
        "occlusion": {"use": "captum/occlusion", "with": {"window": 4, "stride": 1}},
        "lime": {"use": "captum/lime", "with": {"samples": 400}},
    },
    "metrics": {"curves": {"use": "metrics/insertion-deletion"}},
}
UNITS = ("predict", "explain", "measure", "map")
PATIENCE = 600  # seconds of one run


def born(folder: Path, executor: dict[str, Any]) -> int:
    """A child that runs the recipe."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ["SIDELIGHT_CACHE"] = str(folder / "cache")
        sidelight.run({**RECIPE, "executor": executor}, out=folder / "run", progress=False)
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(child: int, seconds: float = PATIENCE) -> int | None:
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


def entries(folder: Path) -> list[Path]:
    """Documents of the entries in the cache."""
    return list(folder.glob("cache/v*/??/*/entry.json"))


def units(folder: Path) -> int:
    """Entries that workers make: not what shards were joined to, nor what pieces of LIME were put together to."""
    documents = {path.parent.name: json.loads(path.read_text()) for path in entries(folder)}
    joined = {one["within"][0] for one in documents.values() if one.get("within")}
    return sum(
        one["step"] in UNITS and (one["component"], one["step"]) != ("captum/lime", "explain")
        for name, one in documents.items()
        if name not in joined
    )


def made(folder: Path) -> int:
    """Units that workers made in the last run."""
    workers: dict[str, int] = json.loads((folder / "run" / "run.json").read_text())["workers"]
    return workers["made"]


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
        self._root, self._victim, self._dice = root, victim, random.Random(seed)
        self._nodes = Nodes() if victim == "node" else None
        local = {"use": "sidelight/processes", "with": {"workers": 2}}
        self._executor = self._nodes.executor if self._nodes else local
        whole, begun = root / "whole", time.monotonic()
        whole.mkdir()
        if ended(born(whole, self._executor)) != 0:
            raise SystemExit("the undisturbed run failed")
        self.seconds = time.monotonic() - begun
        self._expected, self._count, self._units = outcome(whole), len(entries(whole)), made(whole)
        for path in entries(whole):
            if json.loads(path.read_text())["step"] != "fit":
                shutil.rmtree(path.parent)
        shutil.move(whole / "cache", root / "trained")
        shutil.rmtree(whole)

    def close(self) -> None:
        """End the cluster, where there is one."""
        if self._nodes:
            self._nodes.close()

    def one(self, number: int) -> dict[str, int]:
        """Counts of one round."""
        folder = self._root / f"round-{number}"
        shutil.copytree(self._root / "trained", folder / "cache")
        most, child = self._dice.randrange(len(entries(folder)), self._count), born(folder, self._executor)
        status = None
        while status is None and (len(entries(folder)) < most or not self._has_begun(child)):
            status = ended(child, 0.02)
        if status is None:
            status = ended(child, self._dice.random() / 2)
        killed, left, kept = 0, 0, 0
        if status is None:
            killed = int(self._kill(child))
            status = ended(child)
        if self._victim == "driver" and killed:
            time.sleep(0.5)  # for its workers to end
            kept, left = units(folder), len(workers_left(folder))
            status = ended(born(folder, self._executor))
        if status != 0:
            raise SystemExit(f"round {number} ended with {status}")
        again = made(folder) - (self._units - kept)
        found = {"killed": killed, "kept": kept, "again": again, "left": left}
        found["other outcome"] = int(outcome(folder) != self._expected)
        found["other entries"] = int(len(entries(folder)) != self._count)
        shutil.rmtree(folder)
        return found

    def _has_begun(self, child: int) -> bool:
        """True once it has workers."""
        return self._nodes is not None or bool(workers_of(child))

    def _kill(self, child: int) -> bool:
        if self._nodes:
            self._nodes.kill(self._dice)
            return True
        targets = [child] if self._victim == "driver" else workers_of(child)
        with suppress(ProcessLookupError, IndexError):
            os.kill(self._dice.choice(targets), signal.SIGKILL)
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


def main() -> None:
    """Print sums over the rounds of each victim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--victims", nargs="+", choices=("worker", "driver", "node"), default=["worker", "driver"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for victim in arguments.victims:
        with tempfile.TemporaryDirectory(prefix="kills-") as name:
            begun, rounds = time.monotonic(), Rounds(Path(name), victim, arguments.seed)
            try:
                found = [rounds.one(number) for number in range(arguments.rounds)]
            finally:
                rounds.close()
            total = {key: sum(one[key] for one in found) for key in found[0]}
            total |= {"rounds": len(found), "undisturbed": round(rounds.seconds, 1)}
            print(victim, json.dumps(total), f"{time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
