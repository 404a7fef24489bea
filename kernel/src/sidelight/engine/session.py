"""One run under way: its live components, its store, and the record of what happens."""

from __future__ import annotations

import copy
import gc
import shutil
import tempfile
from collections.abc import Sized
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import finalize

import attrs
import numpy as np
from sidelight_specs import Artifact, Cancelled, SidelightError, UserError
from sidelight_specs.artifacts import check_artifact
from sidelight_specs.results import State
from sidelight_specs.roles import ROLES
from sidelight_specs.run import NoCheckpoint
from sidelight_specs.surroundings import Surroundings, in_main_thread

from sidelight import underway
from sidelight.engine.checkpoints import VERB, Checkpoint
from sidelight.engine.guard import Disturbance, Guard
from sidelight.engine.machine import DTYPE, Cancellation, as_images, settle_arithmetic
from sidelight.engine.meter import Meter
from sidelight.engine.plan import Keys, Step, stream_seed
from sidelight.engine.progress import PAUSE
from sidelight.engine.store import Entry, Store
from sidelight.engine.timings import human_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Set
    from contextlib import AbstractContextManager

    from sidelight.engine.progress import Display
    from sidelight.engine.weights import SharedWeights
    from sidelight.recipe.model import Resolved, ResolvedComponent


_SILENT = 1.0  # seconds for which a run waits without a word
_PREPARING = (
    "build",
    "load_state",
    "fingerprint",
    "digest",
)  # no result costs more because it was the first to need a component

T = TypeVar("T")
A = TypeVar("A", bound="Artifact")


class ComponentError(SidelightError):
    """A component failed; the message names it and the step, and the original error is the cause."""


class ComponentUserError(ComponentError, UserError):
    """A component found a mistake that the user can mend; the message names the component."""


@attrs.define
class Record:
    """By-products and warnings of a stretch of work; kept with a store entry, so that a hit gives them back."""

    emitted: dict[str, Artifact] = attrs.field(factory=dict)
    warnings: list[str] = attrs.field(factory=list)
    checkpoints: list[Checkpoint] = attrs.field(factory=list)  # of the work; they go when it is kept

    def emit(self, name: str, artifact: Artifact) -> None:
        """Keep a by-product; the same one again is ignored, another of the same name gets a number."""
        free, number = name, 1
        while free in self.emitted and self.emitted[free].digest() != artifact.digest():
            number += 1
            free = f"{name}-{number}"
        self.emitted.setdefault(free, artifact)

    def warn(self, text: str) -> None:
        """Keep a warning, once."""
        if text not in self.warnings:
            self.warnings.append(text)


class Session:
    """Live components of a run, built when a step needs them, and everything they share.

    With `guarded`, components are watched for changes to what they share, and have to take turns.
    """

    def __init__(
        self, resolved: Resolved, store: Store, device: str, display: Display, stop: Cancellation, guarded: bool = False
    ) -> None:
        settle_arithmetic(device)
        self.resolved, self.store, self.device = resolved, store, device
        self.display, self.cancellation = display, stop
        self.seeds: dict[str, int] = {}  # every seed drawn, by place and label
        self.doing: Step | None = None
        # `units.Workers`, which make entries before they are looked up; None where all are made here
        self.workers: Any = None
        self.weights: SharedWeights | None = None  # in a worker
        self.made = self.found = 0  # entries of the plan's steps that were made, and that the store held
        self.seconds, self._depth = 0.0, 0  # inside components
        self.meter = Meter()  # of what results cost
        self.when_built: Callable[[ResolvedComponent], None] = lambda component: None  # told of what `get` has built
        self._alive: dict[ResolvedComponent, Any] = {}
        self._built: dict[ResolvedComponent, Record] = {}
        self._warned: set[str] = set()
        # a context variable, because a page that is served has components at work in several threads
        self._record, self._whole = ContextVar[Record]("record"), Record()
        self._held = ContextVar[frozenset[str]]("held", default=frozenset())  # keys of what is being made
        self.guard = Guard(self._alive, self.warn, resolved.seed, device, guarded)
        self.keys = Keys(resolved.seed, device.split(":")[0], self._fingerprint)

    def close(self) -> None:
        """Let go of components, which the session is in circles with, so that models are freed at once."""
        if self.workers is not None:
            self.workers.close()
        self._alive.clear()
        self._built.clear()
        del self.guard, self.keys

    # Components

    def get(self, component: ResolvedComponent) -> Any:
        """The component, built (and loaded, where it learns) on first use.

        What it warned of while it was built is recorded with every step that uses it.
        """
        if component not in self._alive:
            with self.recording() as record:
                instance = self.build(component)
                if component.is_trainable:
                    state = self.state(component)
                    with self.inside(component, "load_state"):
                        instance.load_state(state)
                self._alive[component], self._built[component] = instance, record
                self.when_built(component)
        self._repeat(self._built[component].emitted.items(), self._built[component].warnings)
        return self._alive[component]

    def keep_only(self, needed: Set[ResolvedComponent]) -> None:
        """Forget the components that no later step uses."""
        unused = self._alive.keys() - needed
        for component in unused:
            del self._alive[component], self._built[component]
        if unused and not self.device.startswith("cpu"):
            gc.collect()  # hooks make cycles, which would hold the device's memory

    def state(self, component: ResolvedComponent) -> State:
        """The stored state of a trainable component, which is fitted first when there is none."""
        data = cast("ResolvedComponent", component.trained_on)  # a recipe without data has no plan

        def fit() -> State:
            teacher, instance = self.get(data), self.build(component)
            with self.inside(component, "fit"):
                instance.fit(teacher)
                state: State = instance.state()
            check_valid(state, component, kind=State.kind)
            if state.diverged:
                raise SidelightError(f"{component.title} has diverged: NaN in {state.diverged[0]}")
            if state.curves:
                self.record.emit(f"{component.id}/training", attrs.evolve(state, arrays={}))
            return state

        return cast("State", self.keep(Step("fit", component), {"data": self.keys.component(data)}, fit))

    def build(self, component: ResolvedComponent, classifier: Any = None) -> Any:
        """The component built anew, for another classifier if given; random streams and all else are its own."""
        factories = {need.slot for need in component.descriptor.needs if need.factory}
        needs: dict[str, Any] = {}
        for slot, need in component.needs.items():
            if need is not None and classifier is not None and need.role == "classifier":
                needs[slot] = classifier
            else:
                needs[slot] = need and (partial(self.build, need) if slot in factories else self.get(need))
        module, _, name = component.descriptor.factory.partition(":")
        with self.inside(component, "build"):
            try:
                limit = underway.HEAVY * underway.patience()
                with underway.doing(f"{component.title}: importing {module}", limit):
                    factory = getattr(import_module(module), name)
            except ImportError as error:
                fix = f"`pip install {component.distribution}` installs the dependencies it declares"
                raise UserError(f"{component.use} cannot be loaded: {error}", fix) from error
            return factory(component.params, run=ComponentRun(self, component, classifier is None), **needs)

    def _fingerprint(self, component: ResolvedComponent) -> str:
        data = self.get(component)
        with self.inside(component, "fingerprint"):
            return str(data.fingerprint())

    # A component's own code

    def answer(
        self,
        step: Step,
        inputs: dict[str, Any],
        question: Callable[..., Any],
        doing: str = "",
        *,
        key: str = "",
        mapped: bool = False,
        **forms: Any,
    ) -> Any:
        """The artifact of a step: from the store, or the valid answer of the live component to a question.

        The question is called with the component and its inputs: arrays as tensors, all else copied, because others
        get the same. Errors call the step `doing`; `key` and `mapped` are as for `keep`.
        """

        def make() -> Any:
            instance = self.get(step.component)
            with self.inside(step.component, doing or step.verb):
                answer = question(instance, *(_own(value, self.device) for value in inputs.values()))
            kind = getattr(step.component.descriptor, "gives", ROLES[step.component.role].gives)
            check_valid(answer, step.component, **{"kind": kind, **forms})
            return answer

        return self.keep(step, inputs, make, key=key, mapped=mapped)

    def piece(self, component: ResolvedComponent, function: str, item: Any, key: str = "") -> Any:
        """Result of a method of the live component for one item of `run.map`, from the store or computed."""

        def make() -> Any:
            instance = self.get(component)
            with self.inside(component, function):
                artifact = getattr(instance, function)(copy.deepcopy(item))  # its arrays may be shared
                check_valid(artifact, component, name=function)
            return artifact

        return self.keep(Step("map", component), {"function": function, "item": item}, make, key=key)

    @contextmanager
    def inside(self, component: ResolvedComponent, doing: str) -> Iterator[None]:
        """Count the time as the component's, name it in whatever error it raises, and watch what it shares."""
        failed = f"{component.title} failed in the step `{doing}`"
        network, metered = self._network(component, doing)
        with self.meter.attached(network) as attached, self.guard.watching(component, doing), metered(attached):
            mend = Surroundings().mend if in_main_thread() else str  # other threads' work may overlap
            start, self._depth = perf_counter(), self._depth + 1
            try:
                with underway.doing(f"{component.title} in the step `{doing}`"):
                    yield
            except BaseException as error:  # also SystemExit, and what extensions raise past Exception
                mend()
                asked = self.cancellation.is_asked or not self.cancellation.listening  # by the user, not the component
                if isinstance(error, ComponentError) or (asked and isinstance(error, (Cancelled, KeyboardInterrupt))):
                    raise
                if isinstance(error, UserError):
                    raise ComponentUserError(f"{component.title}: {error.message}", error.fix) from error
                text = str(error) if isinstance(error, SidelightError) else f"{type(error).__name__}: {error}"
                raise ComponentError(f"{failed}: {text}") from error
            finally:
                self._depth -= 1
                self.seconds += 0 if self._depth else perf_counter() - start  # contexts may nest
            if changed := mend():
                raise ComponentError(f"{failed}: it {changed}, which others rely on")

    def _network(
        self, component: ResolvedComponent, doing: str
    ) -> tuple[Any, Callable[[bool], AbstractContextManager[None]]]:
        """The classifier's network where its passes are to be counted, and a function.

        This gives the context in which the meter runs, and is told whether the network takes the meter's hook.
        """
        if self._depth or doing in _PREPARING or not self.guard.awake:  # a page that is served has several threads
            return None, lambda attached: nullcontext()
        explained, network = self.resolved.classifier, None
        is_needed = explained in component.closure
        if is_needed and "module" in explained.provides and explained in self._alive:
            loading = underway.doing(f"{explained.title}: loading its network")
            with suppress(Exception), loading, self.guard.streams(explained):
                network = self._alive[explained].module  # its errors are told by whoever uses it
                if self._alive[explained].module is not network:  # made anew for each caller: nobody runs this one
                    network = None
        return network, lambda attached: self.meter.running(counted=attached or not is_needed)

    # Records, warnings, progress

    @property
    def record(self) -> Record:
        """By-products and warnings of the innermost stretch of work that is being kept, else of the run."""
        return self._record.get(self._whole)

    @contextmanager
    def recording(self) -> Iterator[Record]:
        """Collect by-products and warnings of the context apart."""
        record = Record()
        token = self._record.set(record)
        try:
            yield record
        finally:
            self._record.reset(token)

    def _repeat(self, emitted: Iterable[tuple[str, Artifact]], warnings: Iterable[str]) -> None:
        for name, artifact in emitted:
            self.record.emit(name, artifact)
        for text in warnings:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Keep a warning with the step under way, and say it unless it was said before."""
        self.record.warn(text)
        if text not in self._warned:
            self._warned.add(text)
            self.display.say(f"warning: {text}")

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass `iterable` through while showing progress; raises `Cancelled` between items when asked to stop."""
        self.cancellation.check()
        total = len(iterable) if total is None and isinstance(iterable, Sized) else total
        with self.display.loop(label, total) as advance:
            for item in iterable:
                self.cancellation.check()
                yield item
                advance()

    # The store

    @cached_property
    def _fleeting(self) -> Store:
        """A store that goes with the session, for what depends on live objects whose content cannot be told."""
        folder = Path(tempfile.mkdtemp(prefix="sidelight-"))
        finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Store(folder, self.warn)

    def keep(
        self,
        step: Step,
        inputs: dict[str, Any],
        make: Callable[[], Any],
        folder: Path | None = None,
        *,
        key: str = "",
        mapped: bool = False,
    ) -> Any:
        """The artifact of a step from the store, or made by `make()`; its by-products are recorded anew.

        Of several runs that need it at the same time one makes it, and the others wait.

        Args:
            step: whose it is.
            inputs: everything that the step is given.
            make: makes it; with a `folder` it gives the names of the files that it wrote there.
            folder: into which a renderer writes; the answer is the files' names then.
            key: that of step and inputs, where it is known already.
            mapped: give an artifact whose arrays are read-only views of its file, so that it takes no memory.
        """
        key, made, before = key or self.keys.step(step, inputs), self.made, self.meter.reading
        entry = self._look(step, key, folder, mapped)
        is_new = entry is None or (self.workers is not None and self.workers.is_news(key))
        if entry is None:
            if self.workers is not None:
                self.workers.raise_failure(key)
            with self._alone(step, key):
                entry = self._look(step, key, folder, mapped)  # another run may have made it meanwhile
                is_new = entry is None
                if entry is None:
                    entry = self._make(step, key, make, folder, mapped)
                else:
                    self.meter.recall(entry.spent, entry.passes)
        else:
            self.meter.recall(entry.spent, entry.passes)
        if step.verb == "fit" and step != self.doing:
            self.meter.forget(before)  # a training is no part of what its model is used for
        if step == self.doing:  # what is looked up on the side (states, caches) is not counted
            self.found += not is_new
            self.made += is_new and self.made == made  # else its parts were counted
        self._repeat(entry.emitted, entry.warnings)
        return entry.result if folder is None else entry.files

    def store_of(self, component: ResolvedComponent) -> Store:
        """The store that keeps what a component makes."""
        return self.store if component.is_kept else self._fleeting

    def checkpoint(self, component: ResolvedComponent, key: Any) -> Checkpoint:
        """The newest state of long work of a component; it goes when the step that the work is part of is kept."""
        name = self.keys.step(Step(VERB, component), {"key": key})
        checkpoint = Checkpoint(self.store_of(component), name, component.use, self.warn)
        self.record.checkpoints.append(checkpoint)
        return checkpoint

    def _look(self, step: Step, key: str, folder: Path | None, mapped: bool) -> Entry | None:
        made_by = (step.component.use, step.verb)
        entry = self.store_of(step.component).get(key, made_by, export=folder, mapped=mapped)
        if entry is not None and entry.result is None and folder is None:
            return None  # earlier versions kept that an inverter had nothing to do
        return entry

    def _make(self, step: Step, key: str, make: Callable[[], Any], folder: Path | None, mapped: bool) -> Entry:
        before = self.meter.reading
        with self.recording() as record:
            try:
                made = make()
            except Disturbance:  # nothing of the step is kept
                _remove(record.checkpoints)
                raise
        spent, passes = self.meter.reading.since(before)
        entry = Entry(
            component=step.component.use,
            step=step.verb,
            result=made if folder is None else None,
            files=made if folder is not None else (),
            emitted=tuple(record.emitted.items()),
            warnings=tuple(record.warnings),
            spent=spent,
            passes=passes,
        )
        store = self.store_of(step.component)
        self.guard.when_clean(partial(_put, store, key, entry, folder, record.checkpoints))
        kept = store.mapped(key) if mapped else None
        return entry if kept is None else attrs.evolve(entry, result=kept)

    @contextmanager
    def _alone(self, step: Step, key: str) -> Iterator[None]:
        """Nobody else makes what is under the key; says for whom it waits, and how long, and stops when asked to."""
        held, store = self._held.get(), self.store_of(step.component)
        if key in held or store is not self.store:
            yield
            return
        began, again, owners = perf_counter(), _SILENT, list[str]()

        def wait(seconds: float, owner: str) -> None:
            nonlocal again
            self.cancellation.check()
            if seconds > again:
                so_far = f", for {human_time(seconds)} so far" if owners else ""
                owners.append(f"process {owner}" if owner else "another process")
                self.display.tell_wait(f"waiting for {owners[-1]}, which makes {step.title}{so_far}")
                again = seconds + PAUSE

        with store.alone(key, wait):
            if owners:
                self.display.tell_wait(f"waited {human_time(perf_counter() - began)} for {owners[-1]}: {step.title}")
            token = self._held.set(held | {key})
            try:
                yield
            finally:
                self._held.reset(token)


class ComponentRun:
    """Implements `sidelight_specs.Run` for one component of one run."""

    dtype = DTYPE

    def __init__(self, session: Session, component: ResolvedComponent, is_kept: bool = True) -> None:
        self._session, self._component = session, component
        self._is_kept = is_kept  # False where the classifier is another than the recipe's, which keys do not tell
        self.device, self.progress = session.device, session.progress

    @property
    def compile(self) -> bool:
        """True where the run was started with `compile`."""
        return "compile" in self._session.keys.arithmetic

    def seed(self, label: str) -> int:
        """A number in [0, 2**63) fixed by the recipe's seed, the component's use and id, and `label`."""
        seed = stream_seed(self._session.resolved.seed, self._component, label)
        self._session.seeds[f"{self._component.path} {label}"] = seed
        return seed

    def rng(self, label: str) -> np.random.Generator:
        """A fresh stream fixed by the same."""
        return np.random.default_rng(self.seed(label))

    def cached(self, key: Any, make: Callable[[], A]) -> A:
        """The artifact kept under `key` for this component, made by `make()` when there is none."""
        if not self._is_kept:
            return make()
        first = key[0] if isinstance(key, (tuple, list)) and key else key

        def make_valid() -> A:
            artifact = make()
            check_valid(artifact, self._component, name=first if isinstance(first, str) else "cached")
            return artifact

        return cast("A", self._session.keep(Step("cached", self._component), {"key": key}, make_valid))

    def checkpoint(self, key: Any) -> Checkpoint | NoCheckpoint:
        """The newest state of long work under way, kept under `key` for this component."""
        if not self._is_kept:
            return NoCheckpoint()
        return self._session.checkpoint(self._component, key)

    def map(self, function: Callable[[Any], A], items: Iterable[Any], label: str) -> list[A]:
        """Results of a method of the component for each item, kept; by the run's workers where it has some."""
        session, component, name = self._session, self._component, getattr(function, "__name__", "")
        if getattr(function, "__func__", None) is not getattr(type(getattr(function, "__self__", None)), name, self):
            raise SidelightError(f"{component.use}: run.map takes a method of the component, not {function!r}")
        items = list(items)
        if not self._is_kept:
            return [function(item) for item in session.progress(items, label)]
        if session.workers is not None:
            session.workers.fill_pieces(component, name, items)
        return [session.piece(component, name, item) for item in session.progress(items, label)]

    def emit(self, name: str, artifact: Artifact) -> None:
        """Keep a by-product under `component-id/name`."""
        check_valid(artifact, self._component, name=name)
        self._session.record.emit(f"{self._component.id}/{name}", artifact)

    def warn(self, text: str) -> None:
        """Tell the user something once; it is kept in the manifest and with the step's store entry."""
        self._session.warn(f"{self._component.use}: {text}")


def _put(store: Store, key: str, entry: Entry, folder: Path | None, checkpoints: list[Checkpoint]) -> None:
    """Keep what was made; then what would have continued it has had its day."""
    store.put(key, entry, folder)
    _remove(checkpoints)


def _remove(checkpoints: list[Checkpoint]) -> None:
    for checkpoint in checkpoints:
        checkpoint.remove()


def _own(value: Any, device: str) -> Any:
    """An input of a step as a component gets it."""
    return as_images(value, device) if isinstance(value, np.ndarray) else copy.deepcopy(value)


def check_valid(artifact: Any, component: ResolvedComponent, **forms: Any) -> None:
    """Raise a `SidelightError` that names the component unless `check_artifact` accepts the artifact."""
    try:
        check_artifact(artifact, **forms)
    except SidelightError as error:
        raise SidelightError(f"{component.title} gave {error}") from error
