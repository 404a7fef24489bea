"""The cost of a recipe's run, estimated from a trial: the run itself for up to four images, with long loops cut short.

Components pass their long loops through `run.progress`, which knows how many items there are. A trial takes a few items
of a loop, ends it, and adds the time of those left out: training steps, search steps, samples. It is made for one, two
and four images, because a step has costs once and costs per image:

    t(N) = t(1) + (N - 1) s       s = max((t(4) - t(2)) / 2, (t(4) - t(1)) / 3)

t(1) also counts imports, which a run has too; they would make the second slope alone too small. Attribute finders take
that for each class that is asked about; of those that draw samples, N counts the classes.

A loop that its component leaves before the last item is a search with a stopping rule. Where the first trial sees it
end, later ones that are cut go as far as it did; all its items give the most that it may take. Where its end is not
seen in `PATIENCE` seconds, it costs at least what was seen, and at most all of its items. Loops that cannot be left
early, because nothing in them breaks or returns, are cut sooner and are expected to take all items.

Only trained models are taken from the store, and nothing is put there but the times, which a run says before it begins.
A component that does not pass a loop through `run.progress`, or that cannot go on after a loop that was cut, is told as
costing at least what was seen. Memory of larger batches than four images is not in the estimate.
"""

from __future__ import annotations

import ast
import linecache
import resource
import sys
import tempfile
from collections import defaultdict
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import attrs
import numpy as np
from attrs import evolve
from sidelight_specs import SidelightError
from sidelight_specs.facts import QUESTIONS
from sidelight_specs.questions import choose_images, pose_questions
from sidelight_specs.results import Split, expected_classes

from sidelight.engine.machine import Cancellation, as_images, resolve_device
from sidelight.engine.plan import images_read, plan
from sidelight.engine.progress import Display
from sidelight.engine.questions import class_answers
from sidelight.engine.session import Record, Session
from sidelight.engine.steps import AT_ONCE, Steps
from sidelight.engine.store import Entry, Store
from sidelight.engine.timings import Timings
from sidelight.recipe.model import ResolvedComponent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from sidelight.engine.plan import Step
    from sidelight.recipe.model import Resolved

T = TypeVar("T")

COUNTS = (1, 2, 4)
"""Images of the trials."""
SHORT, LEAST = 4, 3
"""Loops of at most so many items are not cut; others after so many items and the seconds below, whichever is later."""
TRAINING, SEARCH = 0.5, 5.0
"""CPU seconds in a loop of a training, and in any other."""
PATIENCE = 20.0
"""CPU seconds in which the first trial waits for a search to stop by itself."""
TRIALS = 60.0
"""CPU seconds of the trials with one and two images after which there is none with four."""
POSING = 5.0
"""CPU seconds in which the run's own questions are posed, to count their classes."""


@attrs.frozen
class StepCost:
    """What a step is expected to cost.

    Args:
        title: of the step.
        seconds: wall time; of a model that the store holds, of reading it.
        most: the same where its searches do not stop early.
        is_least: it costs at least as much.
        is_stored: it is a model that the store holds.
        why: what kept the estimate from being whole; empty otherwise.
    """

    title: str
    seconds: float
    most: float
    is_least: bool = False
    why: str = ""
    is_stored: bool = False


@attrs.frozen
class Cost:
    """What a run is expected to cost.

    Args:
        images: that are explained.
        steps: in their order.
        memory: bytes of this process at its peak, with the images and results of a whole shard.
        disk: bytes that the cache and the run's folder grow by.
        device: that the trial ran on.
    """

    images: int
    steps: tuple[StepCost, ...]
    memory: int
    disk: int
    device: str


class _Loop(NamedTuple):
    """A loop in source code: the lines of what it runs over, and whether it may be left before its last item."""

    first: int
    last: int
    may_stop: bool


@cache
def _loops_in(path: str) -> tuple[_Loop, ...]:
    """The loops of a file of Python; none where it cannot be read."""
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except SyntaxError:
        return ()
    loops = []
    for node in ast.walk(tree):
        if isinstance(node, ast.For):
            loops.append(_Loop(node.iter.lineno, node.iter.end_lineno or 0, _leaves(node.body)))
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            lazy = isinstance(node, ast.GeneratorExp)  # whoever takes its items may stop
            loops += [_Loop(part.iter.lineno, part.iter.end_lineno or 0, lazy) for part in node.generators]
        elif isinstance(node, ast.YieldFrom):
            loops.append(_Loop(node.value.lineno, node.value.end_lineno or 0, True))
    return tuple(loops)


def _leaves(body: list[ast.stmt], outermost: bool = True) -> bool:
    """True if a loop's body has a `break` of this loop, a `return`, or a `yield` after which nothing may follow."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, ast.Return) or (outermost and isinstance(node, ast.Break)):
            return True
        if any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in ast.iter_child_nodes(node)):
            return True
        inner = outermost and not isinstance(node, (ast.For, ast.While))
        blocks = [value for _, value in ast.iter_fields(node) if isinstance(value, list)]
        statements = [[part for part in block if isinstance(part, ast.AST)] for block in blocks]
        if any(_leaves(block, inner) for block in statements):  # type: ignore[arg-type]
            return True
    return False


def _loop_over(caller: FrameType | None) -> tuple[bool, bool]:
    """Whether the code that takes an iterator's next item is a loop over it, and whether it may leave it early.

    Where there is no source it is taken for one that may. An iterator that is fed to a function (`islice`, `next`) only
    counts the work, which does not end with it.
    """
    if caller is None or not (loops := _loops_in(caller.f_code.co_filename)):
        return True, True
    over = [loop for loop in loops if loop.first <= caller.f_lineno <= loop.last]
    return bool(over), any(loop.may_stop for loop in over)


@attrs.define
class _Endings:
    """Items that searches took before they stopped by themselves, by component and label."""

    _seen: defaultdict[tuple[str, str], list[tuple[int, int]]] = attrs.field(factory=lambda: defaultdict(list))
    _given_up: set[tuple[str, str]] = attrs.field(factory=set)

    def add(self, loop: tuple[str, str], done: int, total: int) -> None:
        """A search that stopped after `done` of its items, or took all."""
        self._seen[loop].append((done, total))

    def ratio(self, loop: tuple[str, str]) -> float | None:
        """The ratio of items that such searches take, on the mean; None where none was seen to end."""
        done, total = np.sum(self._seen[loop], axis=0) if self._seen[loop] else (0, 0)
        return float(done / total) if total else None

    def is_worth_waiting(self, loop: tuple[str, str]) -> bool:
        """True until a search was seen to end, or was not waited for any longer."""
        return not self._seen[loop] and loop not in self._given_up

    def give_up(self, loop: tuple[str, str]) -> None:
        """Wait for no more ends."""
        self._given_up.add(loop)


@attrs.define
class _Clock:
    """Time as if loops that were cut had gone on: as far as is expected, and to their last items, (2,) seconds."""

    endings: _Endings = attrs.field(factory=_Endings)
    skipped: np.ndarray = attrs.field(factory=lambda: np.zeros(2))
    cut: int = 0  # loops that were cut
    unknown: int = 0  # of these, loops of unknown length, and searches that nobody saw end
    is_training: bool = False
    component: str = ""  # at work

    def now(self) -> np.ndarray:
        return perf_counter() + self.skipped

    def loop(self, items: Iterable[T], total: int | None, label: str) -> Iterator[T]:
        """A few of the items; the time of the others, by the mean of all but the first, is added to the clock."""
        name, begun, now = (self.component, label), process_time(), self.now()
        first_done, done, can_cut, may_stop = now, 0, True, False
        try:
            for item in items:
                yield item
                if not done:
                    is_loop, may_stop = _loop_over(sys._getframe(1))
                    can_cut = is_loop or self.is_training  # a training is never tried in full
                    first_done = self.now()
                done += 1
                left = None if total is None else total - done
                if not can_cut or left == 0 or (total is not None and total <= SHORT):
                    continue
                if done >= LEAST and self._is_enough(process_time() - begun, name, may_stop):
                    self._skip(name, done, total, (self.now() - first_done) / (done - 1), may_stop)
                    return
        except GeneratorExit:  # its component leaves the loop
            done += 1
            if total is not None and done < total:
                self.endings.add(name, done, total)
                each = (self.now() - first_done) / (done - 1) if done > 1 else self.now() - now
                self.skipped = self.skipped + (total - done) * each * (0, 1)
            raise
        if may_stop and total:
            self.endings.add(name, done, total)

    def _is_enough(self, spent: float, name: tuple[str, str], may_stop: bool) -> bool:
        if self.is_training:
            return spent >= TRAINING
        return spent >= (PATIENCE if may_stop and self.endings.is_worth_waiting(name) else SEARCH)

    def _skip(self, name: tuple[str, str], done: int, total: int | None, each: np.ndarray, may_stop: bool) -> None:
        """Cut a loop: count the time of the items left out, each (2,) seconds."""
        expected, most = total, total
        if may_stop and not self.is_training and total is not None:
            self.endings.give_up(name)
            ratio = self.endings.ratio(name)
            expected = done if ratio is None else round(ratio * total)
            self.unknown += ratio is None
        self.cut += 1
        self.unknown += total is None
        self.skipped = self.skipped + [max(0, end - done) if end else 0 for end in (expected, most)] * each


class _TrialStore(Store):
    """Answers of one trial in a folder of its own; trained models in one that all trials share, or in the user's."""

    def __init__(self, own: Path, models: Store, users: Store) -> None:
        super().__init__(own)
        self._models, self._users = models, users

    def get(
        self, key: str, made_by: tuple[str, str] | None = None, export: Path | None = None, *, mapped: bool = False
    ) -> Entry | None:
        """The entry; a state of a component from either of the other two."""
        if made_by is not None and made_by[1] == "fit":
            return self._models.get(key, made_by) or self._users.get(key, made_by)
        return super().get(key, made_by, export, mapped=mapped)

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

    def go_on_with(self, data: dict[ResolvedComponent, Any]) -> None:
        """Take data as the first trial has built it, and used it."""
        self._alive.update(data)
        self._built.update((component, Record()) for component in data)

    def built_data(self) -> dict[ResolvedComponent, Any]:
        """The data, but those that need other components."""
        return {one: alive for one, alive in self._alive.items() if one.role == "data" and not one.needs}

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """A few items."""
        self.cancellation.check()
        sized = getattr(iterable, "__len__", None)
        return self.clock.loop(iterable, total if total is not None or sized is None else sized(), label)


@attrs.define(eq=False)
class _TrialSteps(Steps):
    """Steps that list a split once for all trials."""

    splits: dict[ResolvedComponent, Split] = attrs.field(factory=dict, kw_only=True)

    def split_of(self, component: ResolvedComponent) -> Split:
        """The split that the explained images come from."""
        if component not in self.splits:
            self.splits[component] = super().split_of(component)
        return self.splits[component]


@attrs.define(eq=False)
class _Shared:
    """What all trials share: data list and draw their images once, as in a run.

    Args:
        clock: of all trials.
        splits: that the explained images come from.
    """

    clock: _Clock = attrs.field(factory=_Clock)
    splits: dict[ResolvedComponent, Split] = attrs.field(factory=dict)
    _first: _TrialSession | None = None

    @contextmanager
    def session(
        self, resolved: Resolved, store: Store, device: str, cancellation: Cancellation
    ) -> Iterator[_TrialSession]:
        """The session of a trial; that of the first one stays open, because the data belong to it."""
        session = _TrialSession(self.clock, resolved, store, device, Display(), cancellation)
        try:
            if self._first is not None:
                session.go_on_with(self._first.built_data())
            yield session
        finally:
            if self._first is None:
                self._first = session
                session.keep_only(session.built_data().keys())
            else:
                session.close()

    def close(self) -> None:
        """Let go of the data."""
        if self._first is not None:
            self._first.close()


@attrs.define
class _Trial:
    """Costs of every step for some images.

    Args:
        count: of images.
        steps: by title.
        written: bytes, without models.
        classes: number of classes asked about; 0 where no question was posed.
    """

    count: int
    steps: dict[str, StepCost] = attrs.field(factory=dict)
    written: int = 0
    classes: int = 0


class _Asked(NamedTuple):
    """Images of the whole run, and classes asked about: as expected, and at most."""

    images: int
    classes: int
    most_classes: int


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
        root, trials, begun, asked = Path(folder), list[_Trial](), process_time(), _Asked(1, 1, 1)
        with (
            closing(Store(root / "models")) as models,
            closing(Store()) as users,
            closing(_Shared()) as shared,
        ):
            for most in COUNTS:
                count = min(most, asked.images) if trials else most
                if trials and count == trials[-1].count:
                    break
                if len(trials) > 1 and process_time() - begun >= TRIALS:
                    break
                say(f"trial with {count} of {asked.images} images" if trials else "trial with 1 image")
                own = root / str(count)
                own.mkdir()
                with closing(_TrialStore(own / "store", models, users)) as store:
                    trial, known = _try(resolved, count, device, store, own / "run", cancellation, shared)
                asked = known if not trials or known.classes else asked
                trial.written = _size(own)
                trials.append(trial)
            cost = _total(trials, resolved, asked, device, _size(root / "models"))
            timed = {step.title: step.seconds for step in cost.steps if not (step.is_least or step.is_stored)}
            Timings(users.root, resolved, device.split(":")[0]).keep(timed, cost.images)
        return cost


def _size(folder: Path) -> int:
    """Bytes below a folder, but for a run's results, which are links to the store."""
    results = folder / "run" / "results"
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(results))
    return sum(path.stat().st_size for path in files)


def _try(
    resolved: Resolved,
    count: int,
    device: str,
    store: Store,
    staging: Path,
    cancellation: Cancellation,
    shared: _Shared,
) -> tuple[_Trial, _Asked]:
    """One trial, and what the whole run asks about."""
    staging.mkdir()
    small, clock, trial = _for_few_images(resolved, count), shared.clock, _Trial(count)
    with shared.session(small, store, device, cancellation) as session:
        steps, broken = _TrialSteps(session, staging, splits=shared.splits), dict[Any, str]()
        needed_by_all = {small.data, small.classifier}  # without these there is no question, and so no later step
        for step in plan(small):
            cancellation.check()
            needed = step.component.closure | needed_by_all
            lacking = [path for component, path in broken.items() if component in needed]
            if lacking:
                why = f"it needs {lacking[0]}, which could not be tried"
                trial.steps[step.title] = StepCost(step.title, 0.0, 0.0, is_least=True, why=why)
            elif not _take(steps, step, trial, clock):
                broken[step.component] = step.component.path
            elif step.verb == "measure" and broken:  # perhaps of what the broken ones would have given
                why = f"without {', '.join(broken.values())}, which could not be tried"
                trial.steps[step.title] = evolve(trial.steps[step.title], is_least=True, why=why)
        is_posed = not needed_by_all & broken.keys()
        if is_posed:
            trial.classes = len(np.unique(steps.results.targets.probe))
            for _ in steps.complete().save(staging):
                pass
        return trial, _asked(steps, resolved, is_posed=is_posed and bool(resolved.of_role("attribute_finder")))


def _for_few_images(resolved: Resolved, count: int) -> Resolved:
    """The recipe for that many images; where answers choose them, for any, because choosing takes all of them.

    A question is asked about each, whatever it is predicted as: of so few the run might ask none. What a recipe names
    (`targets`) is asked once of a misclassified image, as the second most likely class is; `expected` is asked twice.
    """
    explain: Any = resolved.explain
    few = evolve(explain, count=count, indices=explain.indices[:count], images=explain.images[:count])
    target = "second" if explain.targets else "auto" if explain.target == "expected" else explain.target
    return evolve(resolved, explain=evolve(few, choose="first", target=target, targets={}, if_predicted="ask"))


def _take(steps: Steps, step: Step, trial: _Trial, clock: _Clock) -> bool:
    """Take a step of the trial; False where it did not come to its end."""
    session, begun, cut, unknown, why = steps.session, clock.now(), clock.cut, clock.unknown, ""
    found = session.found
    session.doing, clock.is_training, clock.component = step, step.verb == "fit", step.component.path
    try:
        getattr(steps, step.verb)(step.component)
    except SidelightError as error:
        if step.component in (session.resolved.data, session.resolved.classifier) and clock.cut == cut:
            raise
        why = "it cannot go on after a loop that was cut short" if clock.cut > cut else str(error)
    is_least = bool(why) or clock.unknown > unknown
    seconds, most = (clock.now() - begun).tolist()
    is_stored = step.verb == "fit" and session.found > found
    trial.steps[step.title] = StepCost(step.title, seconds, most, is_least, why, is_stored)
    return not why


def _asked(steps: Steps, resolved: Resolved, *, is_posed: bool) -> _Asked:
    """How many images the run explains, at most where answers choose them; with `is_posed`, classes asked about."""
    explain, wanted = resolved.explain, images_read(resolved.explain)
    names = {name: wanted[name] for name in ("split", "indices", "labels")}
    split = steps.split_of(resolved.data)
    rows = choose_images(split, **names, names=wanted["images"])
    count = None if explain.indices or explain.images else explain.count
    rows = rows[: max(1, len(rows) if count is None else min(len(rows), count))]
    if not is_posed:
        return _Asked(len(rows), 0, 0)
    columns = max(1, steps.classes)
    if explain.targets:
        most = len(set(explain.targets.values()))
    elif explain.target == "all":
        most = columns
    else:
        most = min(len(rows), columns) if explain.target in QUESTIONS else 1
    return _Asked(len(rows), _classes_asked(steps, resolved, split, rows) or most, most)


def _classes_asked(steps: Steps, resolved: Resolved, split: Split, rows: np.ndarray) -> int:
    """Number of classes that the run's questions are about; 0 where posing them takes too long, or fails."""
    session, explain, begun, logits = steps.session, resolved.explain, process_time(), list[np.ndarray]()
    kept, classifier = list[int](), session.get(resolved.classifier)
    try:
        for start in range(0, len(rows), AT_ONCE):
            if process_time() - begun > POSING:
                return 0
            some, part = split.read_rows(rows[start : start + AT_ONCE].tolist())
            kept += some
            logits.append(class_answers(classifier, as_images(part.images, session.device)).logits)
        _, targets = pose_questions(
            np.concatenate(logits),
            classifier.task,
            target=explain.target,
            targets=explain.targets,
            class_names=tuple(classifier.class_names),
            expected=expected_classes(split.take(kept), tuple(classifier.class_names)),
            warn=lambda _: None,
            if_predicted=explain.if_predicted,
        )
    except SidelightError:  # the run will say it
        return 0
    return len(np.unique(targets.probe))


def _total(trials: list[_Trial], resolved: Resolved, asked: _Asked, device: str, models: int) -> Cost:
    """t(N) of every step, and bytes by the same rule."""
    first, last, images = trials[0], trials[-1], asked.images

    def at(value: Callable[[_Trial], float], whole: int, work: Callable[[_Trial], int]) -> float:
        """A value for the `whole` work, from trials with less of it."""
        if whole <= work(first):
            return value(first)
        apart = [trial for trial in trials[:-1] if work(trial) < work(last)]
        if not apart:
            return value(first) * whole / max(1, work(first))
        slope = max((value(last) - value(trial)) / (work(last) - work(trial)) for trial in apart)
        return value(first) + max(0.0, slope) * (whole - work(first))

    finders = {f"find {one.path}": "samples" in one.provides for one in resolved.of_role("attribute_finder")}

    def expected(title: str, classes: int, value: Callable[[StepCost], float]) -> float:
        """Seconds of a step in the whole run, from those of the trials."""
        if title.startswith("fit "):
            return value(first.steps[title])
        if finders.get(title):  # samples, as many in a trial as in the run, for each class
            return at(lambda trial: value(trial.steps[title]), classes, lambda trial: trial.classes)
        if title in finders:  # images for each class
            each = at(
                lambda trial: value(trial.steps[title]) / max(1, trial.classes), images, lambda trial: trial.count
            )
            return each * classes
        return at(lambda trial: value(trial.steps[title]), images, lambda trial: trial.count)

    steps = []
    for title in first.steps:
        tried = [trial.steps[title] for trial in trials]
        seconds = expected(title, asked.classes, lambda step: step.seconds)
        most = expected(title, asked.most_classes, lambda step: step.most)
        why = next((each.why for each in tried if each.why), "")
        is_least, is_stored = any(each.is_least for each in tried), first.steps[title].is_stored
        steps.append(StepCost(title, seconds, max(seconds, most), is_least, why, is_stored))
    written = at(lambda trial: float(trial.written), images, lambda trial: trial.count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    # a shard of the results is in memory, as it is computed and as it is read: of at most so many images
    shard = min(resolved.explain.shard, images)
    grown = 2 * max(0.0, written - first.written) / max(1, images - 1) * max(0, shard - last.count)
    return Cost(images, tuple(steps), int(peak + grown), int(written) + models, device)
