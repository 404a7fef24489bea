"""The questions of the steps: what a component is asked about one shard, in a run's own process or in a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError
from sidelight_specs.results import ClassifierAnswers

from sidelight.engine.machine import load_torch
from sidelight.engine.session import ComponentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Artifact
    from sidelight_specs.results import Targets
    from torch import Tensor

    from sidelight.engine.plan import Step
    from sidelight.engine.session import Session
    from sidelight.recipe.model import ResolvedComponent

    Question = Callable[..., Any]  # of the live component and its inputs, in their order


class NotAnswered(ComponentError):
    """A metric cannot measure, or an inverter not invert, what it was given: an answer and no failure."""


def question_of(session: Session, step: Step) -> Question:
    """The question of a step that is taken in shards or parts."""
    return _QUESTIONS[step.verb](session, step.component)


def class_answers(classifier: Any, images: Tensor) -> ClassifierAnswers:
    """A classifier's logits, with the names of their classes."""
    with load_torch().no_grad():  # not inference_mode: weights loaded now would never have gradients again
        logits = classifier.class_logits(images).float().cpu().numpy()
    return ClassifierAnswers(logits=logits, task=classifier.task, class_names=tuple(classifier.class_names))


def _predict(session: Session, component: ResolvedComponent) -> Question:
    del session, component
    return class_answers


def _invert(session: Session, component: ResolvedComponent) -> Question:
    def invert(inverter: Any, images: Tensor) -> Any:
        shape, generator = tuple(images.shape[1:]), component.needed("generator")
        made = tuple(session.get(generator).image_shape) if generator is not None else shape
        if made != shape:
            text = f"no inversion, the generator makes {made} and the images are {shape}"
            raise NotAnswered(f"{component.use}: {text}")
        return inverter.invert(images)

    return invert


def _find(session: Session, component: ResolvedComponent) -> Question:
    del session

    def find(finder: Any, given: Tensor, target: int) -> Any:
        return finder.find(finder.latents(given) if "latents" in component.provides else given, target)

    def find_in_samples(finder: Any, target: int) -> Any:
        return finder.find(finder.samples(), target)

    return find_in_samples if "samples" in component.provides else find


def _explain(session: Session, component: ResolvedComponent) -> Question:
    del session, component

    def explain(explainer: Any, images: Tensor, targets: Targets) -> Any:
        return explainer.explain(images, targets)

    return explain


def _measure(session: Session, component: ResolvedComponent) -> Question:
    del session

    def measure(metric: Any, images: Tensor, targets: Targets, explanation: Artifact) -> Any:
        try:
            return metric.measure(explanation, images, targets)
        except UserError as error:
            raise NotAnswered(f"{component.title}: {error}") from error

    return measure


_QUESTIONS = {
    "predict": _predict,
    "invert": _invert,
    "find": _find,
    "explain": _explain,
    "measure": _measure,
}
