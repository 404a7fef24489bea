"""Models of timm: preprocessing and class names by timm's own configuration. This module imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import ClassifierDescriptor, hookimpl
from sidelight_toolkit.model_source import CAPABILITIES

from sidelight_timm.descriptors import TimmDescriptor
from sidelight_timm.params import TimmParams

if TYPE_CHECKING:
    from collections.abc import Iterable


@hookimpl
def sidelight_classifiers() -> Iterable[ClassifierDescriptor]:
    """Any architecture of timm."""
    yield TimmDescriptor(
        name="model",
        summary="Any architecture of timm with weights of your own, or those that timm publishes.",
        params=TimmParams,
        factory="sidelight_timm.model:TimmModel",
        provides=CAPABILITIES,
        example={"architecture": "resnet18", "weights": "random", "num_classes": 3, "height": 32, "width": 32},
        paper="Wightman 2019 (PyTorch Image Models)",
    )
