"""Options of the classifiers."""

from __future__ import annotations

from typing import Any, Literal

from sidelight_specs import param, params

Precision = Literal["float32", "bfloat16"]
Task = Literal["multiclass", "binary", "regression"]


def _steps(default: int) -> Any:
    return param(default, "Length of the training.", unit="steps", minimum=1, maximum=1_000_000)


def _learning_rate(default: float) -> Any:
    return param(default, "Highest learning rate; it rises and falls linearly.", minimum=1e-6, maximum=10.0)


def _weight_decay(default: float) -> Any:
    return param(default, "Weight decay.", minimum=0.0, maximum=1.0)


@params
class TrainingParams:
    """Options of all classifiers that are trained on the recipe's data."""

    steps: int = _steps(1200)
    batch: int = param(32, "Images in each step.", unit="images", minimum=1, maximum=4096)
    learning_rate: float = _learning_rate(4e-3)
    weight_decay: float = _weight_decay(1e-2)
    shift: int = param(2, "Largest random shift of training images, each way.", unit="pixels", minimum=0, maximum=64)
    flip: bool = param(False, "Mirror training images left to right at random.")


@params
class LeNetParams(TrainingParams):
    """Options of `lenet`."""

    dropout: float = param(0.2, "Share of the 50 hidden units switched off in training.", minimum=0.0, maximum=0.9)


@params
class ConvolutionalParams(TrainingParams):
    """Options of `resnet` and `vgg`: gradient descent with Nesterov momentum, on augmented images."""

    steps: int = _steps(2000)
    batch: int = param(128, "Images in each step.", unit="images", minimum=2, maximum=4096)
    learning_rate: float = _learning_rate(0.1)
    weight_decay: float = _weight_decay(5e-4)
    flip: bool = param(True, "Mirror training images left to right at random; not for digits or letters.")
    precision: Precision = param(
        "float32", "Arithmetic of the training; `bfloat16` is faster on AMX, slower on other x86."
    )


@params
class ResNetParams(ConvolutionalParams):
    """Options of `resnet`."""

    width: int = param(16, "Channels of the first stage; the next two double them.", minimum=4, maximum=512)
    blocks: int = param(1, "Residual blocks in each of the three stages.", minimum=1, maximum=50)


@params
class VggParams(ConvolutionalParams):
    """Options of `vgg`."""

    convolutions: tuple[int, ...] = param(
        (2, 2, 3, 3, 3),
        "3x3 convolutions of each stage, which a pooling ends; (2, 2, 2) with two linear layers is the classifier of "
        "Gat et al. 2022.",
        minimum=1,
        maximum=8,
    )
    linear: int = param(3, "Linear layers after the stages.", minimum=1, maximum=8)
    steps: int = _steps(1200)
    learning_rate: float = _learning_rate(0.05)
    width: int = param(16, "Channels of the first stage; VGG16 has 64.", minimum=4, maximum=512)
    dropout: float = param(
        0.2, "Share of the units of both hidden linear layers switched off in training.", minimum=0.0, maximum=0.9
    )


@params
class ExpectedValueParams:
    """Options of `expected-value`."""

    values: tuple[float, ...] = param(
        ..., "Value that each class stands for, in their order: the middle of a bracket.", minimum=-1e9, maximum=1e9
    )
    name: str = param("value", "What the value means: age.")


@params
class EfficientNetLiteParams:
    """Options of `efficientnet-lite`."""

    channels_last: bool = param(True, "Compute with channels as the innermost dimension; faster on CPUs.")


@params
class LinearProbeParams:
    """Options of `linear-probe`."""

    weight_decay: float = param(
        0.01, "Weight of half the squared norm of the weights; larger: smoother.", minimum=1e-8, maximum=100.0
    )
    batch: int = param(16, "Images in one forward pass.", unit="images", minimum=1, maximum=4096)


@params
class ModelFileParams:
    """Options of `torch` and `onnx`."""

    path: str = param(..., "Model file: .pt, .ts or .pt2 for `torch`, .onnx for `onnx`; relative to where you run.")
    task: Task = param("multiclass", "Task: K logits, one logit (of class 1), or one value.")
    classes: tuple[str, ...] = param((), "Class names in the order of the logits; two if binary, one for a regression.")
    classes_file: str = param("", "Text file with one class name on each line, instead of `classes`.")
    channels: int | None = param(
        None, "Colour channels that the model takes; default: as the file says, or 3.", choices=(1, 3)
    )
    height: int | None = param(
        None, "Height that the model takes; default: as the file says, or 224.", unit="pixels", minimum=8, maximum=4096
    )
    width: int | None = param(
        None, "Width that the model takes; default: as the file says, or 224.", unit="pixels", minimum=8, maximum=4096
    )
    mean: tuple[float, ...] = param(
        (0.0,),
        "Subtracted from images in [0, 1]: one number, or one for each channel.",
        minimum=-1000.0,
        maximum=1000.0,
    )
    std: tuple[float, ...] = param(
        (1.0,), "Divisor of the difference: one number, or one for each channel.", minimum=1e-6, maximum=1000.0
    )
    probabilities: bool = param(False, "The model ends with softmax or sigmoid; logits are computed from it.")
    trial_seconds: int = param(
        120, "CPU time in which the file must load and score a few images.", unit="s", minimum=1, maximum=86_400
    )


@params
class TorchParams(ModelFileParams):
    """Options of `torch`."""


@params
class OnnxParams(ModelFileParams):
    """Options of `onnx`."""

    output: str = param("", "Name of the output that holds the scores, where the model has several.")
    black_box: bool = param(False, "Compute with onnxruntime alone: neither gradients nor layers.")
