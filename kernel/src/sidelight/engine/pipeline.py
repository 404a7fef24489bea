"""A run: its steps taken one after the other, its observers told, its folder published."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import Cancelled, SidelightError, UserError, hookimpl
from sidelight_specs.observers import RecipeFacts, RunFacts, StepFacts
from sidelight_specs.recipe_yaml import recipe_text
from sidelight_specs.results.answers import answers_of
from sidelight_specs.results.table import table_of

from sidelight.engine.claims import declarations
from sidelight.engine.digests import RunDigests
from sidelight.engine.forecast import forecast
from sidelight.engine.guard import Untrustworthy
from sidelight.engine.learned import give_learned
from sidelight.engine.machine import Cancellation, on_interrupt, resolve_device
from sidelight.engine.plan import Step, plan
from sidelight.engine.progress import choose_display
from sidelight.engine.results import FORMAT, MANIFEST, RECIPE, LeftOut, Run, run_folder, standing_run
from sidelight.engine.session import Session
from sidelight.engine.steps import Steps
from sidelight.engine.store import Store, digests_below
from sidelight.engine.timings import Stopwatch, Timings
from sidelight.engine.units import Workers
from sidelight.registry.catalog import installed
from sidelight.registry.load import Observers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sidelight_specs import Artifact

    from sidelight.engine.frozen import Frozen
    from sidelight.recipe.model import Resolved


def execute(
    resolved: Resolved,
    out: Path,
    device: str,
    *,
    progress: bool,
    cancellation: Cancellation | None,
    began: float,
    fresh: bool = False,
    learned: Mapping[str, str | Path] | None = None,
    frozen: Frozen | None = None,
) -> Run:
    """Run a resolved recipe; `began` is when its reading did, other arguments and errors are as for `sidelight.run`.

    With `frozen`, weights and images that come out otherwise than its lock has them are an error of the run.

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
        own_store(fresh) as root,
        closing(Store(root, notice=notice)) as store,
        closing(Session(resolved, store, resolve_device(device), display, cancellation, guarded=True)) as session,
    ):
        for text in (*(warning.sentence for warning in resolved.warnings), *(frozen.warnings if frozen else ())):
            notice(text)
        for text in resolved.assumed:
            session.warn(text)
        give_learned(session, learned or {})
        session.workers = _workers(session)
        steps, observers, digests = Steps(session, folder.staging), Observers(notice), RunDigests(session)
        manifest = Manifest(folder.staging)
        _declare(steps, manifest, folder.out)
        observers.add(manifest, "manifest")  # ours first
        observers.add(display, "progress")
        observers.add_installed(installed())
        timings, stopwatch = Timings(store.root, resolved, session.keys.device_kind), Stopwatch()
        observers.add(stopwatch, "stopwatch")
        if progress:
            ahead = forecast(resolved, out, session.keys.device_kind)
            for line in ahead.lines:
                display.say(line)
            display.expected = dict(ahead.seconds)
        titles = tuple(step.title for step in planned)
        run = RunFacts(name=resolved.name, folder=folder.out, device=session.device, steps=titles)
        source = str(resolved.source or "")
        recipe = RecipeFacts(name=resolved.name, seed=resolved.seed, source=source, recipe=resolved.plain)
        observers.tell("recipe_resolved", recipe=recipe)
        with on_interrupt(cancellation, display.say):
            _take_all(steps, planned, observers, run)
            taken = digests.document(steps)
        # with workers, the first of several like steps takes the time of all
        timings.keep({} if session.workers else stopwatch.seconds, len(steps.images))
        for key, artifact, location in steps.complete().save(folder.staging):
            name = "/".join(key)
            facts = {"name": name, "key": key, "artifact": artifact, "digest": steps.digests[name]}
            observers.tell("artifact_saved", run=run, path=folder.staging / location, **facts)
        for name, table in (("measurements", table_of(steps.results).columns), ("answers", answers_of(steps.results))):
            if len(table):
                table.write(folder.staging / "results" / f"{name}.csv")
        (folder.staging / RECIPE).write_text(recipe_text(resolved.written or resolved.plain), encoding="utf-8")
        errors = [*(error for _, error in steps.failures), *_unlike(frozen, taken, manifest, folder.staging)]
        text = manifest.write(steps, taken, perf_counter() - began, notices)
        folder.publish()
        ended = attrs.evolve(run, seconds=perf_counter() - began, errors=tuple(map(str, errors)))
        observers.tell("run_finished", run=ended)
    return Run(folder.out, json.loads(text), steps.results, errors, resolved)


@contextmanager
def own_store(fresh: bool) -> Iterator[Path | None]:
    """Folder of a store that goes with the context, for a fresh run; None: the cache."""
    if not fresh:
        yield None
        return
    with TemporaryDirectory(prefix="sidelight-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _unlike(frozen: Frozen | None, digests: dict[str, Any], manifest: Manifest, folder: Path) -> list[SidelightError]:
    """The error of a run that came out otherwise than its lock has it, which the manifest tells as well."""
    if frozen is None:
        return []
    manifest.obeyed = frozen.finish(digests, folder)
    return frozen.errors(manifest.obeyed)


def _declare(steps: Steps, manifest: Manifest, out: Path) -> None:
    """Note when the claims were declared, beside the run that stands in the folder."""
    declared = declarations(steps.session.resolved, standing_run(out))
    steps.declared_late, manifest.declared = declared.late, declared.plain()
    for text in declared.withdrawn:
        steps.session.warn(text)


def _workers(session: Session) -> Workers | None:
    """The executor of the recipe, where it names one.

    Raises:
        UserError: it computes in other processes, and the recipe holds live objects.
    """
    for component in session.resolved.of_role("executor"):
        if session.resolved.live and "isolated" in component.provides:
            raise UserError(
                f"{component.title} computes in other processes, and this recipe holds objects of the calling one",
                "save the model or the images to files and name these, or leave out the executor",
            )
        return Workers(session, session.build(component))
    return None


def _take_all(steps: Steps, planned: tuple[Step, ...], observers: Observers, run: RunFacts) -> None:
    """Take the steps in their order.

    One that fails is noted, and those that need its component are left out; without images, without a classifier, or
    with a shared component that cannot be relied upon, the run ends.
    """
    session = steps.session

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
        session.doing, before, metered = step, counts(), session.meter.reading
        try:
            for failed, _ in steps.failures:
                if failed.component in one.closure:  # it would fail again, or be wrong
                    raise LeftOut(f"{one.title} is left out, because {failed.component.path} failed")
            if session.workers is not None:
                steps.fill_ahead(planned[number - 1 :])
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
        cost = dict(zip(("spent", "passes"), session.meter.reading.since(metered), strict=True))
        observers.tell("step_finished", run=run, step=facts, error=error, cached=cached, **spent, **cost)
        session.keep_only({needed for later in planned[number:] for needed in later.component.closure})
    session.cancellation.check()


class Manifest:
    """Built-in observer that lists steps and results for `run.json`; the run writes it, for one without is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._steps: list[dict[str, Any]] = []
        self._results: list[dict[str, Any]] = []
        self.obeyed: dict[str, Any] = {}  # the lock of a frozen run
        self.declared: dict[str, Any] = {}

    @hookimpl
    def sidelight_step_finished(
        self,
        step: StepFacts,
        seconds: float,
        inside: float,
        made: int,
        found: int,
        error: str,
        spent: float | None,
        passes: float | None,
    ) -> None:
        """List a step that succeeded, with its times and what its result cost."""
        if not error:
            times = {"seconds": seconds, "inside": inside, "made": made, "found": found}
            cost = {"spent": spent, "passes": passes}
            self._steps.append({"step": step.title, "component": step.use, **times, **cost})

    @hookimpl
    def sidelight_artifact_saved(self, key: tuple[str, ...], artifact: Artifact, digest: str, path: Path) -> None:
        """List a result, with its place in the run's folder."""
        folder = path.relative_to(self._folder).as_posix()
        self._results.append({"path": list(key), "folder": folder, "kind": artifact.kind, "digest": digest})

    def write(self, steps: Steps, digests: dict[str, Any], total: float, notices: list[str]) -> str:
        """Write the manifest of a run that took `total` seconds; gives its text."""
        verdicts = {name: one.verdict for name, one in steps.results.claims.items()}
        claims = {"claims": verdicts, "declarations": self.declared} if self.declared.get("claims") else {}
        document = {**_facts(steps, total), **claims, "digests": digests, "results": self._results}
        document["steps"] = self._steps
        if self.obeyed:
            document["lock"] = self.obeyed
            document["status"] = "failed" if self.obeyed["differs"] else document["status"]
        document["warnings"] += notices
        text = json.dumps(document, indent=1) + "\n"
        (self._folder / MANIFEST).write_text(text, encoding="utf-8")
        return text


def _facts(steps: Steps, total: float) -> dict[str, Any]:
    """Facts of a run in its manifest, beside the lists of steps and results."""
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
        **({"workers": session.workers.facts()} if session.workers is not None else {}),
        "cache": {"found": session.found, "made": session.made},
        # the kernel's own time is the difference; the guard's is CPU time
        "seconds": {"total": total, "components": inside, "kernel": total - inside, "guard": session.guard.seconds},
    }
