"""Image classifiers of Hugging Face transformers, from folders of save_pretrained. Nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import hookimpl
from sidelight_toolkit.model_source import CAPABILITIES

from sidelight_transformers.descriptor import ImageClassifierDescriptor
from sidelight_transformers.params import ImageClassifierParams

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs import ClassifierDescriptor


@hookimpl
def sidelight_classifiers() -> Iterable[ClassifierDescriptor]:
    """Any architecture of transformers with a head for image classification."""
    yield ImageClassifierDescriptor(
        name="image-classifier",
        summary="A model of Hugging Face transformers, from the folder that save_pretrained wrote.",
        params=ImageClassifierParams,
        factory="sidelight_transformers.image_classifier:ImageClassifier",
        provides=CAPABILITIES,
        example={"path": "model"},
        paper="Wolf et al. 2020, Transformers: State-of-the-Art Natural Language Processing",
    )
