"""`sidelight.run`: from a recipe to a finished run; and the forecast of a run."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs import SidelightError

from sidelight.engine.machine import likely_kind, limit_threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sidelight.engine.machine import Cancellation
    from sidelight.engine.results import Run
    from sidelight.recipe.model import Resolved, ResolvedComponent


def run(
    recipe: str | Path | Mapping[str, Any],
    *,
    set: str | Sequence[str] = (),
    swap: str | Sequence[str] = (),
    out: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: bool = True,
    cancellation: Cancellation | None = None,
    check: bool = True,
) -> Run:
    """Run a recipe; results of earlier runs come from the cache.

    Args:
        recipe: a file, or the same structure as a dict.
        set: one change or several, such as `"explainers.cdeepex.with.steps=50"`.
        swap: one exchange or several, such as `"generator=cdeepex/gan"`.
        out: the run's folder; `runs/<name of the recipe>` when None.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        threads: of the numeric libraries; when None one, or as many as `OMP_NUM_THREADS` says. Takes full effect
            only before torch has been imported.
        progress: True to show it on the standard error stream.
        cancellation: lets another thread ask the run to stop.
        check: True to raise an error for steps that failed while the run went on; the run lies in its folder
            anyway, and `Run.check` raises the error later.

    Returns:
        the finished run, which also lies in its folder.

    Raises:
        UserError: the recipe, its data, the device or a folder cannot be used.
        SidelightError: a component failed.
        Cancelled: the user asked to stop; running again continues.
    """
    limit_threads(threads)  # before anything imports numpy or torch

    from sidelight.engine.pipeline import execute
    from sidelight.recipe.load import load_recipe
    from sidelight.registry.catalog import installed

    began = perf_counter()
    source = Path(recipe) if isinstance(recipe, str) else recipe
    resolved = load_recipe(source, set=_several(set), swap=_several(swap), catalog=installed())
    folder = default_folder(resolved, out)
    run = execute(resolved, folder, device, progress=progress, cancellation=cancellation, began=began)
    if check:
        run.check()
    return run


def _several(texts: str | Sequence[str]) -> Sequence[str]:
    return [texts] if isinstance(texts, str) else texts


def default_folder(resolved: Resolved, out: str | Path | None) -> Path:
    """The folder of a run: the one that was named, else `runs/` and the recipe's name."""
    return Path(out) if out is not None else Path("runs") / resolved.name


@frozen
class Forecast:
    """Forecast of a run: its folder, and which steps the store holds.

    Args:
        out: its folder.
        overwrites: when the run that lies there was finished; empty where there is none.
        device: the kind of device that is assumed.
        stored: titles of the steps that the store holds.
        computed: titles of the steps that it does not hold.
        open: how many steps are looked up on the way.
    """

    out: Path
    overwrites: str
    device: str
    stored: tuple[str, ...]
    computed: tuple[str, ...]
    open: int


def forecast(resolved: Resolved, out: str | Path | None = None) -> Forecast:
    """The forecast of a recipe's run, without loading a component.

    Keys of reading and of training follow from the recipe and from what descriptors tell of the data; those of later
    steps depend on results, so that nothing is said about these but how many there are.

    Raises:
        UserError: the folder holds something else than a run.
    """
    from sidelight.engine.plan import Keys, images_read, plan
    from sidelight.engine.results import standing_run
    from sidelight.engine.store import Store

    folder, kind, store = default_folder(resolved, out), likely_kind(), Store()
    keys = Keys(resolved.seed, kind, _fingerprint)
    stored, computed, steps = list[str](), list[str](), plan(resolved)
    for step in steps:
        data = step.component.trained_on
        try:
            if step.verb == "read":
                key = keys.step(step.component, "read", images_read(resolved.explain))
            elif step.verb == "fit" and data is not None:
                key = keys.step(step.component, "fit", {"data": keys.component(data)})
            else:
                continue
        except SidelightError:  # the key depends on what only the data itself can tell
            continue
        (stored if store.holds(key) else computed).append(step.title)
    overwrites = standing_run(folder.expanduser().absolute())
    return Forecast(folder, overwrites, kind, tuple(stored), tuple(computed), len(steps) - len(stored) - len(computed))


def _fingerprint(component: ResolvedComponent) -> str:
    facts = getattr(component.descriptor, "facts", None)
    fingerprint = facts(component.params).fingerprint if facts else None
    if fingerprint is None:
        raise SidelightError(f"{component.use} tells its fingerprint only when it is loaded")
    return str(fingerprint)
