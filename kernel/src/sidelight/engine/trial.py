"""A trial of a recipe: the run itself for a few images, with long loops cut short (`cut_loops`).

Only trained models are taken from the store, and nothing is put there. A component that does not pass a loop through
`run.progress`, or that cannot go on after a loop that was cut, is told as costing at least what was seen.
"""

from __future__ import annotations

from contextlib import contextmanager
from time import process_time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import attrs
import numpy as np
from attrs import evolve
from sidelight_specs import SidelightError
from sidelight_specs.facts import QUESTIONS
from sidelight_specs.questions import choose_images, pose_questions
from sidelight_specs.results import Split, expected_classes

from sidelight.engine.cut_loops import Clock
from sidelight.engine.machine import Cancellation, as_images
from sidelight.engine.plan import images_read, plan, surveyed
from sidelight.engine.progress import Display
from sidelight.engine.questions import class_answers
from sidelight.engine.session import Record, Session
from sidelight.engine.steps import Steps
from sidelight.engine.store import Entry, Store
from sidelight.recipe.model import ResolvedComponent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sidelight.engine.plan import Step
    from sidelight.recipe.model import Resolved

T = TypeVar("T")

AT_ONCE = 16  # images that are read and predicted at a time, before the clock is looked at
POSING = 5.0
"""CPU seconds in which the run's own questions are posed, to count their classes."""


class TrialStore(Store):
    """Answers of one trial in a folder of its own; trained models in one that all trials share, or in the user's."""

    def __init__(self, own: Path, models: Store, users: Store, clock: Clock) -> None:
        super().__init__(own)
        self._models, self._users, self._clock = models, users, clock
        self.apart = 0  # bytes of what the clock counts apart

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
            if self._clock.is_apart:
                self.apart += sum(path.stat().st_size for path in self._folder(key).rglob("*") if path.is_file())


class _TrialSession(Session):
    """A session whose long loops are cut short."""

    def __init__(self, clock: Clock, *parts: Any) -> None:
        super().__init__(*parts)
        self.clock = clock

    def go_on_with(self, data: dict[ResolvedComponent, Any]) -> None:
        """Take data as the first trial has built it, and used it."""
        self._alive.update(data)
        self._built.update((component, Record()) for component in data)

    def built_data(self) -> dict[ResolvedComponent, Any]:
        """The data, but those that need other components."""
        return {one: alive for one, alive in self._alive.items() if one.role == "data" and not one.needs}

    def keep(self, step: Step, inputs: dict[str, Any], make: Callable[[], Any], *rest: Any, **options: Any) -> Any:
        """As ever; what a component makes for itself, and about no image, is counted apart."""
        if step.verb != "cached" or not _is_plain(inputs["key"]):
            return super().keep(step, inputs, make, *rest, **options)

        def noted() -> Any:
            note()
            return make()

        with self.clock.counted_apart() as note:
            return super().keep(step, inputs, noted, *rest, **options)

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """A few items."""
        self.cancellation.check()
        sized = getattr(iterable, "__len__", None)
        return self.clock.loop(iterable, total if total is not None or sized is None else sized(), label)


def _is_plain(value: Any) -> bool:
    """True for a nested value without arrays, tensors and artifacts."""
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return value is None or isinstance(value, (bool, int, float, str, bytes))


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
class Shared:
    """State that all trials share: data list and draw their images once, as in a run.

    Args:
        clock: of all trials.
        splits: that the explained images come from.
    """

    clock: Clock = attrs.field(factory=Clock)
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


@attrs.frozen
class Tried:
    """Cost of a step in a trial.

    Args:
        seconds: wall time.
        most: the same where its searches do not stop early.
        is_least: it costs at least as much.
        why: what kept it from its end; empty otherwise.
        is_stored: it is a model that the store holds.
        apart: those of `seconds` and `most` that went into what is about no image.
        stretches: so many times.
    """

    seconds: float = 0.0
    most: float = 0.0
    is_least: bool = False
    why: str = ""
    is_stored: bool = False
    apart: tuple[float, float] = (0.0, 0.0)
    stretches: int = 0


@attrs.define
class Trial:
    """Costs of every step for some images.

    Args:
        count: of images.
        steps: by title.
        written: bytes, without models and what is about no image.
        apart: bytes of the latter.
        classes: number of classes asked about; 0 where no question was posed.
    """

    count: int
    steps: dict[str, Tried] = attrs.field(factory=dict)
    written: int = 0
    apart: int = 0
    classes: int = 0

    @property
    def stretches(self) -> int:
        """Number of things made that are about no image."""
        return sum(step.stretches for step in self.steps.values())


class Asked(NamedTuple):
    """Images of the whole run, classes asked about, as expected and at most, and images that are surveyed."""

    images: int
    classes: int
    most_classes: int
    surveyed: int = 0


def try_images(
    resolved: Resolved,
    count: int,
    device: str,
    store: Store,
    staging: Path,
    cancellation: Cancellation,
    shared: Shared,
) -> tuple[Trial, Asked]:
    """One trial, and what the whole run asks about."""
    staging.mkdir()
    small, clock, trial = _for_few_images(resolved, count), shared.clock, Trial(count)
    with shared.session(small, store, device, cancellation) as session:
        steps, broken = _TrialSteps(session, staging, splits=shared.splits), dict[Any, str]()
        needed_by_all = {small.data, small.classifier}  # without these there is no question, and so no later step
        for step in plan(small):
            if step.verb == "survey":  # of the split, not of these images: it is told from their predictions
                continue
            cancellation.check()
            needed = step.component.closure | needed_by_all
            lacking = [path for component, path in broken.items() if component in needed]
            if lacking:
                why = f"it needs {lacking[0]}, which could not be tried"
                trial.steps[step.title] = Tried(is_least=True, why=why)
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
        counts_classes = resolved.of_role("attribute_finder") or any(one.stretches for one in trial.steps.values())
        return trial, _asked(steps, resolved, is_posed=is_posed and bool(counts_classes))


def _for_few_images(resolved: Resolved, count: int) -> Resolved:
    """The recipe for that many images; where answers choose them, for any, because choosing takes all of them.

    A question is asked about each, whatever it is predicted as: of so few the run might ask none. What a recipe names
    (`targets`) is asked once of a misclassified image, as the second most likely class is; `expected` is asked twice.
    """
    explain: Any = resolved.explain
    few = evolve(explain, count=count, indices=explain.indices[:count], images=explain.images[:count])
    target = "second" if explain.targets else "auto" if explain.target == "expected" else explain.target
    return evolve(resolved, explain=evolve(few, choose="first", target=target, targets={}, if_predicted="ask"))


def _take(steps: Steps, step: Step, trial: Trial, clock: Clock) -> bool:
    """Take a step of the trial; False where it did not come to its end."""
    session, begun, cut, unknown, why = steps.session, clock.now(), clock.cut, clock.unknown, ""
    found, apart, stretches = session.found, clock.apart, clock.stretches
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
    of_no_image = tuple((clock.apart - apart).tolist())
    trial.steps[step.title] = Tried(
        seconds,
        most,
        is_least,
        why,
        is_stored,
        of_no_image,
        clock.stretches - stretches,
    )
    return not why


def _asked(steps: Steps, resolved: Resolved, *, is_posed: bool) -> Asked:
    """Number of images the run explains, at most where answers choose them; with `is_posed`, classes asked about."""
    explain, wanted = resolved.explain, images_read(resolved.explain)
    names = {name: wanted[name] for name in ("split", "indices", "labels")}
    split = steps.split_of(resolved.data)
    rows = choose_images(split, **names, names=wanted["images"])
    count = None if explain.indices or explain.images else explain.count
    rows = rows[: max(1, len(rows) if count is None else min(len(rows), count))]
    most_surveyed = 0 if split.labels is None else min(surveyed(resolved), len(split))
    if not is_posed:
        return Asked(len(rows), 0, 0, most_surveyed)
    columns = max(1, steps.classes)
    if explain.targets:
        most = len(set(explain.targets.values()))
    elif explain.target == "all":
        most = columns
    else:
        most = min(len(rows), columns) if explain.target in QUESTIONS else 1
    return Asked(len(rows), _classes_asked(steps, resolved, split, rows) or most, most, most_surveyed)


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
