"""The steps of a run: read, fit, predict, invert, find, explain, measure, judge, render; choose and survey where asked.

Each looks for its result in the store under the key of all that goes in, and makes it otherwise. Steps that run over
images or questions take them in shards, so that an interrupted step continues where it was.
"""

from __future__ import annotations

import platform
import shutil
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import attrs
import numpy as np
from sidelight_specs import Artifact, Cancelled, SidelightError
from sidelight_specs.choices import Choice, choose_by_answers
from sidelight_specs.facts import ClassifierFacts, DataFacts, no_common_class
from sidelight_specs.questions import check_split, contested, pose_questions
from sidelight_specs.results import (
    Attributes,
    ClassifierAnswers,
    ComponentRecord,
    Predictions,
    Results,
    Split,
    Targets,
    expected_classes,
)
from sidelight_specs.results.run import file_names, safe_name, unique_name
from sidelight_specs.roles import ROLES

from sidelight.engine.claims import claimable, judged
from sidelight.engine.guard import Disturbance, Untrustworthy
from sidelight.engine.machine import arithmetic_in_force, thread_count
from sidelight.engine.plan import Step, images_read, surveyed
from sidelight.engine.progress import LONG
from sidelight.engine.questions import NotAnswered
from sidelight.engine.reading import Reading
from sidelight.engine.results import KEPT, LOCK, MANIFEST, RECIPE
from sidelight.engine.session import ComponentError, Session, check_valid
from sidelight.engine.shards import Shard, ShardedStep
from sidelight.engine.survey import PART, Answers, Survey
from sidelight.engine.timings import human_time
from sidelight.engine.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sidelight_specs import ExplainerDescriptor, MetricDescriptor
    from sidelight_specs.results import SplitPredictions

    from sidelight.recipe.model import ResolvedComponent


_OTHER_SIDE = {"predicted": "probe", "probe": "predicted"}  # a contrast has both sides in it
_PACKAGES = ("sidelight", "sidelight-specs", "torch", "numpy")


@attrs.define(eq=False)
class Steps:
    """The steps by their verbs, and what they hand on."""

    session: Session
    folder: Path  # where the run is staged
    images: Split = attrs.field(init=False)  # the chosen images, each once
    choice: Choice | None = None  # of images by the classifier's answers, where the recipe asks for it
    surveyed: Answers | None = None  # the classifier's about the whole split, where images are chosen by them
    rows: np.ndarray = attrs.field(init=False)  # (N,) for each question the row of its image
    classes: int = attrs.field(init=False)  # columns of class logits
    results: Results = attrs.field(init=False)  # over the N questions; the steps after `predict` add to it
    inversions: dict[str, Any] = attrs.field(factory=dict)  # of `images`, by inverter id; only where the shapes fit
    digests: dict[str, str] = attrs.field(factory=dict)  # of all artifacts in the results, once these are complete
    rendered: dict[str, tuple[str, tuple[str, ...]]] = attrs.field(factory=dict)  # renderer id to folder and files
    failures: list[tuple[Step, SidelightError]] = attrs.field(factory=list)  # while the run went on
    shown: tuple[Results, dict[str, str]] | None = None  # to claims, with its digests; all are shown the same
    declared_late: dict[str, str] = attrs.field(factory=dict)  # claim id to the date of results seen before
    filled: set[Step] = attrs.field(factory=set)  # whose entries workers were asked for
    is_idle_told: bool = False

    def read(self, component: ResolvedComponent) -> None:
        """The chosen images of the data's split."""
        wanted = images_read(self.session.resolved.explain)
        if self.choice is not None:
            wanted |= {"indices": tuple(self.choice.rows.tolist()), "labels": (), "images": ()}
        self.images = Reading(self.session, component, wanted, partial(self.split_of, component)).result()

    def split_of(self, component: ResolvedComponent) -> Split:
        """The split of the data that the explained images come from."""
        session, name = self.session, str(self.session.resolved.explain.split)
        data = session.get(component)
        with session.inside(component, "read"):
            check_split(name, data.splits)
            split: Split = data.split(name)
        check_valid(split, component, kind=Split.kind)
        if not len(split) or split.images.dtype != np.float32:
            text = f"{split.images.dtype} images of shape {split.images.shape}"
            raise SidelightError(f"{component.title} gave {text}, not float32 (N, C, H, W)")
        return split

    def choose(self, component: ResolvedComponent) -> None:
        """The classifier's answers about the whole split, shard by shard, and the images chosen by them."""
        explain = self.session.resolved.explain
        answers = cast("SplitPredictions", self._survey(Step("choose", component), explain.shard).answers())
        self.session.record.emit(f"{component.id}/predictions on {explain.split}", answers)
        self.choice, self.surveyed = choose_by_answers(answers, explain, self.session.warn), answers

    def survey(self, component: ResolvedComponent) -> None:
        """The classifier's answers about the split beside its labels, and images of its worst errors, for renderers."""
        is_regression, labels = self.results.predictions.task == "regression", self.images.labels
        if labels is None or is_regression != (labels.dtype.kind == "f"):
            return  # values are held against values, and classes against classes
        session, split = self.session, self.session.resolved.explain.split
        survey = self._survey(Step("survey", component), PART, surveyed(session.resolved))
        try:
            answers = survey.answers() if self.surveyed is None else self.surveyed
            session.record.emit(f"{component.id}/predictions on {split}", answers)
            session.record.emit(f"{component.id}/worst errors on {split}", survey.worst(answers))
        except (Cancelled, Untrustworthy):
            raise
        except SidelightError as error:  # nothing that is explained depends on it
            session.warn(f"no overview of the model: {error}")

    def _survey(self, step: Step, shard: int, most: int | None = None) -> Survey:
        return Survey(self.session, step, partial(self.split_of, self.session.resolved.data), shard, most)

    def fit(self, component: ResolvedComponent) -> None:
        """The learned state of a trainable component, into the store."""
        self.session.state(component)

    def predict(self, component: ResolvedComponent) -> None:
        """Class logits of the chosen images, and then the questions."""
        resolved, explain = self.session.resolved, self.session.resolved.explain

        answers = self.predicting(component).result()  # logits (M, K)
        expected = expected_classes(self.images, answers.class_names)  # (M,)
        self._warn_of_names(component, answers)
        self.rows, targets = pose_questions(  # (N,), N questions
            answers.logits,
            answers.task,
            target=explain.target,
            targets=explain.targets,
            if_predicted=explain.if_predicted,
            class_names=answers.class_names,
            expected=expected,
            warn=self.session.warn,
        )
        self.classes = answers.logits.shape[1]
        self.results = Results(
            name=resolved.name,
            split=self._for_questions(Step("read", resolved.data), self.images),
            predictions=Predictions(logits=answers.logits[self.rows], task=answers.task),
            targets=targets,
            contested=contested(targets, expected[self.rows], explain.target, explain.targets),
            class_names=answers.class_names,
            components=tuple(_record(one) for one in resolved.components if one.role != "executor"),
            recipe={name: part for name, part in resolved.plain.items() if name != "executor"},
            choice=self.choice.reason if self.choice else "",
        )

    def _for_questions(self, step: Step, artifact: Artifact) -> Any:
        """An artifact about the chosen images with a row for each question, itself where each image is asked once.

        Large ones are copied from file to file, so that no copy of them is in memory.
        """
        rows = self.rows.tolist()
        if rows == list(range(len(self.images))):
            return artifact
        folder = artifact.mapped_from()
        if folder is None:
            return artifact.take(rows)
        inputs = {"of": artifact, "rows": rows}
        return self.session.keep(step, inputs, lambda: Artifact.find(folder).take(rows), mapped=True)

    def predicting(self, component: ResolvedComponent) -> ShardedStep:
        """Class logits of the chosen images, in shards."""
        return self._in_shards(Step("predict", component), kind=ClassifierAnswers.kind)

    def _warn_of_names(self, component: ResolvedComponent, answers: ClassifierAnswers) -> None:
        """Labels whose names the classifier does not know, unless this was known from the recipe, and said."""
        if self.images.labels is None:
            return
        known = ClassifierFacts(classes=answers.class_names, task=answers.task)  # type: ignore[arg-type]
        for mistake in no_common_class(DataFacts(classes=self.images.class_names), known):
            if not any(mistake.message in warning.message for warning in self.session.resolved.warnings):
                self.session.warn(f"{component.use}: {mistake.message}; {mistake.fix}")

    def invert(self, component: ResolvedComponent) -> None:
        """The chosen images in the generator's latent space; nothing, with a warning, where the shapes differ."""
        try:
            self.inversions[component.id] = inversion = self.inverting(component).result()
        except NotAnswered as error:
            self.session.warn(str(error))
            return
        if component is self.session.resolved.main_inverter:
            inversion = self._for_questions(Step("invert", component), inversion)
            self.results = attrs.evolve(self.results, inversion=inversion)

    def inverting(self, component: ResolvedComponent) -> ShardedStep:
        """Inversion of the chosen images, in shards; one raises `NotAnswered` where the shapes differ."""
        return self._in_shards(Step("invert", component))

    def find(self, component: ResolvedComponent) -> None:
        """Attributes that move the classifier towards each class that is asked about."""
        session, total = self.session, len(self._targets())
        if not self.can_find(component):
            session.warn(f"{component.use}: nothing to find attributes in, because no image could be inverted")
            return
        parts = [unit.answer(session) for unit in session.progress(self.finding(component), "classes", total)]
        try:
            self.results.attributes[component.id] = Attributes.join(parts)
        except SidelightError as error:
            raise SidelightError(f"{component.use}: {error}") from error

    def can_find(self, component: ResolvedComponent) -> bool:
        """True where there are latents to find attributes in."""
        return bool({"latents", "samples"} & set(component.provides)) or self._inversion_for(component) is not None

    def finding(self, component: ResolvedComponent) -> Iterator[Unit]:
        """Attributes for each class that is asked about."""
        step, inversion, given = Step("find", component), self._inversion_for(component), dict[str, Any]()
        if "samples" in component.provides:  # nothing of the explained images goes in
            pass
        elif "latents" in component.provides or inversion is None:
            given = {"images": self.images.images}  # (M, C, H, W)
        else:
            given = {"latents": inversion.latents}  # (M, *latent)
        for target in self._targets():
            inputs = {**given, "target": target}
            yield Unit(step, inputs, self.session.keys.step(step, inputs), forms={"classes": self.classes})

    def _targets(self) -> list[int]:
        """The classes that are asked about."""
        return sorted(set(self.results.targets.probe.tolist()))

    def _inversion_for(self, component: ResolvedComponent) -> Any:
        """The inversion that an attribute finder works on, or None."""
        inverter = component.needed("inverter") or self.session.resolved.main_inverter
        return self.inversions.get(inverter.id) if inverter is not None else None

    def explain(self, component: ResolvedComponent) -> None:
        """One explainer's answer to every question; of misclassified images, for the true class as well."""
        results, contested = self.results, self.results.contested
        results.explanations[component.id] = explanation = self.explaining(component).result()
        for doubt in explanation.doubts():
            self.session.warn(f"{component.title}: {doubt}")
        explanation.let_go()
        other = _OTHER_SIDE.get(getattr(explanation, "answers", ""))
        if contested and other and cast("ExplainerDescriptor", component.descriptor).answers_either_side:
            counterpart = self.explaining(component, contested).result()
            if self._is_same(counterpart, explanation, contested):
                return  # it ignores the class, and the same picture twice would look like two answers
            results.counterparts[component.id] = attrs.evolve(counterpart, answers=other)
            for doubt in counterpart.doubts():
                self.session.warn(f"{component.title}, asked about the other class: {doubt}")

    def _is_same(self, one: Artifact, other: Artifact, rows: tuple[int, ...]) -> bool:
        """True if an artifact is that of these rows of the other; a shard of them is in memory at a time."""
        size = self.session.resolved.explain.shard
        parts = (range(start, min(start + size, len(rows))) for start in range(0, len(rows), size))
        return all(one.take(part).digest() == other.take([rows[row] for row in part]).digest() for part in parts)

    def explaining(self, component: ResolvedComponent, contested: tuple[int, ...] = ()) -> ShardedStep:
        """Answers to all questions, or to the contested ones from the other side, in shards."""
        targets, rows = self.results.targets, self.rows
        if contested:
            targets, rows = targets.swapped().take(contested), rows[list(contested)]
        return self._in_shards(Step("explain", component), targets, rows, classes=self.classes)

    def measure(self, component: ResolvedComponent) -> None:
        """One metric of everything whose kind it accepts, but of what was made with a generator other than its own."""
        session, failed = self.session, list[SidelightError]()
        measured = self.results.measurements.setdefault(component.id, {})
        subjects = self.subjects_of(component)
        if not subjects:
            accepts = cast("MetricDescriptor", component.descriptor).accepts
            session.warn(f"{component.use}: nothing to measure, it accepts {', '.join(accepts)}")
        for subject, explanation in subjects.items():
            session.cancellation.check()
            try:
                measured[subject] = self._measure_answers(component, subject, explanation)
                for doubt in measured[subject].doubts():
                    session.warn(f"{component.use} of {subject}: {doubt}")
            except NotAnswered as error:
                session.warn(f"{subject} is not measured: {error}")
            except (ComponentError, Disturbance) as error:  # the other subjects may still be measured
                failed.append(error)
        if failed:
            raise failed[0]

    def _measure_answers(self, component: ResolvedComponent, subject: str, explanation: Artifact) -> Any:
        """A metric's numbers; NaN for images that the explanation has no answer for, which the metric never sees."""
        measuring = self.measuring(component, subject, explanation)
        if not measuring.count:
            raise NotAnswered(f"{component.title}: no image has an answer")
        result, count = measuring.result(), len(self.results.split)
        rows = _answered(explanation, count)
        return result if len(rows) == count else result.scattered(rows.tolist(), count)

    def measuring(self, component: ResolvedComponent, subject: str, explanation: Artifact) -> ShardedStep:
        """A metric's numbers about the images that the explanation has an answer for.

        In shards, unless the metric looks at all images together, or the explanation has rows of its own.
        """
        session, step = self.session, Step("measure", component)
        images, targets = self.results.split.images, self.results.targets  # (N, C, H, W): one for each question
        rows = _answered(explanation, len(images))
        is_whole = not explanation.rows() or not cast("MetricDescriptor", component.descriptor).per_image

        def inputs(part: range) -> dict[str, Any]:
            chosen = rows[part].tolist()
            of = explanation.take(chosen) if len(chosen) < len(images) else explanation
            return {"images": _rows_of(images, rows[part]), "targets": targets.take(chosen), "of": of}

        def unit(shard: Shard) -> Unit:
            shape = shard.inputs["images"].shape if explanation.rows() else None  # else rows of their own
            return Unit(step, shard.inputs, shard.key, f"measure {subject}", {"images": shape})

        def answer(shard: Shard) -> Any:
            result = unit(shard).answer(session, mapped=True)
            if len(shard.rows) < len(rows) and (whole := result.of_all(len(shard.rows))):
                text = f"{component.title} gives a number of all images together, {whole}"
                raise SidelightError(f"{text}, and its descriptor says that it measures each image by itself")
            return result

        sharded = ShardedStep.over(session, step, len(rows), inputs, unit, is_whole=is_whole)
        return attrs.evolve(sharded, answer=answer)

    def subjects_of(self, component: ResolvedComponent) -> dict[str, Artifact]:
        """Explanations that a metric measures, by id."""
        accepts = cast("MetricDescriptor", component.descriptor).accepts
        return {
            name: artifact
            for name, (maker, artifact) in self._subjects().items()
            if artifact.kind in accepts and not component.has_other_generator(maker)
        }

    def _subjects(self) -> dict[str, tuple[ResolvedComponent, Artifact]]:
        """Subjects of metrics with their makers: explanations and attributes by id, and the inversion."""
        resolved, results = self.session.resolved, self.results
        subjects: dict[str, tuple[ResolvedComponent, Artifact]] = {}
        for role, made in (("explainer", results.explanations), ("attribute_finder", results.attributes)):
            for component in resolved.of_role(role):
                if component.id in made:
                    free = component.id if component.id not in subjects else f"{ROLES[role].section}.{component.id}"
                    subjects[free] = component, made[component.id]
        if resolved.main_inverter is not None and results.inversion is not None:
            free = "inversion" if "inversion" not in subjects else "inverter.inversion"
            subjects[free] = resolved.main_inverter, results.inversion
        return subjects

    def judge(self, component: ResolvedComponent) -> None:
        """The verdict on one claim."""
        self.shown = self.shown or claimable(self.session, self.results)
        self.results.claims[component.id] = judged(self.session, component, *self.shown)

    def complete(self) -> Results:
        """The results as renderers get them: with by-products and warnings of all steps before the first of theirs."""
        if not self.digests:
            record, environment = self.session.record, _environment(self.session.device)
            emitted, warnings = dict(record.emitted), tuple(record.warnings)
            self.results = attrs.evolve(
                self.results,
                emitted=emitted,
                warnings=warnings,
                environment=environment,
                declared_late=self.declared_late,
            )
            self.digests = self.results.digests()
        return self.results

    def render(self, component: ResolvedComponent) -> None:
        """One renderer's files, into a folder of its own."""
        session, results = self.session, self.complete()
        taken = {"results", KEPT, LOCK, MANIFEST, RECIPE, *(location.lower() for location, _ in self.rendered.values())}
        location = unique_name(safe_name(component.id), taken)
        folder = self.folder / location

        def make() -> tuple[str, ...]:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            renderer = session.get(component)
            with session.inside(component, "render"):
                files = file_names(renderer.render(results, folder), folder)
            changed = [path for path, digest in results.digests().items() if self.digests[path] != digest]
            if changed:
                raise Untrustworthy(f"{component.title} changed the results it shows: {changed[0]}")
            return files

        try:
            inputs = {"results": [list(self.digests.items()), results.facts()]}  # the order of parts counts
            self.rendered[component.id] = location, session.keep(Step("render", component), inputs, make, folder)
        except Exception:
            shutil.rmtree(folder, ignore_errors=True)  # half a page is none
            raise

    def fill_ahead(self, ahead: Sequence[Step]) -> None:
        """Have workers make the entries of the next step, and of those after it that do the same to other components.

        Components that have failed are left out, with all that need them, as are steps that cannot say what they need.
        """
        group = [step for step in takewhile(lambda step: step.verb == ahead[0].verb, ahead) if step not in self.filled]
        self.filled.update(group)

        def units() -> Iterator[Unit]:
            for step in group:
                if not any(failed.component in step.component.closure for failed, _ in self.failures):
                    with suppress(SidelightError):  # which it tells when it is taken
                        yield from self.units(step)

        if group and self.session.workers is not None:
            begun = perf_counter()
            label = "units of work" + (f" of {len(group)} steps" if len(group) > 1 else "")
            count = self.session.workers.fill(units, label)
            self._tell_of_idle(count, perf_counter() - begun, group)

    def _tell_of_idle(self, count: int, seconds: float, group: list[Step]) -> None:
        """Say, once, that a smaller shard would have given more workers something to do."""
        workers, explain = self.session.workers.executor.workers or 1, self.session.resolved.explain
        is_cut = any(
            step.verb != "find" and getattr(step.component.descriptor, "per_image", True) for step in group
        )  # by images
        if self.is_idle_told or not (is_cut and 0 < count < workers and seconds > LONG):
            return
        shard = -(-len(self.images) // workers)
        if shard < min(explain.shard, len(self.images)):
            self.is_idle_told = True
            text = f"{count} of {workers} workers had something to do for {human_time(seconds)}"
            fix = f"explain.shard={shard} shares it out (numbers may change in their last digits)"
            self.session.display.say(f"note: {text}; {fix}")

    def units(self, step: Step) -> Iterator[Unit]:
        """Entries that a step will look up, as far as they are known before it; none of those that it maps itself."""
        component = step.component
        if "maps" in component.provides and (step.verb == "find" or self.session.resolved.explain.shard > 1):
            return  # a shard of one image leaves an explainer nothing to map
        if step.verb == "predict":
            yield from self.predicting(component).units()
        elif step.verb == "invert":
            yield from self.inverting(component).units()
        elif step.verb == "find" and self.can_find(component):
            yield from self.finding(component)
        elif step.verb == "explain":
            yield from self.explaining(component).units()
            if contested := self._contested_for(component):
                yield from self.explaining(component, contested).units()
        elif step.verb == "measure":
            for subject, explanation in self.subjects_of(component).items():
                yield from self.measuring(component, subject, explanation).units()

    def _contested_for(self, component: ResolvedComponent) -> tuple[int, ...]:
        """The contested questions that an explainer is going to be asked from the other side."""
        descriptor = cast("ExplainerDescriptor", component.descriptor)
        is_asked = descriptor.answers in _OTHER_SIDE and descriptor.answers_either_side
        return self.results.contested if is_asked else ()

    def _in_shards(
        self, step: Step, targets: Targets | None = None, rows: np.ndarray | None = None, **forms: Any
    ) -> ShardedStep:
        """A step as a question about images, and targets if given, shard by shard.

        `rows` are those of the images: without targets of the chosen ones, each once, else of all questions.
        """
        if rows is None:
            rows = np.arange(len(self.images)) if targets is None else self.rows

        def inputs(part: range) -> dict[str, Any]:
            given: dict[str, Any] = {"images": _rows_of(self.images.images, rows[part])}  # (n, C, H, W)
            return given if targets is None else {**given, "targets": targets.take(part)}

        def unit(shard: Shard) -> Unit:
            doing = f"{step.verb} questions {shard.rows.start} to {shard.rows[-1]}" if targets is not None else ""
            return Unit(step, shard.inputs, shard.key, doing, {**forms, "images": shard.inputs["images"].shape})

        return ShardedStep.over(self.session, step, len(rows), inputs, unit)


def _answered(explanation: Artifact, count: int) -> np.ndarray:
    """Rows that an explanation of `count` images has an answer for."""
    answered = getattr(explanation, "answered", None)  # (N,) bool; None: all
    return np.arange(count) if answered is None else np.flatnonzero(answered)


def _rows_of(array: np.ndarray, rows: Any) -> np.ndarray:
    """Rows of an array, as a view where they follow one another."""
    if len(rows) and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
        rows = slice(rows[0], rows[0] + len(rows))
    result: np.ndarray = array[rows]
    return result


def _record(component: ResolvedComponent) -> ComponentRecord:
    """A component as renderers see it."""
    return ComponentRecord(
        id=component.id,
        role=component.role,
        use=component.use,
        summary=component.descriptor.summary,
        paper=component.descriptor.paper,
        distribution=component.distribution,
        version=component.version,
        params=attrs.asdict(component.params),  # tuples become lists, as json reads them back
        card=dict(component.descriptor.card),
        limits=component.descriptor.limits,
    )


def _environment(device: str) -> dict[str, str]:
    """Versions, platform, device, threads and options of the arithmetic."""
    versions = dict.fromkeys(_PACKAGES, "not installed")
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    facts = {"python": platform.python_version(), "platform": platform.platform()}
    options = {"arithmetic": ", ".join(arithmetic_in_force())} if arithmetic_in_force() else {}
    return {**versions, **facts, "device": device, "threads": thread_count(), **options}
