"""Classifiers of torchvision: preprocessing and class names by its presets. This module imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import ClassifierDescriptor, hookimpl
from sidelight_toolkit.model_source import CAPABILITIES

from sidelight_torchvision.descriptors import TorchvisionDescriptor
from sidelight_torchvision.params import TorchvisionParams

if TYPE_CHECKING:
    from collections.abc import Iterable


@hookimpl
def sidelight_classifiers() -> Iterable[ClassifierDescriptor]:
    """Any classifier of torchvision."""
    yield TorchvisionDescriptor(
        name="model",
        summary="Any classifier of torchvision with weights of your own, or those that torchvision publishes.",
        params=TorchvisionParams,
        factory="sidelight_torchvision.model:TorchvisionModel",
        provides=CAPABILITIES,
        example={"architecture": "resnet18", "weights": "random", "num_classes": 3, "height": 32, "width": 32},
    )
