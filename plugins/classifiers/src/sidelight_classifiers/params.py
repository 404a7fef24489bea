"""Options of the classifiers."""

from __future__ import annotations

from typing import Literal

from sidelight_specs import param, params


@params
class TrainingParams:
    """What classifiers share that are trained on the recipe's data."""

    steps: int = param(1200, "Length of the training.", unit="steps", minimum=1, maximum=1_000_000)
    batch: int = param(32, "Images in each step.", unit="images", minimum=1, maximum=4096)
    learning_rate: float = param(
        4e-3, "Highest learning rate; it rises and falls linearly.", minimum=1e-6, maximum=10.0
    )
    weight_decay: float = param(1e-2, "Weight decay.", minimum=0.0, maximum=1.0)
    shift: int = param(
        2, "Training images are moved at random by up to so much each way.", unit="pixels", minimum=0, maximum=64
    )
    flip: bool = param(False, "Training images are mirrored left to right at random.")


@params
class LeNetParams(TrainingParams):
    """Options of `lenet`."""

    dropout: float = param(0.2, "Share of the 50 hidden units switched off in training.", minimum=0.0, maximum=0.9)


Precision = Literal["float32", "bfloat16"]


@params
class ConvolutionalParams(TrainingParams):
    """What `resnet` and `vgg` share: stochastic gradient descent with Nesterov momentum, on augmented images."""

    steps: int = param(2000, "Length of the training.", unit="steps", minimum=1, maximum=1_000_000)
    batch: int = param(128, "Images in each step.", unit="images", minimum=2, maximum=4096)
    learning_rate: float = param(0.1, "Highest learning rate; it rises and falls linearly.", minimum=1e-6, maximum=10.0)
    weight_decay: float = param(5e-4, "Weight decay.", minimum=0.0, maximum=1.0)
    flip: bool = param(True, "Training images are mirrored left to right at random; not for digits or letters.")
    precision: Precision = param(
        "float32",
        "Arithmetic of the training: `bfloat16` takes about half the time on processors with AMX (Intel Xeon from "
        "2023), and longer than `float32` on x86 processors without, many times longer without AVX-512.",
    )


@params
class ResNetParams(ConvolutionalParams):
    """Options of `resnet`."""

    width: int = param(16, "Channels of the first stage; the next two double them.", minimum=4, maximum=512)
    blocks: int = param(1, "Residual blocks in each of the three stages.", minimum=1, maximum=50)


@params
class VggParams(ConvolutionalParams):
    """Options of `vgg`."""

    steps: int = param(1200, "Length of the training.", unit="steps", minimum=1, maximum=1_000_000)
    learning_rate: float = param(
        0.05, "Highest learning rate; it rises and falls linearly.", minimum=1e-6, maximum=10.0
    )
    width: int = param(16, "Channels of the first stage; VGG16 has 64.", minimum=4, maximum=512)
    dropout: float = param(
        0.2, "Share of the units of both hidden linear layers switched off in training.", minimum=0.0, maximum=0.9
    )


@params
class EfficientNetLiteParams:
    """Options of `efficientnet-lite`."""

    channels_last: bool = param(True, "Compute with channels as the innermost dimension, which is faster on CPUs.")


Task = Literal["multiclass", "binary", "regression"]


@params
class ModelFileParams:
    """What `torch` and `onnx` share."""

    path: str = param(
        ...,
        "File of the model, relative to where Sidelight is run: for `torch` TorchScript (.pt, .ts) or an exported "
        "program (.pt2), for `onnx` an ONNX file (.onnx).",
    )
    task: Task = param(
        "multiclass", "`multiclass` (K logits), `binary` (one logit, of class 1) or `regression` (one value)."
    )
    classes: tuple[str, ...] = param(
        (),
        "Class names in the order of the logits; two for a binary task, one, what the value means, for a regression.",
    )
    classes_file: str = param("", "Text file with one class name on each line, instead of `classes`.")
    channels: int = param(3, "Colour channels that the model takes.", choices=(1, 3))
    height: int = param(224, "Height that the model takes; images are resized.", unit="pixels", minimum=8, maximum=4096)
    width: int = param(224, "Width that the model takes.", unit="pixels", minimum=8, maximum=4096)
    mean: tuple[float, ...] = param(
        (0.0,),
        "Subtracted from images in [0, 1]: one number, or one for each channel.",
        minimum=-1000.0,
        maximum=1000.0,
    )
    std: tuple[float, ...] = param(
        (1.0,), "What the difference is divided by: one number, or one for each channel.", minimum=1e-6, maximum=1000.0
    )
    probabilities: bool = param(
        False, "The model ends with softmax or sigmoid; its probabilities are turned back into logits."
    )
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
