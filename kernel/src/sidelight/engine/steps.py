"""The steps: each looks for its result in the store under the key of all that goes in, and makes it otherwise."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from sidelight_specs import SidelightError
from sidelight_specs.digests import digest_of
from sidelight_specs.questions import check_split, choose_images, pose_questions
from sidelight_specs.results import Attributes, Inversion, Measurements, Split

from sidelight.engine.answers import ClassifierAnswers
from sidelight.engine.checks import check_kind, check_logits, check_split_images
from sidelight.engine.device import as_images, load_torch
from sidelight.engine.guard import Disturbance
from sidelight.engine.keys import images_read
from sidelight.engine.session import ComponentError, ComponentUserError

if TYPE_CHECKING:
    from sidelight_specs import Artifact, ExplainerDescriptor, MetricDescriptor
    from sidelight_specs.results import Explanation

    from sidelight.engine.work import Work
    from sidelight.recipe.model import ResolvedComponent


def read(work: Work, component: ResolvedComponent) -> None:
    """The chosen images of the data's split."""
    session, explain = work.session, work.session.resolved.explain

    def make() -> Split:
        data = session.components.get(component)
        with session.inside(component, "read"):
            check_split(explain.split, data.splits)
            found = data.split(explain.split)
        split = check_split_images(found, component)
        chosen = choose_images(
            split,
            split=explain.split,
            count=explain.count,
            indices=explain.indices,
            labels=explain.labels,
            warn=session.warn,
        )
        return split.take(chosen.tolist())

    entry = session.keep(component, "read", images_read(explain), make)
    work.images = cast("Split", entry.result)


def fit(work: Work, component: ResolvedComponent) -> None:
    """The learned state of a trainable component, into the store."""
    work.session.components.state(component)


def predict(work: Work, component: ResolvedComponent) -> None:
    """What the classifier says of the chosen images, and then the questions."""
    session, explain = work.session, work.session.resolved.explain

    def one(part: slice) -> ClassifierAnswers:
        images = work.images.images[part]

        def make() -> ClassifierAnswers:
            classifier = session.components.get(component)
            # not inference_mode: weights that a classifier loads at its first use would never have gradients again
            with session.inside(component, "predict"), load_torch().no_grad():
                logits = classifier.class_logits(as_images(images, session.device)).float().cpu().numpy()
                task, names = classifier.task, tuple(classifier.class_names)
            logits = check_logits(logits, len(images), component)
            return ClassifierAnswers(logits=logits, task=task, class_names=names)

        entry = session.keep(component, "predict", {"images": digest_of(images)}, make)
        return cast("ClassifierAnswers", entry.result)

    work.answers = answers = work.in_shards(component, len(work.images), one)
    work.rows, work.targets = pose_questions(
        answers.logits,
        answers.task,
        target=explain.target,
        targets=explain.targets,
        class_names=answers.class_names,
        warn=session.warn,
    )


def invert(work: Work, component: ResolvedComponent) -> None:
    """The chosen images in the generator's latent space; nothing, with a warning, where the shapes differ."""
    session, shape = work.session, tuple(work.images.images.shape[1:])

    def one(part: slice) -> Inversion | None:
        images = work.images.images[part]

        def make() -> Artifact | None:
            inverter = session.components.get(component)
            wanted = _generator_shape(work, component)
            if wanted not in (None, shape):
                session.warn(f"{component.use}: no inversion, the generator makes {wanted} and the images are {shape}")
                return None
            with session.inside(component, "invert"):
                inversion = inverter.invert(as_images(images, session.device))
            return check_kind(inversion, Inversion.kind, component, images.shape)

        entry = session.keep(component, "invert", {"images": digest_of(images)}, make)
        return cast("Inversion | None", entry.result)

    found = work.in_shards(component, len(work.images), one)
    if found is not None:
        work.inversions[component.id] = found
    if component is session.resolved.main_inverter:
        work.inversion = found


def _generator_shape(work: Work, component: ResolvedComponent) -> tuple[int, ...] | None:
    generators = [need for need in component.needs.values() if need is not None and need.role == "generator"]
    return tuple(work.session.components.get(generators[0]).image_shape) if generators else None


def find(work: Work, component: ResolvedComponent) -> None:
    """Attributes that move the classifier towards each class that is asked about."""
    session, own, classes = work.session, "latents" in component.provides, work.answers.logits.shape[1]
    inverter = component.needed("inverter") or session.resolved.main_inverter
    inversion = work.inversions.get(inverter.id) if inverter is not None else None
    if inversion is None and not own:
        session.warn(f"{component.use}: nothing to find attributes in, because no image could be inverted")
        return
    source = work.images.images if own or inversion is None else inversion.latents

    def one(target: int) -> Explanation:
        def make() -> Artifact:
            finder = session.components.get(component)
            given = as_images(source, session.device)
            with session.inside(component, "find"):
                found = finder.find(finder.latents(given) if own else given, target)
            return check_kind(found, "attributes", component, classes=classes)

        inputs = {"images" if own else "latents": digest_of(source), "target": str(target)}
        return cast("Explanation", session.keep(component, "find", inputs, make).result)

    targets = session.progress(sorted(set(work.targets.probe.tolist())), "classes", None)
    found = [part for part in [one(target) for target in targets] if isinstance(part, Attributes)]
    try:
        work.attributes[component.id] = Attributes.join(found)
    except SidelightError as error:
        raise SidelightError(f"{component.use}: {error}") from error


def explain(work: Work, component: ResolvedComponent) -> None:
    """One explainer's answer to every question."""
    session, classes = work.session, work.answers.logits.shape[1]
    kind = cast("ExplainerDescriptor", component.descriptor).gives

    def one(part: slice) -> Explanation:
        images = work.images.images[work.rows[part]]
        targets = work.targets.take(range(part.start, part.stop))

        def make() -> Artifact:
            explainer = session.components.get(component)
            with session.inside(component, f"explain questions {part.start} to {part.stop - 1}"):
                explanation = explainer.explain(as_images(images, session.device), targets)
            return check_kind(explanation, kind, component, images.shape, classes)

        inputs = {"images": digest_of(images), "targets": targets.digest()}
        return cast("Explanation", session.keep(component, "explain", inputs, make).result)

    work.explanations[component.id] = explanation = work.in_shards(component, len(work.rows), one)
    for doubt in explanation.doubts():
        session.warn(f"{component.title}: {doubt}")


class NotMeasurable(SidelightError):
    """A metric has said that what it was given cannot be measured by it."""


def measure(work: Work, component: ResolvedComponent) -> None:
    """One metric of everything whose kind it accepts, but of what was made with a generator other than its own."""
    session, said = work.session, False
    failed: SidelightError | None = None
    work.measurements[component.id] = found = dict[str, Measurements]()
    images = work.images.images[work.rows]
    accepts = cast("MetricDescriptor", component.descriptor).accepts
    for subject, (maker, explanation) in _subjects(work).items():
        if explanation.kind not in accepts or component.has_other_generator(maker):
            continue

        def make(subject: str = subject, explanation: Any = explanation) -> Artifact:
            metric = session.components.get(component)
            given = copy.deepcopy((explanation, work.targets))  # others measure the same ones
            try:
                with session.inside(component, f"measure {subject}"):
                    numbers = metric.measure(given[0], as_images(images, session.device), given[1])
            except ComponentUserError as error:
                raise NotMeasurable(f"{subject} is not measured: {error}") from error
            rows = images.shape if explanation.rows() else None  # else one row for each of something else
            return check_kind(numbers, Measurements.kind, component, rows)

        session.cancellation.check()
        inputs = {"images": digest_of(images), "targets": work.targets.digest(), "of": explanation.digest()}
        try:
            found[subject] = cast("Measurements", session.keep(component, "measure", inputs, make).result)
        except NotMeasurable as error:
            session.warn(str(error))
            said = True
        except (ComponentError, Disturbance) as error:  # the other subjects may still be measured
            failed = failed or error
    if failed is not None:
        raise failed
    if not found and not said:
        session.warn(f"{component.use}: nothing to measure, it accepts {', '.join(accepts)}")


def _subjects(work: Work) -> dict[str, tuple[ResolvedComponent, Artifact]]:
    """What metrics may measure, and who made it: explanations and attributes by id, and the inversion."""
    resolved = work.session.resolved
    makers = {role: {one.id: one for one in resolved.of_role(role)} for role in ("explainer", "attribute_finder")}
    subjects: dict[str, tuple[ResolvedComponent, Artifact]] = {
        name: (makers["explainer"][name], found) for name, found in work.explanations.items()
    }
    for name, found in work.attributes.items():
        free = name if name not in subjects else f"attribute_finders.{name}"
        subjects[free] = makers["attribute_finder"][name], found
    inverter = resolved.main_inverter
    if work.inversion is not None and inverter is not None:
        free = "inversion" if "inversion" not in subjects else "inverter.inversion"
        subjects[free] = inverter, work.inversion.take(work.rows.tolist())
    return subjects
