"""A run: its steps taken one after the other, its observers told, its folder published."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs import Cancelled, SidelightError, UserError, hookimpl
from sidelight_specs.digests import digest_file
from sidelight_specs.observers import RecipeFacts, StepFacts

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
    from collections.abc import Sequence

    from sidelight.recipe.model import Resolved


def execute(
    resolved: Resolved, out: Path, device: str, *, progress: bool, cancellation: Cancellation | None, clock: Clock
) -> Run:
    """Run a resolved recipe; arguments and errors as for `sidelight.run`.

    Where anything but data or classifier fails, the run goes on, and `Run.check` raises the error.
    """
    cancellation, notices = cancellation or Cancellation(), list[str]()
    planned = plan(resolved)
    with RunFolder(out) as folder:
        display = choose_display(progress)

        def notice(text: str) -> None:
            notices.append(text)
            display.say(f"warning: {text}")

        store = Store(notice=notice)
        try:
            for warning in resolved.warnings:
                notice(warning.sentence)
            session = Session(resolved, store, resolve_device(device), display, cancellation, clock, guarded=True)
            steps = Steps(session, folder, tuple(step.title for step in planned))
            manifest, observers = Manifest(steps, folder, notices), Observers(notice)
            observers.add(manifest, "manifest")  # ours first, so that the others hear of a run that is complete
            observers.add(display, "progress")
            observers.add_installed(installed())
            source = str(resolved.source or "")
            facts = RecipeFacts(name=resolved.name, seed=resolved.seed, source=source, recipe=resolved.plain)
            observers.tell("recipe_resolved", recipe=facts)
            with folder.writing():  # components' own OSErrors are wrapped, the cache's are named
                with on_interrupt(cancellation, display.say):
                    _take_all(steps, planned, observers)
                manifest.save(observers)
            observers.tell("run_finished", run=steps.facts)
            if manifest.error is not None:
                raise manifest.error
            if not manifest.document:  # a run without a manifest is none, whatever became of its observer
                raise SidelightError("the manifest of the run was not written")
        finally:
            display.close()
            store.close()
    return Run(folder.out, manifest.document, steps.results, [error for _, error in steps.failures])


def _take_all(steps: Steps, planned: tuple[Step, ...], observers: Observers) -> None:
    """Take the steps in their order; one that fails is noted, and those that need its component are left out.

    Raises:
        SidelightError: without images, or without a classifier, there is nothing to explain.
        Untrustworthy: a shared component cannot be relied upon any more.
        Cancelled: the user asked to stop.
    """
    session, clock, run = steps.session, steps.session.clock, steps.facts
    observers.tell("run_started", run=run)
    for number, step in enumerate(planned, 1):
        session.cancellation.check()
        one, count = step.component, len(planned)
        facts = StepFacts(
            title=step.title, verb=step.verb, use=one.use, id=one.id, role=one.role, number=number, total=count
        )
        observers.tell("step_started", run=run, step=facts)
        start, inside, made, found, error = clock.total, clock.components, session.made, session.found, ""
        try:
            for failed, _ in steps.failures:
                if failed.component in one.closure:  # it would fail again, or be wrong
                    raise LeftOut(f"{one.title} is left out, because {failed.component.path} failed")
            session.doing = (step.verb, one)
            getattr(steps, step.verb)(one)
        except (Cancelled, Untrustworthy):
            raise
        except SidelightError as failure:
            if one in (session.resolved.data, session.resolved.classifier):
                raise
            error = str(failure)
            steps.failures.append((step, failure))
            session.record.warn(error)
        times = {"seconds": clock.total - start, "inside": clock.components - inside}
        made, found = session.made - made, session.found - found
        parts = {"made": made, "found": found, "cached": bool(found and not made)}
        observers.tell("step_finished", run=run, step=facts, error=error, **times, **parts)
        session.keep_only({needed for later in planned[number:] for needed in later.component.closure})
    session.cancellation.check()


class Manifest:
    """Built-in observer that writes `run.json`, the last file of a run, and puts the run's folder in its place.

    Args:
        steps: everything that the run has made.
        folder: the run's.
        notices: warnings of the kernel itself: damaged cache entries.

    Attributes:
        document: the manifest as json reads it back.
        error: the reason why it could not be written.
    """

    def __init__(self, steps: Steps, folder: RunFolder, notices: Sequence[str]) -> None:
        self._run, self._folder, self._notices = steps, folder, notices
        self._steps: list[dict[str, Any]] = []
        self._listing: list[dict[str, Any]] = []
        self.document: dict[str, Any] = {}
        self.error: UserError | None = None

    @hookimpl
    def sidelight_step_finished(
        self, step: StepFacts, seconds: float, inside: float, made: int, found: int, error: str
    ) -> None:
        """Note a step that succeeded."""
        if not error:
            timing = {"seconds": seconds, "inside": inside, "made": made, "found": found}
            self._steps.append({"step": step.title, "component": step.use, **timing})

    def save(self, observers: Observers) -> None:
        """Save all results into the folder."""
        steps, facts = self._run, self._run.facts
        for path, artifact, folder in steps.results.save(self._folder.staging):
            name = "/".join(path)
            digest = steps.digests[name]
            self._listing.append({"path": list(path), "folder": folder, "kind": artifact.kind, "digest": digest})
            observers.tell(
                "artifact_saved", run=facts, name=name, artifact=artifact, path=self._folder.staging / folder
            )
        sync_files(self._folder.staging)

    @hookimpl
    def sidelight_run_finished(self) -> None:
        """Write the manifest and publish the folder."""
        try:
            with self._folder.writing():
                text = json.dumps(self._facts(), indent=1) + "\n"
                (self._folder.staging / MANIFEST).write_text(text, encoding="utf-8")
                self._folder.publish()
            self.document = json.loads(text)
        except UserError as error:
            self.error = error

    def _facts(self) -> dict[str, Any]:
        steps, session, staging = self._run, self._run.session, self._folder.staging
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
            "results": self._listing,
            "rendered": {name: {"folder": folder, "files": names} for name, (folder, names) in steps.rendered.items()},
            "outputs": {"artifacts": steps.digests, "files": digests},
            "warnings": [*session.record.warnings, *self._notices],
            "steps": self._steps,
            "cache": {"found": session.found, "made": session.made},
            # the kernel's own time is the difference; the guard's is CPU time
            "seconds": {"total": total, "components": inside, "kernel": total - inside, "guard": session.guard.seconds},
        }
