"""Progress of a run: bars with an estimate on a terminal, plain lines elsewhere, or nothing.

A display is an observer of the run like any plugin's. Beside the hooks, components' loops and warnings reach it
directly: a loop may have a million items.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, TextIO

from sidelight_specs import hookimpl
from sidelight_specs.wording import clean

from sidelight.engine.timings import human_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rich.console import Console
    from sidelight_specs.observers import StepFacts
    from sidelight_specs.stage import Watcher

LONG = 5.0  # seconds from which on it is said how long a step takes
PAUSE = 30.0  # seconds between two lines about a loop, where there is no terminal to draw a bar on, or about a wait
_WAIT = "waits-"  # prefix of the files in which workers say for whom they wait
# each thread that serves a visitor of a live page watches its own loops
_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Within the context, in this thread, loops tell `watcher` and are not shown."""
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def _title(step: StepFacts) -> str:
    return f"[{step.number}/{step.total}] {step.title}"


class Display:
    """One line when a step starts, one when it ends, and one now and then in a long loop; none without a stream."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self.expected: dict[str, float] = {}  # seconds of steps that earlier runs have timed, by title

    @hookimpl
    def sidelight_step_started(self, step: StepFacts) -> None:
        """Say `[2/9] explain explainers.cdeepex ...`, or `[2/9] explain explainers.cdeepex, about 12 s ...`."""
        self.say(f"{self._coming(step)} ...")

    def _coming(self, step: StepFacts) -> str:
        """The step's title, and how long it takes where that is known to be long."""
        seconds = self.expected.get(step.title, 0.0)
        return f"{_title(step)}, about {human_time(seconds)}" if seconds >= LONG else _title(step)

    @hookimpl
    def sidelight_step_finished(self, step: StepFacts, seconds: float, made: int, found: int, error: str) -> None:
        """Say `stored`, `done in 4.1 s`, or `done in 4.1 s (3 of 4 parts stored)`."""
        outcome = f"done in {seconds:.1f} s" if made or not found else "stored"
        if made and found:
            outcome += f" ({found} of {found + made} parts stored)"
        self.say(f"{_title(step)}: {'failed' if error else outcome}")
        if error:
            self.say(f"failed, and the run goes on: {error}")

    @contextmanager
    def loop(self, label: str, total: int | None) -> Iterator[Callable[[], None]]:
        """A loop inside a component; the function given is called after each item. A watcher may end it by raising."""
        watcher = _WATCHER.get()
        if watcher is None:
            with self.show_loop(label, total) as advance:
                yield advance
        else:
            watcher(label, 0, total)
            numbers = count(1)
            yield lambda: watcher(label, next(numbers), total)

    @contextmanager
    def show_loop(self, label: str, total: int | None) -> Iterator[Callable[[], None]]:
        """Every `PAUSE` seconds, how far the loop is: `training: 340 of 1500, about 2 min left`."""
        begun = written = self._clock()
        done = 0

        def advance() -> None:
            nonlocal done, written
            done, now = done + 1, self._clock()
            if now - written < PAUSE:
                return
            written, text = now, str(done)
            if total is not None:
                left = (now - begun) / done * max(0, total - done)
                text += f" of {total}, about {human_time(left)} left"
            self.say(f"      {label}: {text}")

        yield advance

    def say(self, text: str) -> None:
        """Write one line."""
        if self._stream is not None:
            print(clean(text), file=self._stream, flush=True)

    def tell_wait(self, text: str) -> None:
        """Say for whom a step waits, or has waited."""
        self.say(text)

    def close(self) -> None:
        """Leave the terminal as it was."""


class WorkerDisplay(Display):
    """Shows nothing, and leaves what a worker waits for in a file, which the run's process reads and shows.

    Args:
        folder: that both see.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / f"{_WAIT}{platform.node()}-{os.getpid()}-{threading.get_ident()}"

    def tell_wait(self, text: str) -> None:
        """Leave the text, in the place of the one before."""
        with suppress(OSError):  # the run has ended
            draft = self._path.with_name(f"draft-{self._path.name}")
            draft.write_text(f"worker {os.getpid()}: {text}", encoding="utf-8")
            draft.replace(self._path)


def waits_of_workers(folder: Path) -> Iterator[tuple[str, str]]:
    """Name of each worker that has waited for another process, and what it said last."""
    for path in sorted(folder.glob(f"{_WAIT}*")):
        with suppress(OSError):  # on its way
            yield path.name, path.read_text(encoding="utf-8")


class Bars(Display):
    """A line for every finished step, and live bars with the time left for the loops under way."""

    def __init__(self, console: Console | None = None) -> None:
        from rich import progress  # here, because a run without a terminal needs none of it
        from rich.console import Console

        super().__init__()
        columns = (
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
        )
        self._progress = progress.Progress(*columns, console=console or Console(stderr=True), transient=True)
        self._progress.start()

    @hookimpl
    def sidelight_step_started(self, step: StepFacts) -> None:
        """Show the step while it lasts, beside the bars of its loops."""
        self._step = self._progress.add_task(clean(self._coming(step)), total=None)

    @hookimpl
    def sidelight_step_finished(self, step: StepFacts, seconds: float, made: int, found: int, error: str) -> None:
        """Leave a line that says how it ended."""
        self._progress.remove_task(self._step)
        self._progress.refresh()  # else the line below would be followed by the bar as it was last drawn
        super().sidelight_step_finished(step, seconds, made, found, error)

    @contextmanager
    def show_loop(self, label: str, total: int | None) -> Iterator[Callable[[], None]]:
        """A bar for as long as the loop lasts."""
        task = self._progress.add_task(f"      {clean(label)}", total=total)
        try:
            yield lambda: self._progress.advance(task)
        finally:
            self._progress.remove_task(task)

    def say(self, text: str) -> None:
        """Write one line above the bars."""
        self._progress.console.print(clean(text), markup=False, highlight=False)

    def close(self) -> None:
        """Remove the bars."""
        self._progress.stop()


def choose_display(show: bool) -> Display:
    """Bars on a terminal, plain lines elsewhere, silence when not asked to show anything."""
    return Bars() if show and sys.stderr.isatty() else Display(sys.stderr if show else None)
