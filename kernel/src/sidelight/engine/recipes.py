"""`sidelight.run`: from a recipe to a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight.engine.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sidelight.engine.cancel import Cancellation
    from sidelight.engine.finished import Run


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
    """Run a recipe, taking from the cache whatever earlier runs have made.

    Args:
        recipe: a file, or the same structure as a dict.
        set: one change or several, such as `"explainers.cdeepex.with.steps=50"`.
        swap: one exchange or several, such as `"generator=cdeepex/gan"`.
        out: the run's folder; `runs/<name of the recipe>` when None.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        threads: of the numeric libraries; when None one, or what `OMP_NUM_THREADS` says. Takes full effect
            only before torch has been imported.
        progress: whether to show any.
        cancellation: lets another thread ask the run to stop.
        check: whether steps that failed while the run went on are an error; the run lies in its folder anyway, and
            `Run.check` raises the error later.

    Returns:
        the finished run, which also lies in its folder.

    Raises:
        UserError: the recipe, its data, the device or a folder cannot be used.
        SidelightError: a component failed.
        Cancelled: the user asked to stop; running again continues.
    """
    limit_threads(threads)  # before anything imports numpy or torch

    from sidelight.engine.execute import execute
    from sidelight.engine.journal import Clock
    from sidelight.engine.prospect import default_folder
    from sidelight.recipe.load import load_recipe
    from sidelight.registry.catalog import installed

    clock = Clock()
    source = Path(recipe) if isinstance(recipe, str) else recipe
    resolved = load_recipe(source, set=_several(set), swap=_several(swap), catalog=installed())
    run = execute(
        resolved,
        default_folder(resolved, out),
        device=device,
        progress=progress,
        cancellation=cancellation,
        clock=clock,
    )
    if check:
        run.check()
    return run


def _several(texts: str | Sequence[str]) -> Sequence[str]:
    return [texts] if isinstance(texts, str) else texts
