"""Options of `torchvision/model`."""

from __future__ import annotations

from sidelight_specs import param, params
from sidelight_toolkit.class_names import MOST_CLASSES
from sidelight_toolkit.model_source import ModelSourceParams


@params
class TorchvisionParams(ModelSourceParams):
    """Options of `model`."""

    architecture: str = param("", "Name in torchvision, such as resnet50 or vit_b_16.")
    weights: str = param("", "File of weights, safetensors or a state dict; `random` for none.")
    preset: str = param("DEFAULT", "Published weights whose preprocessing and class names apply, as IMAGENET1K_V1.")
    download: bool = param(False, "Download the weights of `preset`.")
    num_classes: int | None = param(
        None, "Columns of the scores; else those of the weights.", minimum=1, maximum=MOST_CLASSES
    )
    transform_input: bool = param(True, "GoogLeNet and Inception v3 normalise once more, as published weights ask.")
    object: str = param("", "Token of a live model of torchvision, which `sidelight.explain` and dict recipes write.")
