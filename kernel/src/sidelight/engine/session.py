"""One run under way: its live components, its store, and the record of what happens."""

from __future__ import annotations

import gc
from collections.abc import Sized
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
from sidelight_specs import Artifact, Cancelled, SidelightError, UserError, kinds
from sidelight_specs.fingerprint import own_streams
from sidelight_specs.results import State
from sidelight_specs.surroundings import Surroundings, in_main_thread

from sidelight import underway
from sidelight.engine.guard import Guard
from sidelight.engine.keys import Keys, stream_seed, trained_by
from sidelight.engine.machine import DTYPE, Cancellation, thread_count
from sidelight.engine.progress import Display
from sidelight.engine.store import Entry, Store
from sidelight.recipe.model import Resolved, ResolvedComponent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Set
    from pathlib import Path

    import numpy as np


T = TypeVar("T")
A = TypeVar("A", bound="Artifact")


class ComponentError(SidelightError):
    """A component failed; the message names it and the step, and the original error is the cause."""


class ComponentUserError(UserError):
    """A component found a mistake that the user can mend; the message names the component."""


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
        return self._inside + (perf_counter() - self._entered if self._entered is not None else 0.0)

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


@attrs.define(eq=False)
class Session:
    """Live components of a run, built when a step needs them, and everything they share.

    Args:
        resolved: the recipe.
        store: results of earlier runs.
        device: the torch device string.
        display: shows progress.
        cancellation: asks components to stop.
        clock: started with the run.
        guarded: True if components are watched for changes to what they share; needs them to take turns.

    Attributes:
        seeds: every seed drawn, by place and label.
        doing: verb and component of the step under way.
        made, found: store entries of steps that were made, and that were there.
    """

    resolved: Resolved
    store: Store
    device: str
    display: Display
    cancellation: Cancellation
    clock: Clock
    guarded: bool = attrs.field(default=False, kw_only=True)
    seeds: dict[str, int] = attrs.field(factory=dict, init=False)
    doing: tuple[str, ResolvedComponent] | None = attrs.field(default=None, init=False)
    made: int = attrs.field(default=0, init=False)
    found: int = attrs.field(default=0, init=False)
    guard: Guard = attrs.field(init=False)
    keys: Keys = attrs.field(init=False)
    _alive: dict[ResolvedComponent, Any] = attrs.field(factory=dict, init=False)
    _built: dict[ResolvedComponent, Record] = attrs.field(factory=dict, init=False)
    _warned: set[str] = attrs.field(factory=set, init=False)
    _held_back: list[tuple[str, Entry]] = attrs.field(factory=list, init=False)
    _whole: Record = attrs.field(factory=Record, init=False)
    # a context variable, because a page that is served has components at work in several threads
    _record: ContextVar[Record] = attrs.field(factory=lambda: ContextVar("record"), init=False)

    def __attrs_post_init__(self) -> None:
        self.guard = Guard(self._alive, self.warn, self._stream_seed, self.device)
        kind = self.device.split(":")[0]
        self.keys = Keys(self.resolved.seed, DTYPE, kind, self._fingerprint, thread_count())

    # Components

    def get(self, component: ResolvedComponent) -> Any:
        """The component, built (and loaded, where it learns) on first use.

        What it warned of while it was built is recorded with every step that uses it.
        """
        if component not in self._alive:
            with self.recording() as record:
                instance = self._construct(component)
                if component.is_trainable:
                    state = self.state(component).result
                    with self.inside(component, "load_state"):
                        instance.load_state(state)
                self._alive[component], self._built[component] = instance, record
        self._absorb(self._built[component].emitted, self._built[component].warnings)
        return self._alive[component]

    def keep_only(self, needed: Set[ResolvedComponent]) -> None:
        """Forget the components that no later step uses."""
        unused = self._alive.keys() - needed
        for component in unused:
            del self._alive[component], self._built[component]
            self.guard.forget(component)
        if unused and not self.device.startswith("cpu"):
            gc.collect()  # hooks make cycles, which would hold the device's memory

    def state(self, component: ResolvedComponent) -> Entry:
        """The stored state of a trainable component, which is fitted first when there is none."""
        data = component.trained_on
        if data is None:
            raise UserError("the recipe has no data", "add a section `data`")
        return self.keep(component, "fit", trained_by(self.keys, data), lambda: self._fit(component, data))

    def build(self, component: ResolvedComponent, classifier: Any) -> Any:
        """The component built anew for another classifier; parameters, other needs and random streams are its own."""
        return self._construct(component, classifier)

    def _construct(self, component: ResolvedComponent, classifier: Any = None) -> Any:
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
                fix = f"install what it needs: `pip install --upgrade {component.distribution}`"
                raise UserError(f"{component.use} cannot be loaded: {error}", fix) from error
            return factory(component.params, run=ComponentRun(self, component), **needs)

    def _fit(self, component: ResolvedComponent, data: ResolvedComponent) -> State:
        teacher = self.get(data)
        instance = self._construct(component)
        with self.inside(component, "fit"):
            instance.fit(teacher)
            state = instance.state()
        check_valid(state, component, kind=State.kind)
        if state.diverged:
            raise SidelightError(f"{component.title} has diverged: NaN in {state.diverged[0]}")
        if state.curves:
            self.record.emit(f"{component.id}/training", attrs.evolve(state, arrays={}))
        return cast("State", state)

    def _fingerprint(self, component: ResolvedComponent) -> str:
        data = self.get(component)
        with self.inside(component, "fingerprint"):
            return str(data.fingerprint())

    def _stream_seed(self, component: ResolvedComponent) -> int:
        return stream_seed(self.resolved.seed, component, "global streams")

    # Records, warnings, progress

    @property
    def record(self) -> Record:
        """By-products and warnings of the innermost stretch of work that is being kept."""
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

    def _absorb(self, emitted: Iterable[tuple[str, Artifact]], warnings: Iterable[str]) -> None:
        """Repeat by-products and warnings that were recorded before."""
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

    def progress(self, iterable: Iterable[T], label: str, total: int | None) -> Iterator[T]:
        """Pass `iterable` through while showing progress; raises `Cancelled` before an item when asked to stop."""
        self.cancellation.check()
        with self.display.loop(label, total) as advance:
            for item in iterable:
                self.cancellation.check()
                yield item
                advance()

    # A component's own code

    @contextmanager
    def inside(self, component: ResolvedComponent, doing: str) -> Iterator[None]:
        """Count the time as the component's, name it in whatever error it raises, and watch what it shares.

        A page that is served is not guarded: its components are at work in several threads at once.

        Raises:
            ComponentUserError: the component raised a `UserError`.
            ComponentError: it raised anything else but a wish to stop.
            Disturbance: it changed what others share.
        """
        if not self.guarded:
            with self._naming(component, doing):
                yield
            return
        outermost = self.guard.is_idle
        try:
            with (
                self.guard.watching(component, doing),
                self._naming(component, doing),
                own_streams(self._stream_seed(component)),
            ):
                yield
            for key, entry in self._held_back if outermost else ():  # all is as it was, so it may be kept
                self.store.put(key, entry)
        finally:
            if outermost:
                self._held_back.clear()

    @contextmanager
    def _naming(self, component: ResolvedComponent, doing: str) -> Iterator[None]:
        surroundings = Surroundings() if in_main_thread() else None  # another thread's stretch of work may overlap
        try:
            with self.clock.inside(), underway.doing(f"{component.title} in the step `{doing}`"):
                yield
        except BaseException as error:  # also SystemExit, and what extensions raise past Exception
            if surroundings is not None:
                surroundings.mend()
            if isinstance(error, (ComponentError, ComponentUserError)) or self._is_wish_to_stop(error):
                raise
            if isinstance(error, UserError):
                raise ComponentUserError(f"{component.title}: {error.message}", error.fix) from error
            text = str(error) if isinstance(error, SidelightError) else f"{type(error).__name__}: {error}"
            raise ComponentError(f"{component.title} failed in the step `{doing}`: {text}") from error
        changed = surroundings.mend() if surroundings is not None else ""
        if changed:
            raise ComponentError(f"{component.title} failed in the step `{doing}`: it {changed}, which others rely on")

    def _is_wish_to_stop(self, error: BaseException) -> bool:
        """True if the user asked for it, as far as that can be known, and not the component."""
        if not isinstance(error, (Cancelled, KeyboardInterrupt)):
            return False
        return self.cancellation.is_asked or not self.cancellation.listening

    # The store

    def keep(
        self,
        component: ResolvedComponent,
        step: str,
        inputs: dict[str, Any],
        make: Callable[[], Any],
        folder: Path | None = None,
    ) -> Entry:
        """The store's entry for a step, made by `make()` when there is none; its by-products are recorded anew.

        Args:
            component: the component that takes the step.
            step: its verb.
            inputs: name to everything that the step is given; anything with a digest.
            make: takes the step; gives its artifact or None, or where there is a `folder` the files' names.
            folder: where a renderer writes.
        """
        key = self.keys.step(component, step, inputs)
        entry = self.store.get(key, (component.use, step), export=folder)
        if self.doing == (step, component):  # what is looked up on the side (states, caches) is not counted
            self.found += entry is not None
            self.made += entry is None
        if entry is None:
            with self.recording() as record:
                made = make()
            entry = Entry(
                component=component.use,
                step=step,
                result=made if folder is None else None,
                files=made if folder is not None else (),
                emitted=tuple(record.emitted),
                warnings=tuple(record.warnings),
            )
            if self.guarded and not self.guard.is_clean():
                self._held_back.append((key, entry))  # in the middle of a step that has changed something shared
            else:
                self.store.put(key, entry, folder)
        self._absorb(entry.emitted, entry.warnings)
        return entry


class ComponentRun:
    """Implements `sidelight_specs.Run` for one component of one run."""

    dtype = DTYPE

    def __init__(self, session: Session, component: ResolvedComponent) -> None:
        self._session, self._component = session, component
        self.device = session.device

    def seed(self, label: str) -> int:
        """A number in [0, 2**63) fixed by the recipe's seed, the component's use and id, and `label`."""
        seed = stream_seed(self._session.resolved.seed, self._component, label)
        self._session.seeds[f"{self._component.path} {label}"] = seed
        return seed

    def rng(self, label: str) -> np.random.Generator:
        """A fresh stream fixed by the same."""
        import numpy as np

        return np.random.default_rng(self.seed(label))

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass `iterable` through while showing progress; raises `Cancelled` between items when asked to stop."""
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        return self._session.progress(iterable, label, total)

    def cached(self, key: Any, make: Callable[[], A]) -> A:
        """The artifact kept under `key` for this component, made by `make()` when there is none."""
        first = key[0] if isinstance(key, (tuple, list)) and key else key

        def make_valid() -> A:
            artifact = make()
            check_valid(artifact, self._component, name=first if isinstance(first, str) else "cached")
            return artifact

        return cast("A", self._session.keep(self._component, "cached", {"key": key}, make_valid).result)

    def emit(self, name: str, artifact: Artifact) -> None:
        """Keep a by-product under `component-id/name`."""
        check_valid(artifact, self._component, name=name)
        self._session.record.emit(f"{self._component.id}/{name}", artifact)

    def warn(self, text: str) -> None:
        """Tell the user something once; it is kept in the manifest and with the step's store entry."""
        self._session.warn(f"{self._component.use}: {text}")


def check_valid(
    artifact: Any,
    component: ResolvedComponent,
    images: tuple[int, ...] | None = None,
    classes: int | None = None,
    *,
    kind: str = "",
    name: str = "",
) -> None:
    """Raise a `SidelightError` that names component and field unless an artifact is valid by its kind's own rules.

    Args:
        artifact: the component's answer.
        component: named in the error.
        images: shape (N, C, H, W) of the images that it is about.
        classes: the number of columns of class logits.
        kind: the announced kind; empty for any.
        name: of a by-product.
    """
    called = f" as {name!r}" if name else ""
    gave = artifact.kind if isinstance(artifact, Artifact) else type(artifact).__name__
    if kind and gave != kind:
        raise SidelightError(f"{component.title} gave {gave!r}, not {kind!r}")
    if not isinstance(artifact, Artifact):
        raise SidelightError(f"{component.title} gave a {gave}{called}, not an artifact")
    try:
        kinds.check_registered(artifact)  # else a later run could not read it back
        artifact.validate(images, classes)
    except Exception as error:  # the rules of a plugin's kind may fail in their own way
        text = str(error) if isinstance(error, SidelightError) else f"{type(error).__name__}: {error}"
        raise SidelightError(f"{component.title} gave an invalid {gave}{called}: {text}") from error
