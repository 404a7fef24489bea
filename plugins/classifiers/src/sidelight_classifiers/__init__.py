"""Classifiers: networks to train, EfficientNet-Lite0, and your own model. This module imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import ClassifierDescriptor, Need, hookimpl
from sidelight_toolkit.model_source import CAPABILITIES

from sidelight_classifiers.descriptors import (
    TORCH_CAPABILITIES,
    EfficientNetLiteDescriptor,
    ExpectedValueDescriptor,
    LinearProbeDescriptor,
    OnnxDescriptor,
    TorchDescriptor,
    VggDescriptor,
)
from sidelight_classifiers.live_descriptor import LiveDescriptor, LiveParams
from sidelight_classifiers.params import (
    EfficientNetLiteParams,
    ExpectedValueParams,
    LeNetParams,
    LinearProbeParams,
    OnnxParams,
    ResNetParams,
    TorchParams,
    VggParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


@hookimpl
def sidelight_classifiers() -> Iterable[ClassifierDescriptor]:
    """Networks to train, a pretrained one, and models from files."""
    yield EfficientNetLiteDescriptor(
        name="efficientnet-lite",
        summary="EfficientNet-Lite0 for the 1,000 classes of ImageNet, pretrained.",
        params=EfficientNetLiteParams,
        factory="sidelight_classifiers.efficientnet_lite:EfficientNetLite",
        provides=TORCH_CAPABILITIES,
        paper="Tan and Le 2019 (EfficientNet)",
    )
    yield ExpectedValueDescriptor(
        name="expected-value",
        summary="Another classifier's brackets as one value: their mean, weighted by the probabilities.",
        params=ExpectedValueParams,
        factory="sidelight_classifiers.expected_value:ExpectedValue",
        needs=(Need("classifier", capabilities=("differentiable", "module", "classes")),),
        provides=("differentiable", "activations", "module"),
        example={"values": (1.0, 6.0, 15.0)},
        paper="Kirchler et al. 2021 (Explainability Requires Interactivity), the age of FairFace",
    )
    yield ClassifierDescriptor(
        name="lenet",
        summary="A small convolutional network for digits, trained on the recipe's data.",
        params=LeNetParams,
        factory="sidelight_classifiers.trained.lenet:LeNet",
        provides=("trainable", *TORCH_CAPABILITIES),
        follows_data=True,
        example={"steps": 20, "batch": 8},
        paper="Feghahati et al. 2020 (CDeepEx), section 4.1",
    )
    yield LinearProbeDescriptor(
        name="linear-probe",
        summary="A linear layer on EfficientNet-Lite0's frozen features, trained on the recipe's data.",
        params=LinearProbeParams,
        factory="sidelight_classifiers.trained.linear_probe:LinearProbe",
        provides=("trainable", *TORCH_CAPABILITIES),
        follows_data=True,
        paper="Alain and Bengio 2016 (Understanding intermediate layers using linear classifier probes)",
    )
    yield LiveDescriptor(
        name="live",
        summary="A torch module of this process, or a function from images to scores as a black box.",
        params=LiveParams,
        factory="sidelight_classifiers.live:LiveModel",
        provides=CAPABILITIES,
        example={"object": "live:shades", "channels": 1, "height": 16, "width": 16},
    )
    yield OnnxDescriptor(
        name="onnx",
        summary="Your own model from an ONNX file; with gradients where its operators are known.",
        params=OnnxParams,
        suffixes=(".onnx",),
        factory="sidelight_classifiers.files.onnx_model:OnnxModel",
        provides=("differentiable", "activations", "module"),
        example={"path": "model.onnx", "classes": ("left", "right"), "channels": 1, "height": 16, "width": 16},
    )
    yield ClassifierDescriptor(
        name="resnet",
        summary="A small residual network for images of about 32x32 pixels, trained on the recipe's data.",
        params=ResNetParams,
        factory="sidelight_classifiers.trained.resnet:ResNet",
        provides=("trainable", *TORCH_CAPABILITIES),
        follows_data=True,
        example={"steps": 8, "batch": 8, "width": 4},
        paper="He et al. 2016 (Identity Mappings in Deep Residual Networks)",
    )
    yield TorchDescriptor(
        name="torch",
        summary="Your own model, from a TorchScript file or an exported program.",
        params=TorchParams,
        suffixes=(".pt2", ".pt", ".pth", ".ts"),
        factory="sidelight_classifiers.files.torch_model:TorchModel",
        provides=("differentiable", "module"),
        example={"path": "model.pt2", "classes": ("left", "right"), "channels": 1, "height": 16, "width": 16},
    )
    yield VggDescriptor(
        name="vgg",
        summary="VGG16 for images of about 32x32 pixels, narrower or shallower, trained on the recipe's data.",
        params=VggParams,
        factory="sidelight_classifiers.trained.vgg:Vgg",
        provides=("trainable", *TORCH_CAPABILITIES),
        follows_data=True,
        example={"steps": 8, "batch": 8, "width": 4},
        paper="Simonyan and Zisserman 2015 (VGG), configuration D",
    )
