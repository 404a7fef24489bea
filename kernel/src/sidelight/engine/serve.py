"""`sidelight.serve`: a live page of a finished run, whose components come to life when they are needed."""

from __future__ import annotations

from contextlib import chdir, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError

from sidelight.engine.machine import Cancellation, limit_threads
from sidelight.engine.progress import Display
from sidelight.engine.results import load_run, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sidelight_specs.stage import Watcher

    from sidelight.engine.session import Session
    from sidelight.recipe.model import ResolvedComponent
    from sidelight.registry.catalog import Catalog

_RENDERERS, _LIVE_ID = "renderers", "live"
# each thread that serves a visitor watches its own loops
_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def serve(
    folder: str | Path,
    *,
    use: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    device: str = "auto",
    threads: int | None = None,
    announce: Callable[[str], None] = print,
) -> None:
    """Serve a live page of a finished run until it is interrupted.

    Relative paths of its recipe are meant from the folder in which it was run, which is the working folder meanwhile.

    Args:
        folder: the run's folder.
        use: the renderer that serves, as `PLUGIN/COMPONENT`; when None that of the recipe, or the only one installed.
        host: the address of the interface to listen on.
        port: the port, 0 for any free one.
        device: as for `sidelight.run`.
        threads: of the numeric libraries; when None as many as the run was computed with.
        announce: told the page's address.

    Raises:
        UserError: no such run, no renderer that serves, or it cannot listen there.
        SidelightError: a component failed.
    """
    manifest = read_manifest(Path(folder).expanduser().absolute())
    count = str(manifest.get("facts", {}).get("environment", {}).get("threads", ""))
    own = int(count) if count.isdecimal() else 0
    limit_threads(threads or own or None)  # as many as the run had, because keys count them; before numpy is imported

    from sidelight.engine.machine import resolve_device
    from sidelight.engine.progress import choose_display
    from sidelight.engine.session import Session
    from sidelight.engine.store import Store
    from sidelight.recipe.load import load_recipe
    from sidelight.registry.catalog import installed

    run, catalog = load_run(folder), installed()
    origin = Path(str(manifest.get("folder", "")))
    with chdir(origin if origin.is_absolute() and origin.is_dir() else "."):  # on another machine there is none
        resolved = load_recipe(_with_renderer(run.results.recipe, use, catalog), catalog=catalog, finished=True)
        device, display = resolve_device(device), choose_display(True)
        store = Store(notice=lambda text: display.say(f"warning: {text}"))
        # not guarded: the guard needs components to take turns, and a page has them at work in several threads
        session = Session(resolved, store, device, WatchedLoops(display), Cancellation())
        try:
            stage = LiveStage(session, host=host, port=port, announce=announce)
            stage.renderer().serve(run.results, stage)
        finally:
            display.close()
            store.close()


def _with_renderer(recipe: dict[str, Any], use: str | None, catalog: Catalog) -> dict[str, Any]:
    """The recipe with no other renderer than the one that serves; the recipe's own keeps its parameters."""
    section = recipe.get(_RENDERERS, {})
    own = {"renderer": section} if isinstance(section.get("use"), str) else section
    able = serving(catalog)
    chosen = {name: one for name, one in own.items() if one["use"] in able and use in (None, one["use"])}
    if not chosen:
        chosen = {_LIVE_ID: {"use": use or _only(able)}}
    first = next(iter(chosen))
    return {**recipe, _RENDERERS: {first: chosen[first]}}


def serving(catalog: Catalog) -> tuple[str, ...]:
    """The installed renderers that provide `serves`."""
    return tuple(one.use for one in catalog.usable("renderer") if "serves" in one.descriptor.capabilities)


def _only(able: tuple[str, ...]) -> str:
    if not able:
        raise UserError("no installed renderer serves a live page", "install a plugin with one: `sidelight plugins`")
    if len(able) > 1:
        raise UserError(f"several renderers serve a live page: {', '.join(able)}", "name one with --use")
    return able[0]


class WatchedLoops(Display):
    """Passes loops on to whoever watches in their thread, and everything else to another display."""

    def __init__(self, other: Display) -> None:
        self._other = other

    @contextmanager
    def loop(self, label: str, total: int | None) -> Iterator[Callable[[], None]]:
        """Tell the watcher of the start and of every item; what it raises comes out of the loop."""
        watcher, done = _WATCHER.get(), 0
        if watcher is None:
            with self._other.loop(label, total) as advance:
                yield advance
            return

        def advance_watched() -> None:
            nonlocal done
            done += 1
            watcher(label, done, total)

        watcher(label, 0, total)
        yield advance_watched

    def say(self, text: str) -> None:
        """Say it on the terminal."""
        self._other.say(text)


class LivePart:
    """Implements `sidelight_specs.stage.Part`."""

    def __init__(self, session: Session, component: ResolvedComponent) -> None:
        self._session, self._component = session, component
        self.id, self.use = component.id, component.use
        self.summary, self.provides = component.descriptor.summary, component.provides

    def component(self) -> Any:
        """The component, built on first use."""
        return self._session.get(self._component)

    def build(self, classifier: Any) -> Any:
        """The component built anew for another classifier."""
        return self._session.build(self._component, classifier)


class LiveStage:
    """Implements `sidelight_specs.stage.Stage`.

    Args:
        session: the run's components, whose loops tell `watching`.
        host: the interface to listen on.
        port: the port, 0 for any.
        announce: told the address once the page can be opened.
    """

    def __init__(self, session: Session, *, host: str, port: int, announce: Callable[[str], None]) -> None:
        self._session, self.host, self.port, self.opened = session, host, port, announce

    def parts(self, role: str) -> tuple[LivePart, ...]:
        """The components of one role, in recipe order."""
        return tuple(LivePart(self._session, component) for component in self._session.resolved.of_role(role))

    @contextmanager
    def watching(self, watcher: Watcher) -> Iterator[None]:
        """Within the context, in this thread, loops tell `watcher`."""
        token = _WATCHER.set(watcher)
        try:
            yield
        finally:
            _WATCHER.reset(token)

    def renderer(self) -> Any:
        """The recipe's renderer that serves."""
        return next(part for part in self.parts("renderer") if "serves" in part.provides).component()
