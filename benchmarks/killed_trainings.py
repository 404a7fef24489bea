"""Kills the training of every trainable component at random moments, and compares what it learns in the end.

    python benchmarks/killed_trainings.py [--only PLUGIN/COMPONENT ...] [--kills 3] [--steps 40] [--seed 0]

Each component is built with the conformance kit's toys and the options of its example. A child process trains with the
kernel's store and a checkpoint after every step; it gets SIGKILL at a random moment (after a random step has begun, and
up to two steps' time later: in a step, or while a checkpoint is written), is started again, and so on; the last one
ends by itself. Prints a table; the exit code is 1 where bits differ.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from sidelight.engine.checkpoints import SECONDS_VARIABLE, Checkpoint
from sidelight.engine.store import Entry, Store
from sidelight.registry.catalog import installed
from sidelight_specs.digests import digest_of
from sidelight_specs.errors import UserError
from sidelight_specs.roles import ROLES
from sidelight_specs.testing import ToyRun
from sidelight_specs.testing.kit import planned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight_specs.testing.case import Case

POLL = 0.002  # seconds between two looks at how far a child is


class StoredRun(ToyRun):
    """A run whose cache and checkpoints are the kernel's, in a folder; it notes at which step it is."""

    def __init__(self, folder: Path, component: str) -> None:
        super().__init__(component=component)
        self._store, self._note = Store(folder / "store"), folder / "steps"

    def progress(self, iterable: Iterable[Any], label: str, total: int | None = None) -> Iterator[Any]:
        """Pass items through, and note each before it is worked on."""
        with self._note.open("a", encoding="utf-8") as note:
            for item in super().progress(iterable, label, total):
                note.write(f"{item if isinstance(item, int) else '-'}\n")
                note.flush()
                yield item

    def cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """The artifact that the store keeps."""
        name = digest_of(key)
        if (entry := self._store.get(name)) is None:
            entry = Entry(component="toy/toy", step="cached", result=make())
            self._store.put(name, entry)
        return entry.result

    def checkpoint(self, key: Any) -> Any:
        """The kernel's checkpoint."""
        return Checkpoint(self._store, digest_of(key), "toy/toy", lambda text: print(text, file=sys.stderr))


def trainables() -> dict[str, Case]:
    """PLUGIN/COMPONENT to the kit's case, of every trainable component that is installed."""
    found: dict[str, Case] = {}
    for distribution in sorted({entry.distribution for entry in installed().entries(*ROLES)}):
        plugin = distribution.removeprefix("sidelight-")
        for case in {str(case.announced): case for case, _ in planned(distribution)}.values():
            if "trainable" in getattr(case.announced.descriptor, "provides", ()) and plugin != "zoo":
                found[f"{plugin}/{case.announced.name}"] = case
    return found


def born(case: Case, params: Any, folder: Path) -> int:
    """A child process that trains, and leaves the digest of what it learned."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            component = case.factory(params, run=StoredRun(folder, case.announced.name), **case.needs())
            component.fit(case.data())
            (folder / "digest").write_text(component.state().digest())
            code = 0
        finally:
            os._exit(code)
    return child


def ended_well(child: int) -> bool:
    """Wait for a child."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def undisturbed(case: Case, params: Any, folder: Path) -> tuple[str, int, float]:
    """Digest of what is learned, the number of items that passed through `progress`, and the seconds of one."""
    folder.mkdir()
    begun = time.monotonic()
    if not ended_well(born(case, params, folder)):
        raise SystemExit(f"{case.announced}: the undisturbed training failed")
    items = len((folder / "steps").read_text().split())
    return (folder / "digest").read_text(), items, (time.monotonic() - begun) / items


def killed(child: int, note: Path, items: int, delay: float) -> bool:
    """Kill the child once it has begun so many items, and some seconds later; False where it ended before."""
    while not note.exists() or len(note.read_text().split()) < items:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(POLL)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    return not ended_well(child)


def campaign(case: Case, kills: int, steps: int, rng: np.random.Generator, folder: Path) -> dict[str, Any]:
    """One component: undisturbed, then killed so many times."""
    params = attrs.evolve(case.params, steps=steps) if hasattr(case.params, "steps") else case.params
    os.environ[SECONDS_VARIABLE] = "1e9"
    expected, items, per_item = undisturbed(case, params, folder / "whole")
    os.environ[SECONDS_VARIABLE] = "0"
    broken = folder / "broken"
    broken.mkdir()
    note, killed_in, continued_with = broken / "steps", list[str](), list[str]()
    left = items
    for number in range(kills):
        # each within its own part of what is left, counted in items that the child itself begins
        most = max(1, left // (kills - number + 1))
        delay = float(rng.uniform(0, per_item))
        if killed(born(case, params, broken), note, int(rng.integers(1, most + 1)), delay):
            lines = note.read_text().split()
            killed_in.append(lines[-1])
            left = max(1, left - len(lines))
            continued_with += lines[:1] if number else []
            note.unlink()
    if not ended_well(born(case, params, broken)):
        raise SystemExit(f"{case.announced}: the continued training failed")
    continued_with += note.read_text().split()[:1] if note.exists() else ["-"]
    return {
        "items": items,
        "killed": killed_in,
        "continued": continued_with,
        "same": (broken / "digest").read_text() == expected,
    }


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40, help="of a training, where it has the option")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases, rng, rows = trainables(), np.random.default_rng(options.seed), dict[str, Any]()
    if unknown := set(options.only) - cases.keys():
        raise UserError(f"no trainable component is called {', '.join(sorted(unknown))}", f"name some of {list(cases)}")
    if not options.json:
        print("| component | items | killed in step | continued with step | same bits |\n|---|---|---|---|---|")
    for use in options.only or sorted(cases):
        with tempfile.TemporaryDirectory() as folder:
            rows[use] = row = campaign(cases[use], options.kills, options.steps, rng, Path(folder))
        if not options.json:
            killed, continued = ", ".join(row["killed"]), ", ".join(row["continued"])
            print(f"| `{use}` | {row['items']} | {killed} | {continued} | {'yes' if row['same'] else 'NO'} |")
            sys.stdout.flush()
    if options.json:
        print(json.dumps(rows))
    return 0 if all(row["same"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
