"""`sidelight.serve`: a live page of a finished run."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError

from sidelight.engine.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight.engine.finished import Run
    from sidelight.registry.catalog import Catalog

RENDERERS = "renderers"
LIVE_ID = "live"


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
    limit_threads(threads or _threads_of(folder))  # the run's own, because keys count them

    from sidelight.engine.device import resolve_device
    from sidelight.engine.finished import load_run
    from sidelight.engine.live import LiveStage
    from sidelight.engine.reporting import choose_reporter
    from sidelight.engine.store import Store
    from sidelight.recipe.load import load_recipe
    from sidelight.registry.catalog import installed

    run, catalog = load_run(folder), installed()
    with chdir(_folder_of(run)):
        resolved = load_recipe(_with_renderer(run.results.recipe, use, catalog), catalog=catalog, finished=True)
        device = resolve_device(device)
        reporter = choose_reporter(True)
        store = Store(notice=lambda text: reporter.say(f"warning: {text}"))
        try:
            stage = LiveStage(resolved, store, device, reporter, host=host, port=port, announce=announce)
            stage.renderer().serve(run.results, stage)
        finally:
            reporter.close()
            store.close()


def _threads_of(folder: str | Path) -> int | None:
    """The number of threads that a run was computed with; None where it does not say."""
    from sidelight.engine.folder import read_manifest

    manifest = read_manifest(Path(folder).expanduser().absolute())
    said = str(manifest.get("facts", {}).get("environment", {}).get("threads", ""))
    return int(said) if said.isdecimal() and int(said) > 0 else None


def _folder_of(run: Run) -> Path:
    """The folder in which the recipe was run; today's where that is gone, as on another machine."""
    folder = Path(str(run.manifest.get("folder", "")))
    return folder if folder.is_absolute() and folder.is_dir() else Path.cwd()


def _with_renderer(recipe: dict[str, Any], use: str | None, catalog: Catalog) -> dict[str, Any]:
    """The recipe with no other renderer than the one that serves; the recipe's own keeps its parameters."""
    own = _listed(recipe.get(RENDERERS, {}))
    able = serving(catalog)
    chosen = {name: part for name, part in own.items() if part["use"] in able and use in (None, part["use"])}
    if not chosen:
        chosen = {LIVE_ID: {"use": use or _only(able)}}
    first = next(iter(chosen))
    return {**recipe, RENDERERS: {first: chosen[first]}}


def _listed(section: dict[str, Any]) -> dict[str, Any]:
    return {"renderer": section} if isinstance(section.get("use"), str) else section


def serving(catalog: Catalog) -> tuple[str, ...]:
    """The installed renderers that provide `serves`."""
    from sidelight.registry.model import Available

    found = []
    for entry in catalog.entries():
        known = catalog.lookup(entry.use, entry.role) if entry.role == "renderer" else None
        if isinstance(known, Available) and "serves" in known.descriptor.capabilities:
            found.append(entry.use)
    return tuple(found)


def _only(able: tuple[str, ...]) -> str:
    if not able:
        raise UserError("no installed renderer serves a live page", "Install a plugin with one: `sidelight plugins`.")
    if len(able) > 1:
        raise UserError(f"several renderers serve a live page: {', '.join(able)}", "Name one with --use.")
    return able[0]
