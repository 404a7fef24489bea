"""The public functions `sidelight.run` and `sidelight.serve`."""

from __future__ import annotations

from contextlib import chdir, closing
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError
from sidelight_specs.stage import Part, Public, Stage
from sidelight_specs.wording import did_you_mean, listing, quoted

from sidelight.engine.forecast import default_folder
from sidelight.engine.machine import Cancellation, arithmetic, limit_threads, resolve_device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sidelight.engine.frozen import Frozen
    from sidelight.engine.results import Run
    from sidelight.recipe.model import ResolvedComponent
    from sidelight.registry.catalog import Catalog


def run(
    recipe: str | Path | Mapping[str, Any],
    *,
    set: str | Sequence[str] = (),
    swap: str | Sequence[str] = (),
    out: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    tf32: bool = False,
    compile: bool = False,
    executor: str | None = None,
    workers: int | None = None,
    progress: bool = True,
    cancellation: Cancellation | None = None,
    check: bool = True,
    fresh: bool = False,
    learned: Mapping[str, str | Path] | None = None,
    frozen: str | Path | bool = False,
) -> Run:
    """Run a recipe; results of earlier runs come from the cache.

    Args:
        recipe: a file, the name of an installed recipe, or the same structure as a dict.
        set: one change or several, such as `"explainers.cdeepex.with.steps=50"`.
        swap: one exchange or several, such as `"generator=cdeepex/gan"`.
        out: the run's folder; `runs/<name of the recipe>` when None.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        threads: of the numeric libraries; when None one, or as many as `OMP_NUM_THREADS` says. Takes full effect
            only before torch has been imported.
        tf32: True to let an NVIDIA GPU round factors of products to 10 bits, which is faster and less exact.
        compile: True for `torch.compile` of classifiers, which takes minutes first; see docs/how-to/running.md.
        executor: what computes the run's units of work, in place of the recipe's executor: `processes`, or
            PLUGIN/COMPONENT. Results do not depend on it.
        workers: how many the executor has; its parameter `workers`.
        progress: True to show it on the standard error stream.
        cancellation: lets another thread ask the run to stop.
        check: True to raise an error for steps that failed while the run went on; the run lies in its folder
            anyway, and `Run.check` raises the error later.
        fresh: True to compute everything anew: nothing comes from the cache, and nothing is kept in it.
        learned: weights in the place of trainings, as the path of a component in the recipe and the folder of its
            `State`; for a fresh run alone, because nothing tells how they came about.
        frozen: a lock to obey, or True for the one beside the recipe. What differs is refused, all of it by name,
            before anything is computed; weights and images that come out otherwise fail the run afterwards.

    Returns:
        the finished run, which also lies in its folder.

    Raises:
        UserError: the recipe, its data, the device or a folder cannot be used.
        SidelightError: a component failed.
        Cancelled: the user asked to stop; running again continues.
    """
    if learned and not fresh:
        raise UserError("learned weights are given to a run that keeps its results", "set fresh=True")
    limit_threads(threads)  # before anything imports numpy or torch

    from sidelight.engine.pipeline import execute
    from sidelight.recipe.load import load_recipe
    from sidelight.registry.catalog import installed

    began = perf_counter()
    source, catalog = Path(recipe) if isinstance(recipe, str) else recipe, installed()
    obeyed = _obeyed(frozen, source, catalog)
    load = partial(load_recipe, source, swap=_several(swap), catalog=catalog)
    if workers is not None and executor is None and not load(set=_several(set)).of_role("executor"):
        known = [_short_name(use) for use in _executors(catalog)]
        raise UserError("workers are asked for, and there is no executor to have them", f"name one: {listing(known)}")
    resolved = load(set=[*_executor_settings(executor, workers, catalog), *_several(set)])
    if obeyed is not None:
        obeyed.check(resolved, catalog)
    folder = default_folder(resolved, out)
    with arithmetic(tf32=tf32, compile=compile):
        run = execute(
            resolved,
            folder,
            device,
            progress=progress,
            cancellation=cancellation,
            began=began,
            fresh=fresh,
            learned=learned,
            frozen=obeyed,
        )
    if check:
        run.check()
    return run


def _obeyed(frozen: str | Path | bool, recipe: Path | Mapping[str, Any], catalog: Catalog) -> Frozen | None:
    """The lock that a run obeys, compared with what is installed."""
    if frozen is False:
        return None

    from sidelight.engine.frozen import Frozen
    from sidelight.engine.lock import lock_path

    if frozen is not True:
        return Frozen.read(Path(frozen), catalog)
    if not isinstance(recipe, Path):
        raise UserError("a recipe that is no file has no lock beside it", "name the lock")
    return Frozen.read(lock_path(recipe), catalog)


def lock(
    recipe: str | Path | Mapping[str, Any],
    *,
    set: str | Sequence[str] = (),
    swap: str | Sequence[str] = (),
    strict: bool = False,
) -> dict[str, Any]:
    """The lock of a recipe: digests of all that a run depends on, which `run(..., frozen=LOCK)` obeys.

    Args:
        recipe: a file, the same structure as a dict, or the folder of a finished run, which gives the digests of its
            trained weights and of its images as well.
        set: as for `sidelight.run`.
        swap: likewise.
        strict: True to have another patch version of Python and another platform refused, not warned of.

    Returns:
        plain values, which `json` writes.

    Raises:
        UserError: the recipe, or a file that it reads, cannot be used; a run was made with other versions.
    """
    from sidelight.engine.lock import lock_of
    from sidelight.engine.results import MANIFEST, read_manifest
    from sidelight.recipe.load import load_recipe
    from sidelight.registry.catalog import installed

    catalog = installed()
    load = partial(load_recipe, set=_several(set), swap=_several(swap), catalog=catalog)
    if isinstance(recipe, (str, Path)) and (Path(recipe) / MANIFEST).is_file():
        folder = Path(recipe).expanduser().absolute()
        manifest = read_manifest(folder)
        with chdir(_made_in(manifest, folder)):
            resolved = load(manifest["facts"]["recipe"], called=f"the recipe of {recipe}")
            return lock_of(resolved, catalog, strict=strict, manifest=manifest)
    return lock_of(load(Path(recipe) if isinstance(recipe, str) else recipe), catalog, strict=strict)


def _several(texts: str | Sequence[str]) -> Sequence[str]:
    return [texts] if isinstance(texts, str) else texts


def _executor_settings(executor: str | None, workers: int | None, catalog: Catalog) -> Iterator[str]:
    """An executor, by its whole or short name, and its number of workers as settings of a recipe."""
    if executor is not None:
        uses = _executors(catalog)
        same = [use for use in uses if executor in (use, _short_name(use))]
        if not same:
            fix = did_you_mean(executor, [*uses, *map(_short_name, uses)]) or f"installed: {listing(uses)}"
            raise UserError(f"no executor {quoted(executor)} is installed", fix)
        if len(same) > 1:
            raise UserError(f"several executors are called {quoted(executor)}", f"name one in full: {listing(same)}")
        yield f"executor.use={same[0]}"
    if workers is not None:
        yield f"executor.with.workers={workers}"


def _executors(catalog: Catalog) -> list[str]:
    return [one.use for one in catalog.entries("executor")]


def _short_name(use: str) -> str:
    return use.rpartition("/")[2]


def serve(
    folder: str | Path,
    *,
    use: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    device: str = "auto",
    threads: int | None = None,
    announce: Callable[[str], None] = print,
    origin: str = "",
    prefix: str = "",
    token: str = "",
) -> None:
    """Serve a live page of a finished run until it is interrupted.

    Relative paths of its recipe are meant from the folder in which it was run, which is the working folder meanwhile.
    Where that folder is gone, it is the one that holds `runs/NAME`, else the working folder.

    Args:
        folder: the run's folder.
        use: the renderer that serves, as `PLUGIN/COMPONENT`; when None that of the recipe, or the only one installed.
        host: the address of the interface to listen on.
        port: the port, 0 for any free one.
        device: as for `sidelight.run`.
        threads: of the numeric libraries; when None as many as the run was computed with.
        announce: told the page's address.
        origin: public origin of a reverse proxy before it, such as `https://lab.example.org`; needs a `port`.
        prefix: path of the page at that origin, such as `/explorer`.
        token: that the page wants; when empty a new one each time.

    Raises:
        UserError: no such run, no renderer that serves, or it cannot listen there.
        SidelightError: a component failed.
    """
    public = Public(origin, prefix, token)
    if origin and not port:
        raise UserError(f"the proxy at {origin} has to know the port", "name it with --port")

    from sidelight.engine.results import KEPT, load_run, read_manifest

    manifest = read_manifest(Path(folder).expanduser().absolute())
    count = str(manifest.get("facts", {}).get("environment", {}).get("threads", ""))
    own = int(count) if count.isdecimal() else 0
    options = str(manifest.get("facts", {}).get("environment", {}).get("arithmetic", "")).split(", ")
    limit_threads(threads or own or None)  # as many as the run had, because keys count them; before numpy is imported

    from sidelight.engine.progress import choose_display, watching
    from sidelight.engine.session import Session
    from sidelight.engine.store import Store
    from sidelight.recipe.load import load_recipe
    from sidelight.registry.catalog import installed

    run, catalog = load_run(folder), installed()
    with chdir(_made_in(manifest, run.folder)):
        recipe = {**run.results.recipe, "renderers": _renderer(run.results.recipe, use, catalog)}
        resolved = load_recipe(recipe, catalog=catalog, finished=True, called=f"the recipe of {folder}")
        device, display = resolve_device(device), choose_display(True)
        store = Store(notice=lambda text: display.say(f"warning: {text}"))

        def part(one: ResolvedComponent) -> Part:
            get, build = partial(session.get, one), partial(session.build, one)
            return Part(one.id, one.use, one.descriptor.summary, one.provides, get, build)

        def parts(role: str) -> tuple[Part, ...]:
            return tuple(map(part, resolved.of_role(role)))

        has_tf32 = "tf32" in options and device.startswith("cuda")  # else no answer of the run is looked up anyway
        with closing(store), closing(display), arithmetic(tf32=has_tf32, compile="compile" in options):
            # not guarded: the guard needs components to take turns, and a page has them at work in several threads
            session = Session(resolved, store, device, display, Cancellation())
            renderer = session.get(resolved.of_role("renderer")[0])
            renderer.serve(run.results, Stage(host, port, parts, watching, announce, run.folder / KEPT, public))


def _made_in(manifest: dict[str, Any], folder: Path) -> Path:
    """The folder that relative paths of a run's recipe are meant from.

    It is gone where the run was moved or came from another machine; beside `runs/NAME` may then lie what it needs.
    """
    made = Path(str(manifest.get("folder", "")))
    if made.is_absolute() and made.is_dir():
        return made
    return folder.parent.parent if folder.parent.name == "runs" else Path()


def _renderer(recipe: dict[str, Any], use: str | None, catalog: Catalog) -> dict[str, Any]:
    """Section of the one renderer that serves: the recipe's own, with its parameters, or the only one installed."""
    able = [one.use for one in catalog.usable("renderer") if "serves" in one.descriptor.capabilities]
    section = recipe.get("renderers", {})
    for name, one in ({"renderer": section} if isinstance(section.get("use"), str) else section).items():
        if one["use"] in able and use in (None, one["use"]):
            return {name: one}
    if use is None and not able:
        raise UserError("no installed renderer serves a live page", "install a plugin with one: `sidelight plugins`")
    if use is None and len(able) > 1:
        raise UserError(f"several renderers serve a live page: {', '.join(able)}", "name one with --use")
    return {"live": {"use": use or able[0]}}
