"""Announces `fossil-classifier/classifier`. Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import ClassifierDescriptor, hookimpl, param, params

if TYPE_CHECKING:
    from collections.abc import Iterable


@params
class ClassifierParams:
    """Options of `classifier`."""

    steps: int = param(200, "Steps of gradient descent.", unit="steps", minimum=1, maximum=100000)
    rate: float = param(0.05, "Learning rate.", minimum=1e-6, maximum=10)


@hookimpl
def sidelight_classifiers() -> Iterable[ClassifierDescriptor]:
    """What this plugin offers."""
    yield ClassifierDescriptor(
        name="classifier",
        summary="Softmax regression on pixels.",
        params=ClassifierParams,
        factory="fossil_classifier.classifier:Classifier",
        provides=("trainable", "differentiable", "module", "classes"),
        example={"steps": 20},
    )
