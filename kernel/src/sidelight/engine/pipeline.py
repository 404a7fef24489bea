"""The steps of a run: read, fit, predict, invert, find, explain, measure, render.

Each looks for its result in the store under the key of all that goes in, and makes it otherwise. Steps that run over
images or questions take them in shards, so that an interrupted step continues where it was.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
import numpy as np
from sidelight_specs import Artifact, Cancelled, SidelightError, UserError, hookimpl
from sidelight_specs.digests import digest_file
from sidelight_specs.observers import RecipeFacts, RunFacts, StepFacts
from sidelight_specs.questions import check_split, choose_images, pose_questions
from sidelight_specs.results import (
    Attributes,
    ClassifierAnswers,
    Explanation,
    Inversion,
    Measurements,
    Predictions,
    Results,
    Split,
    Targets,
)

from sidelight.engine.folder import FORMAT, MANIFEST, RunFolder
from sidelight.engine.guard import Disturbance, Untrustworthy
from sidelight.engine.keys import images_read
from sidelight.engine.machine import Cancellation, as_images, load_torch, on_interrupt, resolve_device
from sidelight.engine.plan import Step, plan
from sidelight.engine.progress import choose_display
from sidelight.engine.results import (
    LeftOut,
    Run,
    component_records,
    digests_of,
    environment,
    facts_of,
    safe_name,
    save_results,
    unique_name,
)
from sidelight.engine.session import Clock, ComponentError, ComponentUserError, Session, check_valid
from sidelight.engine.store import Store, sync_files
from sidelight.recipe.model import ResolvedComponent
from sidelight.registry.catalog import installed
from sidelight.registry.observers import Observers

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import ExplainerDescriptor, MetricDescriptor

    from sidelight.recipe.model import Resolved

A = TypeVar("A", bound="Artifact | None")


class NotMeasurable(SidelightError):
    """A metric has said that what it was given cannot be measured by it."""


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
    steps, notices = plan(resolved), list[str]()
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
            observers = Observers(notice)
            pipeline = Pipeline(session, steps, folder, observers)
            manifest = Manifest(pipeline, notices)
            observers.add(manifest, "manifest")  # ours first, so that the others hear of a run that is complete
            observers.add(display, "progress")
            observers.add_installed(installed())
            source = str(resolved.source or "")
            observers.tell(
                "recipe_resolved",
                recipe=RecipeFacts(name=resolved.name, seed=resolved.seed, source=source, recipe=resolved.plain),
            )
            with folder.writing():  # components' own OSErrors are wrapped, the cache's are named
                with on_interrupt(cancellation, display.say):
                    pipeline.take_all()
                pipeline.save()
            observers.tell("run_finished", run=pipeline.facts)
            if manifest.error is not None:  # a run without a manifest is none
                raise manifest.error
        finally:
            display.close()
            store.close()
    return Run(folder.out, manifest.document, pipeline.results, [error for _, error in pipeline.failures])


@attrs.define(eq=False)
class Pipeline:
    """The steps, and the intermediate results that they hand on.

    Args:
        session: live components, store and record.
        steps: in their order.
        target: the run's folder.
        observers: told of steps and results.

    Attributes:
        folder: where the run writes until it is complete.
        images: the chosen images, each once.
        answers: the classifier's logits of them.
        rows: for each question the row of its image in `images`.
        targets: the two sides of each question.
        inversions: inverter id to its inversion of `images`; without those whose generator makes other shapes.
        attributes, explanations: id to what was found of all questions.
        measurements: metric id, then what was measured, to the numbers.
        digests: of the artifacts in `results`, by path.
        rendered: renderer id to its folder and files, the one to open first ahead.
        failures: the steps that failed while the run went on, and their errors.
        listing: of the saved results, for `load_results`.
    """

    session: Session
    steps: Sequence[Step]
    target: RunFolder
    observers: Observers
    folder: Path = attrs.field(init=False)
    images: Split = attrs.field(init=False)
    answers: ClassifierAnswers = attrs.field(init=False)
    rows: np.ndarray = attrs.field(init=False)
    targets: Targets = attrs.field(init=False)
    inversions: dict[str, Inversion] = attrs.field(factory=dict)
    attributes: dict[str, Attributes] = attrs.field(factory=dict)
    explanations: dict[str, Explanation] = attrs.field(factory=dict)
    measurements: dict[str, dict[str, Measurements]] = attrs.field(factory=dict)
    digests: dict[str, str] = attrs.field(factory=dict)
    rendered: dict[str, tuple[str, tuple[str, ...]]] = attrs.field(factory=dict)
    failures: list[tuple[Step, SidelightError]] = attrs.field(factory=list)
    listing: list[dict[str, Any]] = attrs.field(factory=list)
    _results: Results | None = None

    def __attrs_post_init__(self) -> None:
        self.folder = self.target.staging

    @property
    def facts(self) -> RunFacts:
        """The run as observers see it."""
        return RunFacts(
            name=self.session.resolved.name,
            folder=self.target.out,
            device=self.session.device,
            steps=tuple(step.title for step in self.steps),
            seconds=self.session.clock.total,
            errors=tuple(str(error) for _, error in self.failures),
        )

    def take_all(self) -> None:
        """Take the steps in their order; one that fails is noted, and those that need its component are left out.

        Raises:
            SidelightError: without images, or without a classifier, there is nothing to explain.
            Untrustworthy: a shared component cannot be relied upon any more.
            Cancelled: the user asked to stop.
        """
        session, facts = self.session, self.facts
        self.observers.tell("run_started", run=facts)
        for number, step in enumerate(self.steps, 1):
            session.cancellation.check()
            about = {"run": facts, "step": step.facts(number, len(self.steps))}
            self.observers.tell("step_started", **about)
            before, error = self._counters(), ""
            try:
                self._take(step)
            except (Cancelled, Untrustworthy):
                raise
            except SidelightError as failure:
                if step.component in (session.resolved.data, session.resolved.classifier):
                    raise
                self.failures.append((step, failure))
                error = str(failure)
                session.record.warn(error)
            seconds, inside, made, found = (late - early for late, early in zip(self._counters(), before, strict=True))
            about |= {"seconds": seconds, "inside": inside, "made": int(made), "found": int(found)}
            self.observers.tell("step_finished", cached=bool(found and not made), error=error, **about)
            session.keep_only({component for later in self.steps[number:] for component in later.component.closure})
        session.cancellation.check()

    def _counters(self) -> tuple[float, float, int, int]:
        session = self.session
        return session.clock.total, session.clock.components, session.made, session.found

    def _take(self, step: Step) -> None:
        for failed, _ in self.failures:
            if failed.component in step.component.closure:  # it would fail again, or be wrong
                raise LeftOut(f"{step.component.title} is left out, because {failed.component.place} failed")
        self.session.doing = (step.verb, step.component)
        take: Callable[[ResolvedComponent], None] = getattr(self, step.verb)
        take(step.component)

    def _in_shards(self, component: ResolvedComponent, count: int, one: Callable[[slice], A]) -> A:
        """Join what `one` gives for consecutive slices of `range(count)`; None where it gives None for the first."""
        size = self.session.resolved.explain.shard
        slices = [slice(start, min(start + size, count)) for start in range(0, count, size)]
        several = self.session.progress(slices, "parts", len(slices)) if len(slices) > 1 else slices
        parts: list[Any] = [one(shard) for shard in several]
        first: A = parts[0]
        if len(parts) == 1 or first is None:
            return first
        try:
            joined: A = type(first).concat(parts)
        except ValueError as error:
            raise SidelightError(f"{component.use}: the parts of its result cannot be joined: {error}") from error
        return joined

    def read(self, component: ResolvedComponent) -> None:
        """The chosen images of the data's split."""
        session, explain = self.session, self.session.resolved.explain

        def make() -> Split:
            data = session.get(component)
            with session.inside(component, "read"):
                check_split(explain.split, data.splits)
                split = data.split(explain.split)
            _check_images(split, component)
            chosen = choose_images(
                split,
                split=explain.split,
                count=explain.count,
                indices=explain.indices,
                labels=explain.labels,
                warn=session.warn,
            )
            return cast("Split", split.take(chosen.tolist()))

        self.images = cast("Split", session.keep(component, "read", images_read(explain), make).result)

    def fit(self, component: ResolvedComponent) -> None:
        """The learned state of a trainable component, into the store."""
        self.session.state(component)

    def predict(self, component: ResolvedComponent) -> None:
        """Class logits of the chosen images, and then the questions."""
        session, explain = self.session, self.session.resolved.explain

        def one(shard: slice) -> ClassifierAnswers:
            images = self.images.images[shard]

            def make() -> ClassifierAnswers:
                classifier = session.get(component)
                # not inference_mode: weights that a classifier loads at its first use would never have gradients again
                with session.inside(component, "predict"), load_torch().no_grad():
                    logits = classifier.class_logits(as_images(images, session.device)).float().cpu().numpy()
                    task, names = classifier.task, tuple(classifier.class_names)
                answers = ClassifierAnswers(logits=logits, task=task, class_names=names)
                check_valid(answers, component, images.shape)
                return answers

            return cast("ClassifierAnswers", session.keep(component, "predict", {"images": images}, make).result)

        self.answers = answers = self._in_shards(component, len(self.images), one)
        self.rows, self.targets = pose_questions(
            answers.logits,
            answers.task,
            target=explain.target,
            targets=explain.targets,
            class_names=answers.class_names,
            warn=session.warn,
        )

    def invert(self, component: ResolvedComponent) -> None:
        """The chosen images in the generator's latent space; nothing, with a warning, where the shapes differ."""
        session, shape = self.session, tuple(self.images.images.shape[1:])

        def one(shard: slice) -> Inversion | None:
            images = self.images.images[shard]

            def make() -> Inversion | None:
                inverter, generator = session.get(component), component.needed("generator")
                made = tuple(session.get(generator).image_shape) if generator is not None else shape
                if made != shape:
                    session.warn(
                        f"{component.use}: no inversion, the generator makes {made} and the images are {shape}"
                    )
                    return None
                with session.inside(component, "invert"):
                    inversion = inverter.invert(as_images(images, session.device))
                check_valid(inversion, component, images.shape, kind=Inversion.kind)
                return cast("Inversion", inversion)

            return cast("Inversion | None", session.keep(component, "invert", {"images": images}, make).result)

        inversion = self._in_shards(component, len(self.images), one)
        if inversion is not None:
            self.inversions[component.id] = inversion

    def find(self, component: ResolvedComponent) -> None:
        """Attributes that move the classifier towards each class that is asked about."""
        session, own, classes = self.session, "latents" in component.provides, self.answers.logits.shape[1]
        inverter = component.needed("inverter") or session.resolved.main_inverter
        inversion = self.inversions.get(inverter.id) if inverter is not None else None
        if inversion is None and not own:
            session.warn(f"{component.use}: nothing to find attributes in, because no image could be inverted")
            return
        source = self.images.images if own or inversion is None else inversion.latents

        def one(target: int) -> Attributes:
            def make() -> Artifact:
                finder = session.get(component)
                given = as_images(source, session.device)
                with session.inside(component, "find"):
                    attributes = finder.find(finder.latents(given) if own else given, target)
                check_valid(attributes, component, classes=classes, kind=Attributes.kind)
                return cast("Attributes", attributes)

            inputs = {"images" if own else "latents": source, "target": target}
            return cast("Attributes", session.keep(component, "find", inputs, make).result)

        targets = session.progress(sorted(set(self.targets.probe.tolist())), "classes", None)
        found = [one(target) for target in targets]
        try:
            self.attributes[component.id] = Attributes.join(found)
        except SidelightError as error:
            raise SidelightError(f"{component.use}: {error}") from error

    def explain(self, component: ResolvedComponent) -> None:
        """One explainer's answer to every question."""
        session, classes = self.session, self.answers.logits.shape[1]
        kind = cast("ExplainerDescriptor", component.descriptor).gives

        def one(shard: slice) -> Explanation:
            images = self.images.images[self.rows[shard]]
            targets = self.targets.take(range(shard.start, shard.stop))

            def make() -> Artifact:
                explainer = session.get(component)
                with session.inside(component, f"explain questions {shard.start} to {shard.stop - 1}"):
                    explanation = explainer.explain(as_images(images, session.device), targets)
                check_valid(explanation, component, images.shape, classes, kind=kind)
                return cast("Explanation", explanation)

            inputs = {"images": images, "targets": targets.digest()}  # before the explainer, which might change them
            return cast("Explanation", session.keep(component, "explain", inputs, make).result)

        self.explanations[component.id] = explanation = self._in_shards(component, len(self.rows), one)
        for doubt in explanation.doubts():
            session.warn(f"{component.title}: {doubt}")

    def measure(self, component: ResolvedComponent) -> None:
        """One metric of everything whose kind it accepts, but of what was made with a generator other than its own."""
        session, answered = self.session, False
        failed: SidelightError | None = None
        self.measurements[component.id] = measured = dict[str, Measurements]()
        images = self.images.images[self.rows]
        accepts = cast("MetricDescriptor", component.descriptor).accepts
        for subject, (maker, explanation) in self._subjects().items():
            if explanation.kind not in accepts or component.has_other_generator(maker):
                continue

            def make(subject: str = subject, explanation: Artifact = explanation) -> Artifact:
                metric = session.get(component)
                given, targets = copy.deepcopy((explanation, self.targets))  # others measure the same ones
                try:
                    with session.inside(component, f"measure {subject}"):
                        numbers = metric.measure(given, as_images(images, session.device), targets)
                except ComponentUserError as error:  # "not measurable here" is an answer
                    raise NotMeasurable(f"{subject} is not measured: {error}") from error
                rows = images.shape if explanation.rows() else None  # else one row for each of something else
                check_valid(numbers, component, rows, kind=Measurements.kind)
                return cast("Measurements", numbers)

            session.cancellation.check()
            inputs = {"images": images, "targets": self.targets, "of": explanation}
            try:
                measured[subject] = cast("Measurements", session.keep(component, "measure", inputs, make).result)
            except NotMeasurable as error:
                session.warn(str(error))
                answered = True
            except (ComponentError, Disturbance) as error:  # the other subjects may still be measured
                failed = failed or error
        if failed is not None:
            raise failed
        if not measured and not answered:
            session.warn(f"{component.use}: nothing to measure, it accepts {', '.join(accepts)}")

    def _subjects(self) -> dict[str, tuple[ResolvedComponent, Artifact]]:
        """What metrics may measure, and who made it: explanations and attributes by id, and the inversion."""
        resolved, subjects = self.session.resolved, dict[str, tuple[ResolvedComponent, Artifact]]()
        for component in resolved.of_role("explainer"):
            if component.id in self.explanations:
                subjects[component.id] = component, self.explanations[component.id]
        for component in resolved.of_role("attribute_finder"):
            if component.id in self.attributes:
                free = component.id if component.id not in subjects else f"attribute_finders.{component.id}"
                subjects[free] = component, self.attributes[component.id]
        inverter, inversion = resolved.main_inverter, self.inversion
        if inverter is not None and inversion is not None:
            free = "inversion" if "inversion" not in subjects else "inverter.inversion"
            subjects[free] = inverter, inversion
        return subjects

    @property
    def inversion(self) -> Inversion | None:
        """The explained images in latent space, one row for each question; None without an inverter that fits."""
        main = self.session.resolved.main_inverter
        inversion = self.inversions.get(main.id) if main is not None else None
        return inversion.take(self.rows.tolist()) if inversion is not None else None

    @property
    def results(self) -> Results:
        """All results as renderers get them, over the questions; put together once, after the last other step."""
        if self._results is None:
            session, rows, answers = self.session, self.rows.tolist(), self.answers
            self._results = Results(
                name=session.resolved.name,
                split=self.images.take(rows),
                predictions=Predictions(logits=answers.logits[rows], task=answers.task),
                targets=self.targets,
                class_names=answers.class_names,
                explanations=dict(self.explanations),
                measurements=dict(self.measurements),
                inversion=self.inversion,
                attributes=dict(self.attributes),
                emitted=dict(session.record.emitted),
                components=component_records(session.resolved),
                recipe=session.resolved.plain,
                environment=environment(session.device),
                warnings=tuple(session.record.warnings),
            )
            self.digests = digests_of(self._results)
        return self._results

    def render(self, component: ResolvedComponent) -> None:
        """One renderer's files, into a folder of its own."""
        session, results = self.session, self.results
        taken = {"results", MANIFEST, *(place.lower() for place, _ in self.rendered.values())}
        place = unique_name(safe_name(component.id), taken)
        folder = self.folder / place

        def make() -> tuple[str, ...]:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            renderer = session.get(component)
            with session.inside(component, "render"):
                files = _relative(renderer.render(results, folder), folder)
            changed = [path for path, digest in digests_of(results).items() if self.digests[path] != digest]
            if changed:
                raise Untrustworthy(f"{component.title} changed the results it shows: {changed[0]}")
            return files

        try:
            inputs = {"results": [list(self.digests.items()), facts_of(results)]}  # the order of parts counts
            entry = session.keep(component, "render", inputs, make, folder)
        except Exception:
            shutil.rmtree(folder, ignore_errors=True)  # half a page is none
            raise
        self.rendered[component.id] = (place, entry.files)

    def save(self) -> None:
        """Save all results into the run's folder."""
        facts = self.facts
        for path, artifact, place in save_results(self.results, self.folder):
            name = "/".join(path)
            digest = self.digests[name]
            self.listing.append({"path": list(path), "folder": place, "kind": artifact.kind, "digest": digest})
            self.observers.tell("artifact_saved", run=facts, name=name, artifact=artifact, path=self.folder / place)
        sync_files(self.folder)


class Manifest:
    """Built-in observer that writes `run.json`, the last file of a run, and puts the run's folder in its place.

    Args:
        pipeline: everything that the run has made.
        notices: warnings of the kernel itself: damaged cache entries.

    Attributes:
        document: the manifest as json reads it back.
        error: why it could not be written.
    """

    def __init__(self, pipeline: Pipeline, notices: Sequence[str]) -> None:
        self._pipeline, self._notices, self._steps = pipeline, notices, list[dict[str, Any]]()
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

    @hookimpl
    def sidelight_run_finished(self) -> None:
        """Write the manifest and publish the folder."""
        try:
            with self._pipeline.target.writing():
                text = json.dumps(self._facts(), indent=1) + "\n"
                (self._pipeline.folder / MANIFEST).write_text(text, encoding="utf-8")
                self.document = json.loads(text)
                self._pipeline.target.publish()
        except UserError as error:
            self.error = error

    def _facts(self) -> dict[str, Any]:
        pipeline, session = self._pipeline, self._pipeline.session
        files = sorted(path for path in pipeline.folder.rglob("*") if path.is_file())
        digests = {path.relative_to(pipeline.folder).as_posix(): digest_file(path) for path in files}
        total, inside = session.clock.total, session.clock.components
        return {
            "sidelight_run": FORMAT,
            "status": "failed" if pipeline.failures else "done",
            "failures": [
                {"step": step.title, "component": step.component.use, "error": str(error)}
                for step, error in pipeline.failures
            ],
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "source": str(session.resolved.source or ""),
            "folder": str(Path.cwd()),  # relative paths of the recipe are meant from here
            "device": session.device,
            "seeds": {"recipe": session.resolved.seed, **session.seeds},
            "facts": facts_of(pipeline.results),
            "results": pipeline.listing,
            "rendered": {name: {"folder": place, "files": names} for name, (place, names) in pipeline.rendered.items()},
            "outputs": {"artifacts": pipeline.digests, "files": digests},
            "warnings": [*session.record.warnings, *self._notices],
            "steps": self._steps,
            "cache": {"found": session.found, "made": session.made},
            # the kernel's own time is the difference; the guard's is CPU time
            "seconds": {"total": total, "components": inside, "kernel": total - inside, "guard": session.guard.seconds},
        }


def _check_images(split: Any, component: ResolvedComponent) -> None:
    """Raise a `SidelightError` unless a split is valid and has images, float32 (N, C, H, W)."""
    check_valid(split, component, kind=Split.kind)
    if not len(split.images) or split.images.dtype != np.float32:
        text = f"{split.images.dtype} images of shape {split.images.shape}"
        raise SidelightError(f"{component.title} gave {text}, not float32 (N, C, H, W)")


def _relative(paths: Sequence[Path], folder: Path) -> tuple[str, ...]:
    """Names of files relative to the renderer's folder.

    Raises:
        SidelightError: no file, one that is not there, or one outside the folder.
    """
    if not paths:
        raise SidelightError("the renderer wrote no file")
    for path in paths:
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            raise SidelightError(f"the renderer names {path}, which is no file in the folder it was given")
    return tuple(path.resolve().relative_to(folder.resolve()).as_posix() for path in paths)
