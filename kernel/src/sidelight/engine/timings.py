"""Times that steps took in earlier runs and trials on this machine, for what a run says before it begins.

They are kept in one small file of the cache, by what the time depends on: the step, its component with parameters and
needs, the explained data, the kind of device, the threads and the options of the arithmetic. Neither the code nor the
seed counts, so that times outlive the results that a change of either makes anew.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import hookimpl
from sidelight_specs.digests import digest_of
from sidelight_specs.files import read_object

from sidelight.engine.machine import arithmetic_in_force, thread_count
from sidelight.engine.plan import plan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sidelight_specs.observers import StepFacts

    from sidelight.recipe.model import Resolved, ResolvedComponent

_FILE = "times.json"
_MOST = 2000  # entries; the oldest go first
_OF_A_SPLIT = ("fit ", "choose ", "survey ")  # steps that take the same for any number of explained images
_MINUTE, _HOUR = 60, 3600


class Timings:
    """Seconds of steps, and the number of images that they were for."""

    def __init__(self, root: Path, resolved: Resolved, device_kind: str) -> None:
        self._path, self._resolved, self._device = root / _FILE, resolved, device_kind
        self._keys = {step.title: self._key(step.verb, step.component) for step in plan(resolved)}

    def expected(self) -> dict[str, float]:
        """Titles of steps to the seconds that they are likely to take; steps that were never timed are absent.

        But for trainings and surveys of a split, seconds are scaled to the number of images, where both are known.
        """
        known, images, seconds = self._read(), _images(self._resolved), dict[str, float]()
        for title, key in self._keys.items():
            if key not in known:
                continue
            spent, count = known[key]
            is_scaled = images is not None and not title.startswith(_OF_A_SPLIT)
            seconds[title] = spent * images / count if is_scaled else spent  # type: ignore[operator]
        return seconds

    def keep(self, seconds: Mapping[str, float], images: int) -> None:
        """Keep the seconds of steps by their titles, for so many images; nothing where the cache is read-only."""
        if not seconds:
            return
        known = self._read()
        for title, spent in seconds.items():
            known.pop(self._keys[title], None)  # so that it comes last
            known[self._keys[title]] = spent, images
        rows = {key: list(known[key]) for key in list(known)[-_MOST:]}
        draft = self._path.with_name(f"{_FILE}.{token_hex(6)}")
        with suppress(OSError):
            draft.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(rows), encoding="utf-8")
            draft.replace(self._path)  # of two processes the last one wins

    def _read(self) -> dict[str, tuple[float, int]]:
        known = dict[str, tuple[float, int]]()
        with suppress(
            OSError, ValueError, TypeError, OverflowError
        ):  # none yet, or damaged: there is nothing to say then
            for key, (spent, count) in read_object(self._path).items():
                if math.isfinite(spent) and spent >= 0 and isinstance(count, int) and count > 0:
                    known[key] = float(spent), count
        return known

    def _key(self, verb: str, component: ResolvedComponent) -> str:
        facts = {
            "step": verb,
            "component": _configuration(component),
            "data": _configuration(self._resolved.data),
            "device": self._device,
            "threads": thread_count(),
            **({"arithmetic": arithmetic_in_force()} if arithmetic_in_force() else {}),
        }
        return digest_of(facts)


def forget(root: Path) -> None:
    """Remove all times from a cache."""
    with suppress(OSError):
        (root / _FILE).unlink()


class Stopwatch:
    """Observer that notes the seconds of the steps of which nothing was stored."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @hookimpl
    def sidelight_step_finished(self, step: StepFacts, seconds: float, made: int, found: int, error: str) -> None:
        """Note a step that was computed in full."""
        if made and not found and not error:
            self.seconds[step.title] = seconds


def _configuration(component: ResolvedComponent) -> dict[str, Any]:
    """A component with its parameters, and those of all it needs."""
    data = component.trained_on
    return {
        "use": component.use,
        "params": attrs.asdict(component.params),
        "needs": {slot: need and _configuration(need) for slot, need in component.needs.items()},
        "trained_on": _configuration(data) if data is not None and data not in component.needs.values() else None,
    }


def _images(resolved: Resolved) -> int | None:
    """The number of images that are explained; None where only a run can tell."""
    explain, size = resolved.explain, (resolved.facts.splits or {}).get(str(resolved.explain.split))
    named = len(explain.indices) or len(explain.images)
    if named or explain.count is None:
        return named or size
    return explain.count if size is None else min(explain.count, size)


def human_time(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min`, `2.5 h`."""
    if seconds < 1.5 * _MINUTE:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 1.5 * _HOUR else f"{seconds / _HOUR:.1f} h"
