"""The last steps: what the run leaves for people to look at."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sidelight_specs import SidelightError

from sidelight.engine.guard import Untrustworthy
from sidelight.engine.results import collect, digest_results, digests_of, safe_name, unique_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sidelight_specs.results import Results

    from sidelight.engine.work import Work
    from sidelight.recipe.model import ResolvedComponent

RESERVED = ("results", "run.json")


def finished_results(work: Work) -> Results:
    """All results, put together once."""
    if work.results is None:
        work.results = collect(work)
        work.digests = digests_of(work.results)
    return work.results


def render(work: Work, component: ResolvedComponent) -> None:
    """One renderer's files, into a folder of its own."""
    session, results = work.session, finished_results(work)
    taken = {*RESERVED, *(place.lower() for place, _ in work.rendered.values())}
    place = unique_name(safe_name(component.id), taken)
    folder = work.folder / place

    def make() -> tuple[str, ...]:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        renderer = session.components.get(component)
        with session.inside(component, "render"):
            files = _relative(renderer.render(results, folder), folder)
        changed = [path for path, digest in digests_of(results).items() if work.digests[path] != digest]
        if changed:
            raise Untrustworthy(f"{component.title} changed the results it shows: {changed[0]}")
        return files

    inputs = {"results": digest_results(results, work.digests)}
    try:
        entry = session.keep_files(component, inputs, folder, make)
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)  # half a page is none
        raise
    work.rendered[component.id] = (place, entry.files)


def _relative(paths: Sequence[Path], folder: Path) -> tuple[str, ...]:
    """Names relative to the renderer's folder.

    Raises:
        SidelightError: no file, one that is not there, or one outside the folder.
    """
    if not paths:
        raise SidelightError("the renderer wrote no file")
    for path in paths:
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            raise SidelightError(f"the renderer names {path}, which is no file in the folder it was given")
    return tuple(path.resolve().relative_to(folder.resolve()).as_posix() for path in paths)
