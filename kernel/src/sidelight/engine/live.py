"""A finished run brought to life: its components, for a renderer that serves a page."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sidelight_specs import SidelightError

from sidelight.engine.cancel import Cancellation
from sidelight.engine.journal import Clock
from sidelight.engine.reporting import Silent
from sidelight.engine.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sidelight_specs.stage import Watcher

    from sidelight.engine.reporting import Reporter
    from sidelight.engine.store import Store
    from sidelight.recipe.model import Resolved, ResolvedComponent

_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


class WatchedLoops(Silent):
    """Passes loops on to whoever watches in their thread, and everything else to another reporter."""

    def __init__(self, other: Reporter) -> None:
        self._other = other

    @contextmanager
    def loop(self, label: str, total: int | None) -> Iterator[Callable[[], None]]:
        """Tell the watcher of the start and of every item; what it raises comes out of the loop."""
        watcher = _WATCHER.get()
        if watcher is None:
            with self._other.loop(label, total) as advance:
                yield advance
            return
        done = 0

        def advance_watched() -> None:
            nonlocal done
            done += 1
            watcher(label, done, total)

        watcher(label, 0, total)
        yield advance_watched

    def say(self, text: str) -> None:
        """Say it on the terminal."""
        self._other.say(text)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._other.close()


class LivePart:
    """Implements `sidelight_specs.stage.Part`."""

    def __init__(self, session: Session, component: ResolvedComponent) -> None:
        self._session, self._component = session, component

    @property
    def id(self) -> str:
        """Its id in the recipe."""
        return self._component.id

    @property
    def use(self) -> str:
        """`PLUGIN/COMPONENT`."""
        return self._component.use

    @property
    def summary(self) -> str:
        """The descriptor's sentence."""
        return self._component.descriptor.summary

    @property
    def provides(self) -> tuple[str, ...]:
        """Its capabilities with these parameters."""
        return tuple(self._component.descriptor.provided_by(self._component.params))

    def component(self) -> Any:
        """The component, built on first use."""
        return self._session.components.get(self._component)


class LiveStage:
    """Implements `sidelight_specs.stage.Stage`.

    Args:
        resolved: the run's recipe.
        store: where its trained components lie.
        device: the torch device string.
        reporter: where messages go.
        host: the interface to listen on.
        port: the port, 0 for any.
        announce: told the address once the page can be opened.
    """

    def __init__(
        self,
        resolved: Resolved,
        store: Store,
        device: str,
        reporter: Reporter,
        *,
        host: str,
        port: int,
        announce: Callable[[str], None],
    ) -> None:
        self.host, self.port, self._announce = host, port, announce
        self._resolved = resolved
        self._session = Session(resolved, store, device, WatchedLoops(reporter), Cancellation(), Clock())

    def parts(self, role: str) -> tuple[LivePart, ...]:
        """The components of one role, in recipe order."""
        return tuple(LivePart(self._session, component) for component in self._resolved.of_role(role))

    @contextmanager
    def watching(self, watcher: Watcher) -> Iterator[None]:
        """Within the context, in this thread, loops tell `watcher`."""
        token = _WATCHER.set(watcher)
        try:
            yield
        finally:
            _WATCHER.reset(token)

    def opened(self, address: str) -> None:
        """Tell the user where the page is."""
        self._announce(address)

    def renderer(self) -> Any:
        """The recipe's renderer that serves.

        Raises:
            SidelightError: there is none.
        """
        for part in self.parts("renderer"):
            if "serves" in part.provides:
                return part.component()
        raise SidelightError("no renderer of the recipe serves a page")
