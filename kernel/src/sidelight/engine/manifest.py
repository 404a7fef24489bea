"""`run.json`: what was run, with what, how long it took, and the digests of all that came out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs.digests import digest_file

from sidelight.engine.folder import MANIFEST
from sidelight.engine.results import facts_of, save_results
from sidelight.engine.scratch import sync_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results import Results

    from sidelight.engine.journal import Timing
    from sidelight.engine.work import Work

FORMAT = 1


def write_run(work: Work, results: Results, timings: Sequence[Timing], notices: Sequence[str]) -> dict[str, Any]:
    """Save the results and the manifest into the run's folder, beside what the renderers wrote.

    Args:
        work: the finished work.
        results: what the renderers got.
        timings: of every step.
        notices: what the kernel itself warned of: damaged cache entries.

    Returns:
        the manifest, as `run.json` holds it.
    """
    listing = save_results(results, work.folder, work.digests)
    sync_files(work.folder)  # now, so that its time is counted
    manifest = {
        "sidelight_run": FORMAT,
        "status": "failed" if work.failures else "done",
        "failures": [
            {"step": failure.step, "component": failure.component.use, "error": str(failure.error)}
            for failure in work.failures
        ],
        **_about(work),
        "facts": facts_of(results),
        "results": listing,
        "rendered": {name: {"folder": place, "files": files} for name, (place, files) in work.rendered.items()},
        "outputs": {"artifacts": work.digests, "files": _file_digests(work.folder)},
        "warnings": [*work.session.record.warnings, *notices],
        "steps": [attrs.asdict(timing) for timing in timings],
        "cache": {"found": work.session.found, "made": work.session.made},
        "seconds": _seconds(work),
    }
    plain: dict[str, Any] = json.loads(json.dumps(manifest))
    text = json.dumps(plain, indent=1) + "\n"
    (work.folder / MANIFEST).write_text(text, encoding="utf-8")
    return plain


def _about(work: Work) -> dict[str, Any]:
    resolved = work.session.resolved
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": str(resolved.source) if resolved.source else "",
        "folder": str(Path.cwd()),  # relative paths of the recipe are meant from here
        "device": work.session.device,
        "seeds": {"recipe": resolved.seed, **work.session.seeds},
    }


def _file_digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in files}


def _seconds(work: Work) -> dict[str, float]:
    """Whole run, time inside components, and the difference: what the kernel itself took; CPU time of fingerprints."""
    total, inside = work.session.clock.total, work.session.clock.components
    return {"total": total, "components": inside, "kernel": total - inside, "guard": work.session.guard.seconds}
