"""Components, built when a step needs them and forgotten after the last step that does."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import State

from sidelight.engine.checks import check_valid
from sidelight.engine.context import ComponentRun
from sidelight.engine.keys import trained_by
from sidelight.engine.naming import required
from sidelight.underway import HEAVY, doing, patience

if TYPE_CHECKING:
    from collections.abc import Set

    from sidelight.engine.entry import Entry
    from sidelight.engine.journal import Record
    from sidelight.engine.session import Session
    from sidelight.recipe.model import ResolvedComponent


class Components:
    """The live components of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._alive: dict[ResolvedComponent, tuple[Any, Record]] = {}

    def get(self, component: ResolvedComponent) -> Any:
        """The component, built (and loaded, where it learns) on first use.

        What it warned of while it was built is recorded with every step that uses it.
        """
        if component not in self._alive:
            with self._session.recording() as record:
                self._alive[component] = (self._build(component), record)
        instance, record = self._alive[component]
        self._session.absorb(record)
        return instance

    def keep_only(self, needed: Set[ResolvedComponent]) -> None:
        """Forget the components that no later step uses."""
        unused = [component for component in self._alive if component not in needed]
        for component in unused:
            del self._alive[component]
            self._session.guard.forget(component)
        if unused and not self._session.device.startswith("cpu"):
            gc.collect()  # hooks make cycles, which would hold the device's memory

    @property
    def alive(self) -> dict[ResolvedComponent, Any]:
        """Every live component's instance."""
        return {component: instance for component, (instance, _) in self._alive.items()}

    def forget_all(self) -> None:
        """Let every component be built anew when it is next needed."""
        self._alive.clear()

    def state(self, component: ResolvedComponent) -> Entry:
        """The stored state of a trainable component, which is fitted first when there is none."""
        data = required(component.trained_on, "data")
        inputs = trained_by(self._session.keys, data)
        return self._session.keep(component, "fit", inputs, lambda: self._fit(component, data))

    def fingerprint(self, component: ResolvedComponent) -> str:
        """What a data component says that its content depends on."""
        data = self.get(component)
        with self._session.inside(component, "fingerprint"):
            return str(data.fingerprint())

    def _build(self, component: ResolvedComponent) -> Any:
        instance = self._construct(component)
        if component.is_trainable:
            state = self.state(component).result
            with self._session.inside(component, "load_state"):
                instance.load_state(state)
        return instance

    def _construct(self, component: ResolvedComponent) -> Any:
        needs = {slot: need and self.get(need) for slot, need in component.needs.items()}
        run = ComponentRun(self._session, component)
        with self._session.inside(component, "build"):
            return _factory(component)(component.params, run=run, **needs)

    def _fit(self, component: ResolvedComponent, data: ResolvedComponent) -> State:
        teacher = self.get(data)
        instance = self._construct(component)
        with self._session.inside(component, "fit"):
            instance.fit(teacher)
            state = instance.state()
        if not isinstance(state, State):
            raise SidelightError(f"{component.use}: state() gave a {type(state).__name__}, not a State")
        check_valid(state, component)
        if state.diverged:
            raise SidelightError(f"{component.title} has diverged: NaN in {state.diverged[0]}")
        if state.curves:
            curves = attrs.evolve(state, arrays={})
            self._session.record.emit(f"{component.id}/training", curves)
        return state


def _factory(component: ResolvedComponent) -> Any:
    module, _, name = component.descriptor.factory.partition(":")
    try:
        with doing(f"{component.title}: importing {module}", HEAVY * patience()):
            return getattr(import_module(module), name)
    except ImportError as error:
        fix = f"Install what it needs: `pip install --upgrade {component.distribution}`."
        raise UserError(f"{component.use} cannot be loaded: {error}", fix) from error
