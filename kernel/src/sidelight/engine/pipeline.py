"""A run: its steps taken one after the other, its observers told, its folder published."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import Cancelled, SidelightError
from sidelight_specs.observers import RecipeFacts, RunFacts, StepFacts

from sidelight.engine.guard import Untrustworthy
from sidelight.engine.machine import Cancellation, on_interrupt, resolve_device
from sidelight.engine.plan import Step, plan
from sidelight.engine.progress import choose_display
from sidelight.engine.results import FORMAT, MANIFEST, LeftOut, Run, run_folder
from sidelight.engine.session import Session
from sidelight.engine.steps import Steps
from sidelight.engine.store import Store, digests_below
from sidelight.registry.catalog import installed
from sidelight.registry.load import Observers

if TYPE_CHECKING:
    from sidelight.recipe.model import Resolved


def execute(
    resolved: Resolved, out: Path, device: str, *, progress: bool, cancellation: Cancellation | None, began: float
) -> Run:
    """Run a resolved recipe; `began` is when its reading did, other arguments and errors are as for `sidelight.run`.

    Where anything but data or classifier fails, the run goes on, and `Run.check` raises the error.
    """
    cancellation, notices = cancellation or Cancellation(), list[str]()
    planned = plan(resolved)

    def notice(text: str) -> None:
        notices.append(text)
        display.say(f"warning: {text}")

    with (
        run_folder(out) as folder,
        closing(choose_display(progress)) as display,
        closing(Store(notice=notice)) as store,
    ):
        for warning in resolved.warnings:
            notice(warning.sentence)
        session = Session(resolved, store, resolve_device(device), display, cancellation, guarded=True)
        steps, observers = Steps(session, folder.staging), Observers(notice)
        observers.add(display, "progress")  # ours first
        observers.add_installed(installed())
        titles = tuple(step.title for step in planned)
        run = RunFacts(name=resolved.name, folder=folder.out, device=session.device, steps=titles)
        source = str(resolved.source or "")
        recipe = RecipeFacts(name=resolved.name, seed=resolved.seed, source=source, recipe=resolved.plain)
        observers.tell("recipe_resolved", recipe=recipe)
        with on_interrupt(cancellation, display.say):
            taken = _take_all(steps, planned, observers, run)
        saved = []
        for path, artifact, location in steps.complete().save(folder.staging):
            name, facts = "/".join(path), {"path": list(path), "folder": location, "kind": artifact.kind}
            saved.append({**facts, "digest": steps.digests[name]})
            file = folder.staging / location
            observers.tell("artifact_saved", run=run, name=name, artifact=artifact, path=file)
        manifest = {**_manifest(steps, perf_counter() - began), "results": saved, "steps": taken}
        manifest["warnings"] += notices
        text = json.dumps(manifest, indent=1) + "\n"
        (folder.staging / MANIFEST).write_text(text, encoding="utf-8")
        folder.publish()
        errors = [error for _, error in steps.failures]
        ended = attrs.evolve(run, seconds=perf_counter() - began, errors=tuple(map(str, errors)))
        observers.tell("run_finished", run=ended)
    return Run(folder.out, json.loads(text), steps.results, errors)


def _take_all(steps: Steps, planned: tuple[Step, ...], observers: Observers, run: RunFacts) -> list[dict[str, Any]]:
    """Take the steps in their order; gives those that succeeded, with their times, as the manifest lists them.

    One that fails is noted, and those that need its component are left out; without images, without a classifier, or
    with a shared component that cannot be relied upon, the run ends.
    """
    session, taken = steps.session, list[dict[str, Any]]()

    def counts() -> dict[str, float]:
        return {"seconds": perf_counter(), "inside": session.seconds, "made": session.made, "found": session.found}

    observers.tell("run_started", run=run)
    for number, step in enumerate(planned, 1):
        session.cancellation.check()
        one, error = step.component, ""
        facts = StepFacts(
            title=step.title, verb=step.verb, use=one.use, id=one.id, role=one.role, number=number, total=len(planned)
        )
        observers.tell("step_started", run=run, step=facts)
        session.doing, before = step, counts()
        try:
            for failed, _ in steps.failures:
                if failed.component in one.closure:  # it would fail again, or be wrong
                    raise LeftOut(f"{one.title} is left out, because {failed.component.path} failed")
            getattr(steps, step.verb)(one)
        except (Cancelled, Untrustworthy):
            raise
        except SidelightError as failure:
            if one in (session.resolved.data, session.resolved.classifier):
                raise
            error = str(failure)
            steps.failures.append((step, failure))
            session.record.warn(error)
        spent = {name: count - before[name] for name, count in counts().items()}
        cached = bool(spent["found"] and not spent["made"])
        observers.tell("step_finished", run=run, step=facts, error=error, cached=cached, **spent)
        if not error:
            taken.append({"step": step.title, "component": one.use, **spent})
        session.keep_only({needed for later in planned[number:] for needed in later.component.closure})
    session.cancellation.check()
    return taken


def _manifest(steps: Steps, total: float) -> dict[str, Any]:
    """What `run.json` says of a run that took `total` seconds, beside the lists of steps and results."""
    session, inside = steps.session, steps.session.seconds
    return {
        "sidelight_run": FORMAT,
        "status": "failed" if steps.failures else "done",
        "failures": [
            {"step": step.title, "component": step.component.use, "error": str(error)} for step, error in steps.failures
        ],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": str(session.resolved.source or ""),
        "folder": str(Path.cwd()),  # relative paths of the recipe are meant from here
        "device": session.device,
        "seeds": {"recipe": session.resolved.seed, **session.seeds},
        "facts": steps.results.facts(),
        "rendered": {name: {"folder": folder, "files": names} for name, (folder, names) in steps.rendered.items()},
        "outputs": {"artifacts": steps.digests, "files": digests_below(steps.folder)},
        "warnings": list(session.record.warnings),
        "cache": {"found": session.found, "made": session.made},
        # the kernel's own time is the difference; the guard's is CPU time
        "seconds": {"total": total, "components": inside, "kernel": total - inside, "guard": session.guard.seconds},
    }
