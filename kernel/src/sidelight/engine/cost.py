"""The cost of a recipe's run, estimated from a trial: the run itself for up to four images, with long loops cut short.

Components pass their long loops through `run.progress`, which knows how many items there are. A trial takes a few items
of a loop, ends it, and adds the time of those left out: training steps, search steps, samples. It is made for one, two
and four images, because a step has costs once and costs per image:

    t(N) = t(1) + (N - 1) (t(4) - t(2)) / 2                         t(1) also counts imports, which a run has too

Of three images t(3) - t(2) takes the place of the ratio, of two t(2) - t(1).

Only trained models are taken from the store, and nothing is put there. A search that stops early costs less than
estimated; a component that does not pass a loop through `run.progress`, or that cannot go on after a loop that was cut,
is told as costing at least what was seen. Memory of larger batches than four images is not in the estimate.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
from attrs import evolve
from sidelight_specs import SidelightError
from sidelight_specs.questions import choose_images

from sidelight.engine.machine import Cancellation, resolve_device
from sidelight.engine.plan import images_read, plan
from sidelight.engine.progress import Display
from sidelight.engine.session import Session
from sidelight.engine.steps import Steps
from sidelight.engine.store import Entry, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sidelight.engine.plan import Step
    from sidelight.recipe.model import Resolved

T = TypeVar("T")

COUNTS = (1, 2, 4)
"""Images of the trials."""
SHORT, LEAST = 4, 3
"""Loops of at most so many items are not cut; others after so many items and the seconds below, whichever is later."""
TRAINING, SEARCH = 0.5, 5.0
"""CPU seconds in a loop of a training, and in any other: searches may stop early by themselves, trainings do not."""


@attrs.frozen
class StepCost:
    """What a step is expected to cost.

    Args:
        title: of the step.
        seconds: wall time; of a model that the store holds, of reading it.
        is_least: it costs at least as much.
        why: what kept the estimate from being whole; empty otherwise.
    """

    title: str
    seconds: float
    is_least: bool = False
    why: str = ""


@attrs.frozen
class Cost:
    """What a run is expected to cost.

    Args:
        images: that are explained.
        steps: in their order.
        memory: bytes of this process at its peak, with the images and results of the whole run.
        disk: bytes that the cache and the run's folder grow by.
        device: that the trial ran on.
    """

    images: int
    steps: tuple[StepCost, ...]
    memory: int
    disk: int
    device: str


@attrs.define
class _Clock:
    """Time as if loops that were cut had gone on to their ends."""

    skipped: float = 0.0
    cut: int = 0  # loops that were cut
    unknown: int = 0  # of these, loops of unknown length
    enough: float = SEARCH

    def now(self) -> float:
        return perf_counter() + self.skipped

    def loop(self, items: Iterable[T], total: int | None) -> Iterator[T]:
        """A few of the items; the time of the others, by the mean of all but the first, is added to the clock."""
        begun, first_done, done = process_time(), 0.0, 0
        for item in items:
            yield item
            done += 1
            first_done = first_done or self.now()
            left = None if total is None else total - done
            if left == 0 or (total is not None and total <= SHORT):
                continue
            if done >= LEAST and process_time() - begun >= self.enough:
                self.cut += 1
                self.unknown += left is None
                self.skipped += (left or 0) * (self.now() - first_done) / (done - 1)
                return


class _TrialStore(Store):
    """Answers of one trial in a folder of its own; trained models in one that all trials share, or in the user's."""

    def __init__(self, own: Path, models: Store, users: Store) -> None:
        super().__init__(own)
        self._models, self._users = models, users

    def get(self, key: str, made_by: tuple[str, str] | None = None, export: Path | None = None) -> Entry | None:
        """The entry; a state of a component from either of the other two."""
        if made_by is not None and made_by[1] == "fit":
            return self._models.get(key, made_by) or self._users.get(key, made_by)
        return super().get(key, made_by, export)

    def put(self, key: str, entry: Entry, files: Path | None = None) -> None:
        """Keep an answer for this trial, a state for the others."""
        if entry.step == "fit":
            self._models.put(key, entry, files)
        else:
            super().put(key, entry, files)


class _TrialSession(Session):
    """A session whose long loops are cut short."""

    def __init__(self, clock: _Clock, *parts: Any) -> None:
        super().__init__(*parts)
        self.clock = clock

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """A few items."""
        del label
        self.cancellation.check()
        sized = getattr(iterable, "__len__", None)
        return self.clock.loop(iterable, total if total is not None or sized is None else sized())


@attrs.define
class _Trial:
    """Costs of every step for one number of images, and bytes that were written, without models."""

    count: int
    steps: dict[str, StepCost] = attrs.field(factory=dict)
    written: int = 0


def estimate(
    resolved: Resolved,
    device: str = "auto",
    say: Callable[[str], None] = lambda _: None,
    cancellation: Cancellation | None = None,
) -> Cost:
    """Estimate what a run costs on this machine, by a trial that takes some seconds to minutes.

    Args:
        resolved: the recipe.
        device: as for `sidelight.run`.
        say: told which trial is under way.
        cancellation: lets another thread ask to stop.

    Raises:
        UserError: the recipe, its data or the device cannot be used.
        SidelightError: data or classifier failed.
    """
    device, cancellation = resolve_device(device), cancellation or Cancellation()
    with tempfile.TemporaryDirectory(prefix="sidelight-cost-") as folder:
        root, trials, images = Path(folder), list[_Trial](), 1
        with closing(Store(root / "models")) as models, closing(Store()) as users:
            for most in COUNTS:
                count = min(most, images) if trials else most
                if trials and count == trials[-1].count:
                    break
                say(f"trial with {count} of {images} images" if trials else "trial with 1 image")
                own = root / str(count)
                own.mkdir()
                with closing(_TrialStore(own / "store", models, users)) as store:
                    made, images = _try(resolved, count, device, store, own / "run", cancellation)
                made.written = _size(own)
                trials.append(made)
        return _total(trials, images, device, _size(root / "models"))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _try(
    resolved: Resolved, count: int, device: str, store: Store, staging: Path, cancellation: Cancellation
) -> tuple[_Trial, int]:
    """One trial, and the number of images that the whole run explains."""
    staging.mkdir()
    small, clock, trial = _for_few_images(resolved, count), _Clock(), _Trial(count)
    with closing(_TrialSession(clock, small, store, device, Display(), cancellation)) as session:
        steps, broken = Steps(session, staging), dict[Any, str]()
        asked = {small.data, small.classifier}  # without these there is no question, and so no later step
        for step in plan(small):
            cancellation.check()
            needed = step.component.closure | asked
            lacking = [path for component, path in broken.items() if component in needed]
            if lacking:
                why = f"it needs {lacking[0]}, which could not be tried"
                trial.steps[step.title] = StepCost(step.title, 0.0, is_least=True, why=why)
            elif not _take(steps, step, trial, clock):
                broken[step.component] = step.component.path
        if not asked & broken.keys():
            for _ in steps.complete().save(staging):
                pass
        return trial, _images_asked(steps, resolved)


def _for_few_images(resolved: Resolved, count: int) -> Resolved:
    """The recipe for that many images; where answers choose them, for any, because choosing takes all of them.

    A question is asked about each, whatever it is predicted as: of so few the run might ask none.
    """
    explain: Any = resolved.explain
    few = evolve(explain, count=count, indices=explain.indices[:count], images=explain.images[:count])
    target = "auto" if explain.targets or explain.target == "expected" else explain.target
    return evolve(resolved, explain=evolve(few, choose="first", target=target, targets={}, if_predicted="ask"))


def _take(steps: Steps, step: Step, trial: _Trial, clock: _Clock) -> bool:
    """Take a step of the trial; False where it did not come to its end."""
    session, begun, cut, unknown, why = steps.session, clock.now(), clock.cut, clock.unknown, ""
    session.doing, clock.enough = step, TRAINING if step.verb == "fit" else SEARCH
    try:
        getattr(steps, step.verb)(step.component)
    except SidelightError as error:
        if step.component in (session.resolved.data, session.resolved.classifier) and clock.cut == cut:
            raise
        why = "it cannot go on after a loop that was cut short" if clock.cut > cut else str(error)
    is_least = bool(why) or clock.unknown > unknown
    trial.steps[step.title] = StepCost(step.title, clock.now() - begun, is_least, why)
    return not why


def _images_asked(steps: Steps, resolved: Resolved) -> int:
    """How many images the run explains; where answers choose them, at most."""
    explain, wanted = resolved.explain, images_read(resolved.explain)
    names = {name: wanted[name] for name in ("split", "indices", "labels")}
    rows = choose_images(steps.split_of(resolved.data), **names, names=wanted["images"])
    most = None if explain.indices or explain.images else explain.count
    return max(1, len(rows) if most is None else min(len(rows), most))


def _total(trials: list[_Trial], images: int, device: str, models: int) -> Cost:
    """t(N) of every step, and bytes by the same rule."""
    first, last = trials[0], trials[-1]
    before = trials[-2] if len(trials) > 1 else _Trial(0)

    def at(values: Callable[[_Trial], float]) -> float:
        slope = max(0.0, (values(last) - values(before)) / (last.count - before.count))
        return values(first) + slope * (images - 1)

    steps = []
    for title, one in first.steps.items():
        tried = [trial.steps[title] for trial in trials]
        seconds = one.seconds
        if not title.startswith("fit ") and len(trials) > 1:
            seconds = at(lambda trial, title=title: trial.steps[title].seconds if title in trial.steps else 0.0)  # type: ignore[misc]
        why = next((each.why for each in tried if each.why), "")
        steps.append(StepCost(title, seconds, any(each.is_least for each in tried), why))
    written = at(lambda trial: float(trial.written))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    # results of all images are in memory until the run ends, and are written twice: to the cache and to the folder
    grown = max(0.0, written - last.written) / 2
    return Cost(images, tuple(steps), int(peak + grown), int(written) + models, device)
