"""What happened during a run: by-products, warnings, and where the time went."""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

import attrs
from sidelight_specs import Artifact

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.define
class Record:
    """By-products and warnings of a stretch of work; kept with a store entry, so that a hit gives them back.

    Args:
        emitted: full name and artifact, in the order of their making.
        warnings: each text once.
    """

    emitted: list[tuple[str, Artifact]] = attrs.field(factory=list)
    warnings: list[str] = attrs.field(factory=list)

    def emit(self, name: str, artifact: Artifact) -> None:
        """Keep a by-product; the same one again is ignored, another of the same name gets a number."""
        taken = dict(self.emitted)
        free, number = name, 1
        while free in taken:
            if taken[free].digest() == artifact.digest():
                return
            number += 1
            free = f"{name}-{number}"
        self.emitted.append((free, artifact))

    def warn(self, text: str) -> None:
        """Keep a warning, once."""
        if text not in self.warnings:
            self.warnings.append(text)


@attrs.define
class Timing:
    """One step of the plan, as the manifest lists it.

    Args:
        step: its title.
        component: `PLUGIN/COMPONENT`.
        seconds: wall time.
        inside: of these, the time spent in the components' own code.
        made, found: how many store entries were made, and how many were there.
    """

    step: str
    component: str
    seconds: float = 0.0
    inside: float = 0.0
    made: int = 0
    found: int = 0


class Clock:
    """Wall time since it was made, and how much of it was spent inside components."""

    def __init__(self) -> None:
        self._start = perf_counter()
        self._inside = 0.0
        self._entered: float | None = None

    @property
    def total(self) -> float:
        """Seconds since the clock was made."""
        return perf_counter() - self._start

    @property
    def components(self) -> float:
        """Seconds inside components so far."""
        running = perf_counter() - self._entered if self._entered is not None else 0.0
        return self._inside + running

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Count the time within the context as a component's own; contexts may nest."""
        if self._entered is not None:
            yield
            return
        self._entered = perf_counter()
        try:
            yield
        finally:
            self._inside += perf_counter() - self._entered
            self._entered = None
