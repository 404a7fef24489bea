"""Taking the steps of a plan, one after the other, and leaving a complete run's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import Cancelled, SidelightError

from sidelight.engine import rendering, steps
from sidelight.engine.cancel import Cancellation, on_interrupt
from sidelight.engine.device import resolve_device
from sidelight.engine.finished import LeftOut, Run
from sidelight.engine.folder import RunFolder, unwritable
from sidelight.engine.guard import Untrustworthy
from sidelight.engine.journal import Clock, Timing
from sidelight.engine.manifest import write_run
from sidelight.engine.plan import plan, still_needed
from sidelight.engine.reporting import choose_reporter
from sidelight.engine.session import Session
from sidelight.engine.store import Store
from sidelight.engine.work import Failure, Work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sidelight.engine.plan import Step, Verb
    from sidelight.engine.reporting import Reporter
    from sidelight.recipe.model import Resolved, ResolvedComponent

_TAKE: dict[Verb, Callable[[Work, ResolvedComponent], None]] = {
    "read": steps.read,
    "fit": steps.fit,
    "predict": steps.predict,
    "invert": steps.invert,
    "find": steps.find,
    "explain": steps.explain,
    "measure": steps.measure,
    "render": rendering.render,
}


def execute(
    resolved: Resolved,
    out: Path,
    *,
    device: str = "auto",
    progress: bool = True,
    cancellation: Cancellation | None = None,
    clock: Clock | None = None,
) -> Run:
    """Run a resolved recipe.

    Args:
        resolved: the recipe.
        out: the folder that gets the run.
        device: `auto`, or a torch device.
        progress: whether to show any.
        cancellation: asks the run to stop from outside.
        clock: started earlier, to count the reading of the recipe.

    Raises:
        UserError: the recipe, the data, the device, `out` or the cache cannot be used.
        SidelightError: data or classifier failed; where anything else fails, the run goes on and `Run.check` says it.
        Cancelled: the user asked to stop; finished steps are kept.
    """
    clock, cancellation = clock or Clock(), cancellation or Cancellation()
    planned = plan(resolved)
    notices: list[str] = []
    with RunFolder(out) as folder:
        reporter = choose_reporter(progress)
        store = Store(notice=lambda text: _notice(text, notices, reporter))
        try:
            for warning in resolved.warnings:
                _notice(warning.sentence, notices, reporter)
            session = Session(resolved, store, resolve_device(device), reporter, cancellation, clock, guarded=True)
            work = Work(session, folder.staging)
            with on_interrupt(cancellation, reporter.say):
                timings = _take_all(work, planned)
            manifest = write_run(work, rendering.finished_results(work), timings, notices)
            folder.publish()
        except OSError as error:  # components' own are wrapped, the cache's are the user's to mend
            raise unwritable(folder.out, error) from error
        finally:
            reporter.close()
            store.close()
    errors = [failure.error for failure in work.failures]
    return Run(folder.out, manifest, rendering.finished_results(work), errors)


def _notice(text: str, notices: list[str], reporter: Reporter) -> None:
    notices.append(text)
    reporter.say(f"warning: {text}")


def _take_all(work: Work, planned: tuple[Step, ...]) -> list[Timing]:
    timings, resolved = [], work.session.resolved
    for number, step in enumerate(planned, 1):
        work.session.cancellation.check()
        try:
            _refuse_after_failure(work, step)
            timings.append(_take(work, step, f"[{number}/{len(planned)}] {step.title}"))
        except (Cancelled, Untrustworthy):
            raise
        except SidelightError as error:
            if step.component is resolved.data or step.component is resolved.classifier:
                raise  # without images, or without a classifier, there is nothing to explain
            _note_failure(work, step, error)
        work.session.components.keep_only(still_needed(planned, number))
    work.session.cancellation.check()
    return timings


def _refuse_after_failure(work: Work, step: Step) -> None:
    """Steps that need a failed component are left out, for they would fail again, or be wrong.

    Raises:
        LeftOut: there is such a component.
    """
    for failure in work.failures:
        if failure.component in step.uses:
            place, other = step.component.place, failure.component.place
            raise LeftOut(f"{place} ({step.component.use}) is left out, because {other} failed")


def _note_failure(work: Work, step: Step, error: SidelightError) -> None:
    work.failures.append(Failure(step.title, step.component, error))
    work.session.record.warn(str(error))
    work.session.reporter.say(f"failed, and the run goes on: {error}")


def _take(work: Work, step: Step, title: str) -> Timing:
    session = work.session
    before = (session.clock.total, session.clock.components, session.made, session.found)
    session.reporter.started(title)
    session.doing = (step.verb, step.component)
    _TAKE[step.verb](work, step.component)
    after = (session.clock.total, session.clock.components, session.made, session.found)
    seconds, inside, made, found = (late - early for late, early in zip(after, before, strict=True))
    timing = Timing(step.title, step.component.use, seconds, inside, int(made), int(found))
    session.reporter.finished(title, timing)
    return timing
