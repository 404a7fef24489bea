"""Shared state of a run: the store, the keys, the live components, the record."""

from __future__ import annotations

from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING, TypeVar

from sidelight_specs import Cancelled, SidelightError, UserError
from sidelight_specs.fingerprint import own_streams

from sidelight import underway
from sidelight.engine.components import Components
from sidelight.engine.device import DTYPE
from sidelight.engine.entry import Entry
from sidelight.engine.guard import Guard
from sidelight.engine.journal import Clock, Record
from sidelight.engine.keys import Keys, stream_seed
from sidelight.engine.threads import thread_count
from sidelight.interrupts import in_main_thread
from sidelight.registry.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sidelight_specs import Artifact

    from sidelight.engine.cancel import Cancellation
    from sidelight.engine.reporting import Reporter
    from sidelight.engine.store import Store
    from sidelight.recipe.model import Resolved, ResolvedComponent

T = TypeVar("T")


class ComponentError(SidelightError):
    """A component failed; the message names it and the step, and the original error is the cause."""


class ComponentUserError(UserError):
    """A component found a mistake that the user can mend; the message names the component."""


class _Records(local):
    """The stack of records of each thread: a page that is served has components at work in several."""

    def __init__(self) -> None:
        self.stack = [Record()]


class Session:
    """One run under way.

    Args:
        resolved: the recipe.
        store: what earlier runs have made.
        device: the torch device string.
        reporter: where progress is shown.
        cancellation: whether the user has asked to stop.
        clock: started with the run.
        guarded: whether components are watched for changes to what they share; needs them to take turns.
    """

    def __init__(
        self,
        resolved: Resolved,
        store: Store,
        device: str,
        reporter: Reporter,
        cancellation: Cancellation,
        clock: Clock,
        *,
        guarded: bool = False,
    ) -> None:
        self.resolved = resolved
        self.seed = resolved.seed
        self.store = store
        self.device = device
        self.reporter = reporter
        self.cancellation = cancellation
        self.clock = clock
        self.seeds: dict[str, int] = {}
        self.doing: tuple[str, ResolvedComponent] | None = None
        self.made = 0
        self.found = 0
        self._said: set[str] = set()
        self._records = _Records()
        self.components = Components(self)
        self.guard = Guard(
            lambda: self.components.alive, self.components.forget_all, self.warn, self._stream_seed, device
        )
        self._guarded = guarded
        self._held_back: list[tuple[str, Entry]] = []
        self.keys = Keys(
            resolved.seed,
            DTYPE,
            device.split(":")[0],
            self.components.fingerprint,
            thread_count(),
        )

    @property
    def record(self) -> Record:
        """By-products and warnings of the innermost stretch of work that is being kept."""
        return self._records.stack[-1]

    @contextmanager
    def recording(self) -> Iterator[Record]:
        """Collect what is emitted and warned within the context apart; `absorb` gives it to the surrounding one."""
        stack = self._records.stack
        stack.append(Record())
        try:
            yield stack[-1]
        finally:
            stack.pop()

    def absorb(self, source: Record | Entry) -> None:
        """Repeat by-products and warnings that were recorded before."""
        for name, artifact in source.emitted:
            self.record.emit(name, artifact)
        for text in source.warnings:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Keep a warning with the step under way, and say it unless it was said before."""
        self.record.warn(text)
        if text not in self._said:
            self._said.add(text)
            self.reporter.say(f"warning: {text}")

    def progress(self, iterable: Iterable[T], label: str, total: int | None) -> Iterator[T]:
        """Pass `iterable` through while showing progress; raises `Cancelled` before an item when asked to stop."""
        self.cancellation.check()
        with self.reporter.loop(label, total) as advance:
            for item in iterable:
                self.cancellation.check()
                yield item
                advance()

    @contextmanager
    def inside(self, component: ResolvedComponent, doing: str) -> Iterator[None]:
        """Count the time as the component's, name it in whatever error it raises, and watch what it shares.

        Raises:
            ComponentUserError: the component raised a `UserError`.
            ComponentError: it raised anything else but a wish to stop.
            Disturbance: it changed what others share.
        """
        with self._watching(component, doing), self._naming(component, doing), self._seeded(component):
            yield

    @contextmanager
    def _seeded(self, component: ResolvedComponent) -> Iterator[None]:
        """Global random streams of the component's own; a served page, whose threads overlap, leaves them alone."""
        if not self._guarded:
            yield
            return
        with own_streams(self._stream_seed(component)):
            yield

    def _stream_seed(self, component: ResolvedComponent) -> int:
        return stream_seed(self.seed, component, "global streams")

    @contextmanager
    def _watching(self, component: ResolvedComponent, doing: str) -> Iterator[None]:
        """The guard; what was kept meanwhile, while something was changed, is written once all is as it was."""
        if not self._guarded:
            yield
            return
        outermost = self.guard.is_idle
        try:
            with self.guard.watching(component, doing):
                yield
            for key, entry in self._held_back if outermost else ():
                self.store.put(key, entry)
        finally:
            if outermost:
                self._held_back.clear()

    @contextmanager
    def _naming(self, component: ResolvedComponent, doing: str) -> Iterator[None]:
        place = f"{component.title}"
        surroundings = Surroundings() if in_main_thread() else None  # another thread's stretch of work may overlap
        try:
            with self.clock.inside(), underway.doing(f"{place} in the step `{doing}`"):
                yield
        except BaseException as error:  # also SystemExit, and what extensions raise past Exception
            if surroundings is not None:
                surroundings.mend()
            if isinstance(error, (ComponentError, ComponentUserError)) or self._is_wish_to_stop(error):
                raise
            if isinstance(error, UserError):
                raise ComponentUserError(f"{place}: {error.message}", error.fix) from error
            what = str(error) if isinstance(error, SidelightError) else f"{type(error).__name__}: {error}"
            raise ComponentError(f"{place} failed in the step `{doing}`: {what}") from error
        changed = surroundings.mend() if surroundings is not None else ""
        if changed:
            raise ComponentError(f"{place} failed in the step `{doing}`: it {changed}, which others rely on")

    def _is_wish_to_stop(self, error: BaseException) -> bool:
        """True if the user asked for it, as far as that can be known, and not the component."""
        if not isinstance(error, (Cancelled, KeyboardInterrupt)):
            return False
        return self.cancellation.asked or not self.cancellation.listening

    def keep(
        self,
        component: ResolvedComponent,
        step: str,
        inputs: dict[str, str],
        make: Callable[[], Artifact | None],
    ) -> Entry:
        """The store's entry for a step, made by `make()` when there is none; its by-products are recorded anew."""
        key = self.keys.step(component, step, inputs)
        entry = self.store.get(key, (component.use, step), self._modules(component))
        self._count(component, step, entry)
        if entry is None:
            with self.recording() as record:
                result = make()
            emitted, warnings = tuple(record.emitted), tuple(record.warnings)
            entry = Entry(component=component.use, step=step, result=result, emitted=emitted, warnings=warnings)
            self._put(key, entry)
        self.absorb(entry)
        return entry

    def keep_files(
        self, component: ResolvedComponent, inputs: dict[str, str], folder: Path, make: Callable[[], tuple[str, ...]]
    ) -> Entry:
        """The same for a step that writes files into `folder` and gives their names."""
        key = self.keys.step(component, "render", inputs)
        entry = self.store.get(key, (component.use, "render"), self._modules(component), export=folder)
        self._count(component, "render", entry)
        if entry is None:
            with self.recording() as record:
                files = make()
            emitted, warnings = tuple(record.emitted), tuple(record.warnings)
            entry = Entry(component=component.use, step="render", files=files, emitted=emitted, warnings=warnings)
            self.store.put(key, entry, folder)
        self.absorb(entry)
        return entry

    def _put(self, key: str, entry: Entry) -> None:
        """Keep an entry; in the middle of a component's step only while nothing that is shared is changed."""
        if self._guarded and not self.guard.is_clean():
            self._held_back.append((key, entry))
        else:
            self.store.put(key, entry)

    def _count(self, component: ResolvedComponent, step: str, entry: Entry | None) -> None:
        """Count an entry of the step under way; what is looked up on the side (states, caches) is not counted."""
        if self.doing == (step, component):
            self.found += entry is not None
            self.made += entry is None

    def _modules(self, component: ResolvedComponent) -> list[str]:
        return sorted({part.descriptor.factory.partition(":")[0] for part in component.closure})
