"""The steps of a run: read, fit, predict, invert, find, explain, measure, render.

Each looks for its result in the store under the key of all that goes in, and makes it otherwise. Steps that run over
images or questions take them in shards, so that an interrupted step continues where it was.
"""

from __future__ import annotations

import copy
import platform
import shutil
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
import numpy as np
from sidelight_specs import Artifact, SidelightError
from sidelight_specs.observers import RunFacts
from sidelight_specs.questions import check_split, choose_images, pose_questions
from sidelight_specs.results import (
    Attributes,
    ClassifierAnswers,
    ComponentRecord,
    Explanation,
    Inversion,
    Measurements,
    Predictions,
    Results,
    Split,
    Targets,
)
from sidelight_specs.results.run import safe_name, unique_name

from sidelight.engine.guard import Disturbance, Untrustworthy
from sidelight.engine.keys import images_read
from sidelight.engine.machine import as_images, load_torch, thread_count
from sidelight.engine.plan import Step
from sidelight.engine.results import MANIFEST, RunFolder
from sidelight.engine.session import ComponentError, ComponentUserError, Session, check_valid
from sidelight.recipe.model import ResolvedComponent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sidelight_specs import ExplainerDescriptor, MetricDescriptor
    from torch import Tensor

    from sidelight.recipe.model import Resolved


A = TypeVar("A", bound="Artifact | None")
_PACKAGES = ("sidelight", "sidelight-specs", "torch", "numpy")


class NotMeasurable(SidelightError):
    """A metric has said that what it was given cannot be measured by it."""


@attrs.define(eq=False)
class Steps:
    """The steps by their verbs, and the intermediate results that they hand on.

    Args:
        session: live components, store and record.
        folder: the run's.
        titles: of all steps, for observers.

    Attributes:
        images: the chosen images, each once.
        answers: the classifier's logits of them.
        rows: (N,) for each question the row of its image in `images`.
        targets: the two sides of each question.
        inversions: inverter id to its inversion of `images`; without those whose generator makes other shapes.
        attributes, explanations: id to the answers to all questions.
        measurements: metric id, then id of what was measured, to the numbers.
        digests: of the artifacts in `results`, by path.
        rendered: renderer id to its folder and files, the one to open first ahead.
        failures: the steps that failed while the run went on, and their errors.
    """

    session: Session
    folder: RunFolder
    titles: tuple[str, ...]
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
    _results: Results | None = None

    def read(self, component: ResolvedComponent) -> None:
        """The chosen images of the data's split."""
        session, explain = self.session, self.session.resolved.explain

        def make() -> Split:
            data = session.get(component)
            with session.inside(component, "read"):
                check_split(explain.split, data.splits)
                split = data.split(explain.split)
            check_valid(split, component, kind=Split.kind)
            if not len(split) or split.images.dtype != np.float32:
                text = f"{split.images.dtype} images of shape {split.images.shape}"
                raise SidelightError(f"{component.title} gave {text}, not float32 (N, C, H, W)")
            chosen = choose_images(split, warn=session.warn, **images_read(explain))
            return cast("Split", split.take(chosen.tolist()))

        self.images = cast("Split", session.keep(component, "read", images_read(explain), make).result)

    def fit(self, component: ResolvedComponent) -> None:
        """The learned state of a trainable component, into the store."""
        self.session.state(component)

    def predict(self, component: ResolvedComponent) -> None:
        """Class logits of the chosen images, and then the questions."""
        session, explain = self.session, self.session.resolved.explain

        def ask(classifier: Any, images: Tensor, _: Targets | None) -> ClassifierAnswers:
            with load_torch().no_grad():  # not inference_mode: weights loaded now would never have gradients again
                logits = classifier.class_logits(images).float().cpu().numpy()
            return ClassifierAnswers(logits=logits, task=classifier.task, class_names=tuple(classifier.class_names))

        every = np.arange(len(self.images))
        self.answers = answers = self._in_shards(component, "predict", every, ask)  # logits (M, K)
        self.rows, self.targets = pose_questions(  # (N,), N questions
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

        def misfits() -> bool:
            generator = component.needed("generator")
            made = tuple(session.get(generator).image_shape) if generator is not None else shape
            if made != shape:
                session.warn(f"{component.use}: no inversion, the generator makes {made} and the images are {shape}")
            return made != shape

        def ask(inverter: Any, images: Tensor, _: Targets | None) -> Inversion:
            return cast("Inversion", inverter.invert(images))

        every = np.arange(len(self.images))
        inversion = self._in_shards(component, "invert", every, ask, skip=misfits, kind=Inversion.kind)
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
        source = self.images.images if own or inversion is None else inversion.latents  # (M, C, H, W) or (M, *latent)

        def find(target: int) -> Attributes:
            def make() -> Attributes:
                finder, given = session.get(component), as_images(source, session.device)
                with session.inside(component, "find"):
                    attributes: Attributes = finder.find(finder.latents(given) if own else given, target)
                check_valid(attributes, component, classes=classes, kind=Attributes.kind)
                return attributes

            inputs = {"images" if own else "latents": source, "target": target}
            return cast("Attributes", session.keep(component, "find", inputs, make).result)

        targets = session.progress(sorted(set(self.targets.probe.tolist())), "classes", None)
        parts = [find(target) for target in targets]
        try:
            self.attributes[component.id] = Attributes.join(parts)
        except SidelightError as error:
            raise SidelightError(f"{component.use}: {error}") from error

    def explain(self, component: ResolvedComponent) -> None:
        """One explainer's answer to every question."""
        kind = cast("ExplainerDescriptor", component.descriptor).gives
        forms = {"kind": kind, "classes": self.answers.logits.shape[1]}

        def ask(explainer: Any, images: Tensor, targets: Targets | None) -> Explanation:
            return cast("Explanation", explainer.explain(images, targets))

        explanation = self._in_shards(component, "explain", self.rows, ask, self.targets, **forms)
        self.explanations[component.id] = explanation
        for doubt in explanation.doubts():
            self.session.warn(f"{component.title}: {doubt}")

    def measure(self, component: ResolvedComponent) -> None:
        """One metric of everything whose kind it accepts, but of what was made with a generator other than its own."""
        session, answered = self.session, False
        failed: SidelightError | None = None
        self.measurements[component.id] = measured = dict[str, Measurements]()
        images = self.images.images[self.rows]  # (N, C, H, W): an image once for each question
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
        """Subjects of metrics with their makers: explanations and attributes by id, and the inversion."""
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
                components=_records(session.resolved),
                recipe=session.resolved.plain,
                environment=_environment(session.device),
                warnings=tuple(session.record.warnings),
            )
            self.digests = _digests(self._results)
        return self._results

    def render(self, component: ResolvedComponent) -> None:
        """One renderer's files, into a folder of its own."""
        session, results = self.session, self.results
        taken = {"results", MANIFEST, *(location.lower() for location, _ in self.rendered.values())}
        location = unique_name(safe_name(component.id), taken)
        folder = self.folder.staging / location

        def make() -> tuple[str, ...]:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            renderer = session.get(component)
            with session.inside(component, "render"):
                files = _relative(renderer.render(results, folder), folder)
            changed = [path for path, digest in _digests(results).items() if self.digests[path] != digest]
            if changed:
                raise Untrustworthy(f"{component.title} changed the results it shows: {changed[0]}")
            return files

        try:
            inputs = {"results": [list(self.digests.items()), results.facts()]}  # the order of parts counts
            entry = session.keep(component, "render", inputs, make, folder)
        except Exception:
            shutil.rmtree(folder, ignore_errors=True)  # half a page is none
            raise
        self.rendered[component.id] = (location, entry.files)

    def _in_shards(
        self,
        component: ResolvedComponent,
        verb: str,
        rows: np.ndarray,
        ask: Callable[[Any, Tensor, Targets | None], A],
        targets: Targets | None = None,
        *,
        skip: Callable[[], bool] = lambda: False,
        **forms: Any,
    ) -> A:
        """A component's answer about images, shard by shard: from the store, or made, validated and kept.

        Args:
            component: the component asked.
            verb: its step.
            rows: (n,) rows of the chosen images.
            ask: gives the answer of the live component about images and targets.
            targets: n questions, where the step has any.
            skip: True if there is nothing to do, and the answer is None; called before the component is.
            forms: kind and number of classes, as for `check_valid`.

        Raises:
            SidelightError: answers that are invalid, or cannot be joined.
        """
        session, size, parts = self.session, self.session.resolved.explain.shard, list[Any]()
        slices = [slice(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]
        for shard in session.progress(slices, "parts", len(slices)) if len(slices) > 1 else slices:
            images, doing = self.images.images[rows[shard]], verb  # (n, C, H, W) of this shard
            questions = targets.take(range(shard.start, shard.stop)) if targets is not None else None
            if questions is not None:
                doing = f"{verb} questions {shard.start} to {shard.stop - 1}"

            def make(
                images: np.ndarray = images, questions: Targets | None = questions, doing: str = doing
            ) -> A | None:
                instance = session.get(component)
                if skip():
                    return None
                with session.inside(component, doing):
                    answer = ask(instance, as_images(images, session.device), questions)
                check_valid(answer, component, images.shape, **forms)
                return answer

            inputs = {"images": images} if questions is None else {"images": images, "targets": questions}
            parts.append(session.keep(component, verb, inputs, make).result)
        first: A = parts[0]
        if len(parts) == 1 or first is None:
            return first
        try:
            joined: A = type(first).concat(parts)
        except ValueError as error:
            raise SidelightError(f"{component.use}: the parts of its result cannot be joined: {error}") from error
        return joined

    @property
    def facts(self) -> RunFacts:
        """The run as observers see it."""
        session = self.session
        return RunFacts(
            name=session.resolved.name,
            folder=self.folder.out,
            device=session.device,
            steps=self.titles,
            seconds=session.clock.total,
            errors=tuple(str(error) for _, error in self.failures),
        )


def _digests(results: Results) -> dict[str, str]:
    """Path of each artifact, joined by slashes, to its digest."""
    return {"/".join(path): artifact.digest() for path, artifact in results.artifacts().items()}


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


def _records(resolved: Resolved) -> tuple[ComponentRecord, ...]:
    """Every component of a recipe, as renderers see it."""
    return tuple(
        ComponentRecord(
            id=component.id,
            role=component.role,
            use=component.use,
            summary=component.descriptor.summary,
            paper=component.descriptor.paper,
            distribution=component.distribution,
            version=component.version,
            params=attrs.asdict(component.params),  # tuples become lists, as json reads them back
        )
        for component in resolved.components
    )


def _environment(device: str) -> dict[str, str]:
    """Versions, platform, device and threads."""
    versions = dict.fromkeys(_PACKAGES, "not installed")
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    facts = {"python": platform.python_version(), "platform": platform.platform()}
    return {**versions, **facts, "device": device, "threads": thread_count()}
