"""Options of `timm/model`."""

from __future__ import annotations

from sidelight_specs import param, params
from sidelight_toolkit.class_names import MOST_CLASSES
from sidelight_toolkit.model_source import ModelSourceParams


@params
class TimmParams(ModelSourceParams):
    """Options of `model`."""

    architecture: str = param("", "Name in timm, such as resnet18 or vit_tiny_patch16_224; else that of config.json.")
    weights: str = param("", "File of weights, or folder of save_for_hf; `random` for none.")
    download: bool = param(False, "Download the weights that timm publishes for the architecture.")
    object: str = param("", "Token of a live model of timm, which `sidelight.explain` and dict recipes write.")
    num_classes: int | None = param(
        None, "Columns of the scores; else those of the weights.", minimum=1, maximum=MOST_CLASSES
    )
    channels: int | None = param(None, "Colour channels; else those of the weights.", choices=(1, 3))
