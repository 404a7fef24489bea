"""A run: its steps taken one after the other, its observers told, its folder published."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import Cancelled, SidelightError, hookimpl
from sidelight_specs.digests import digest_file
from sidelight_specs.observers import RecipeFacts, RunFacts, StepFacts

from sidelight.engine.guard import Untrustworthy
from sidelight.engine.machine import Cancellation, on_interrupt, resolve_device
from sidelight.engine.plan import Step, plan
from sidelight.engine.progress import choose_display
from sidelight.engine.results import FORMAT, MANIFEST, LeftOut, Run, RunFolder
from sidelight.engine.session import Clock, Session
from sidelight.engine.steps import Steps
from sidelight.engine.store import Store, sync_files
from sidelight.registry.catalog import installed
from sidelight.registry.load import Observers

if TYPE_CHECKING:
    from sidelight_specs import Artifact

    from sidelight.recipe.model import Resolved


def execute(
    resolved: Resolved, out: Path, device: str, *, progress: bool, cancellation: Cancellation | None, clock: Clock
) -> Run:
    """Run a resolved recipe; arguments and errors as for `sidelight.run`.

    Where anything but data or classifier fails, the run goes on, and `Run.check` raises the error.
    """
    cancellation, notices = cancellation or Cancellation(), list[str]()
    planned = plan(resolved)

    def notice(text: str) -> None:
        notices.append(text)
        display.say(f"warning: {text}")

    with (
        RunFolder(out) as folder,
        closing(choose_display(progress)) as display,
        closing(Store(notice=notice)) as store,
    ):
        for warning in resolved.warnings:
            notice(warning.sentence)
        session = Session(resolved, store, resolve_device(device), display, cancellation, clock, guarded=True)
        steps, observers = Steps(session, folder.staging), Observers(notice)
        manifest = Manifest(steps, notices)
        observers.add(manifest, "manifest")  # ours first
        observers.add(display, "progress")
        observers.add_installed(installed())

        def run() -> RunFacts:
            return RunFacts(
                name=resolved.name,
                folder=folder.out,
                device=session.device,
                steps=tuple(step.title for step in planned),
                seconds=clock.total,
                errors=tuple(str(error) for _, error in steps.failures),
            )

        source = str(resolved.source or "")
        facts = RecipeFacts(name=resolved.name, seed=resolved.seed, source=source, recipe=resolved.plain)
        observers.tell("recipe_resolved", recipe=facts)
        with folder.writing():  # components' own OSErrors are wrapped, the cache's are named
            with on_interrupt(cancellation, display.say):
                _take_all(steps, planned, observers, run())
            for path, artifact, location in steps.complete().save(folder.staging):
                name = manifest.add(path, artifact, location)
                saved = folder.staging / location
                observers.tell("artifact_saved", run=run(), name=name, artifact=artifact, path=saved)
            sync_files(folder.staging)
            text = json.dumps(manifest.document(), indent=1) + "\n"
            (folder.staging / MANIFEST).write_text(text, encoding="utf-8")
            folder.publish()
        observers.tell("run_finished", run=run())
    return Run(folder.out, json.loads(text), steps.results, [error for _, error in steps.failures])


def _take_all(steps: Steps, planned: tuple[Step, ...], observers: Observers, run: RunFacts) -> None:
    """Take the steps in their order; one that fails is noted, and those that need its component are left out.

    Raises:
        SidelightError: without images, or without a classifier, there is nothing to explain.
        Untrustworthy: a shared component cannot be relied upon any more.
        Cancelled: the user asked to stop.
    """
    session = steps.session
    observers.tell("run_started", run=run)
    for number, step in enumerate(planned, 1):
        session.cancellation.check()
        one, error = step.component, ""
        facts = StepFacts(
            title=step.title, verb=step.verb, use=one.use, id=one.id, role=one.role, number=number, total=len(planned)
        )
        observers.tell("step_started", run=run, step=facts)
        session.doing, before = step, session.counts()
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
        counts = {name: count - before[name] for name, count in session.counts().items()}
        cached = bool(counts["found"] and not counts["made"])
        observers.tell("step_finished", run=run, step=facts, error=error, cached=cached, **counts)
        session.keep_only({needed for later in planned[number:] for needed in later.component.closure})
    session.cancellation.check()


class Manifest:
    """Built-in observer that notes the steps for `run.json`, the last file of a run.

    Args:
        steps: everything that the run has made.
        notices: warnings of the kernel itself: damaged cache entries.
    """

    def __init__(self, steps: Steps, notices: list[str]) -> None:
        self._run, self._notices = steps, notices
        self._steps: list[dict[str, Any]] = []
        self._results: list[dict[str, Any]] = []

    @hookimpl
    def sidelight_step_finished(
        self, step: StepFacts, seconds: float, inside: float, made: int, found: int, error: str
    ) -> None:
        """Note a step that succeeded."""
        if not error:
            timing = {"seconds": seconds, "inside": inside, "made": made, "found": found}
            self._steps.append({"step": step.title, "component": step.use, **timing})

    def add(self, path: tuple[str, ...], artifact: Artifact, folder: str) -> str:
        """Note a result that was saved; gives its name."""
        name = "/".join(path)
        digest = self._run.digests[name]
        self._results.append({"path": list(path), "folder": folder, "kind": artifact.kind, "digest": digest})
        return name

    def document(self) -> dict[str, Any]:
        """The content of `run.json`."""
        steps, session, staging = self._run, self._run.session, self._run.folder
        files = sorted(path for path in staging.rglob("*") if path.is_file())
        digests = {path.relative_to(staging).as_posix(): digest_file(path) for path in files}
        total, inside = session.clock.total, session.clock.components
        return {
            "sidelight_run": FORMAT,
            "status": "failed" if steps.failures else "done",
            "failures": [
                {"step": step.title, "component": step.component.use, "error": str(error)}
                for step, error in steps.failures
            ],
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "source": str(session.resolved.source or ""),
            "folder": str(Path.cwd()),  # relative paths of the recipe are meant from here
            "device": session.device,
            "seeds": {"recipe": session.resolved.seed, **session.seeds},
            "facts": steps.results.facts(),
            "results": self._results,
            "rendered": {name: {"folder": folder, "files": names} for name, (folder, names) in steps.rendered.items()},
            "outputs": {"artifacts": steps.digests, "files": digests},
            "warnings": [*session.record.warnings, *self._notices],
            "steps": self._steps,
            "cache": {"found": session.found, "made": session.made},
            # the kernel's own time is the difference; the guard's is CPU time
            "seconds": {"total": total, "components": inside, "kernel": total - inside, "guard": session.guard.seconds},
        }
