"""Live models: a torch module that the user holds, or a function as a black box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_specs import UserError, live
from sidelight_toolkit.classifier import check_channels
from sidelight_toolkit.live_model import name_of
from sidelight_toolkit.modules import frozen_copy
from sidelight_toolkit.preprocessing import Preprocessing
from sidelight_toolkit.source_classifier import Source, SourceClassifier
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from sidelight_specs import Run

    from sidelight_classifiers.live_descriptor import LiveParams


class LiveModel(SourceClassifier):
    """A model of this process. Of a module a copy is used, which shares the memory of its weights."""

    how = "give a model that returns one tensor of scores, (N, K)"
    sizes = "give size=..., mean=... and std=... as the model was trained with"
    without = "give the model without its final layer"

    _params: LiveParams

    def __init__(self, params: LiveParams, *, run: Run) -> None:
        super().__init__(params, run=run)
        self._object = live.get(params.object)
        self.subject = name_of(self._object)

    def _read_source(self) -> Source:
        params = self._params
        assert params.height
        assert params.width
        return Source(channels=params.channels, preprocessing=Preprocessing(size=(params.height, params.width)))

    def _load_network(self) -> nn.Module:
        network = self._copied() if self._params.kind == "module" else BlackBox(self._object)
        if not self._params.preprocess:
            return network
        return nn.Sequential(Function(live.get(self._params.preprocess)), network)

    def _copied(self) -> nn.Module:
        try:
            return frozen_copy(self._object)
        except Exception as error:  # whatever a part of the model raises when it is copied
            raise UserError(
                f"{self.subject} cannot be copied, so that evaluation mode would change it: {error}",
                "give a function instead, which is explained as a black box: lambda images: model(images)",
            ) from error

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """(N, K) float32 scores of (N, C, H, W) images; of a function without gradients."""
        if self._params.kind == "module":
            return super().scores(images)
        check_channels(images, self.input_shape[0])
        with torch.no_grad():
            scores: torch.Tensor = self.module(images)
        return scores.float()

    @property
    def layers(self) -> tuple[str, ...]:
        """Submodules of a module; a function shows none."""
        return super().layers if self._params.kind == "module" else ()

    def watch(self, layers: Sequence[str]) -> AbstractContextManager[dict[str, torch.Tensor]]:
        """Record outputs of submodules; raises a UserError for a function, which has none."""
        if self._params.kind == "function":
            raise UserError(f"{self.subject} is a function, whose layers cannot be watched", "give the module itself")
        return super().watch(layers)


class Function(nn.Module):
    """A function of tensors as a step of a network."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores of the function for (N, C, H, W) images."""
        result: torch.Tensor = self.function(images)
        return result


class BlackBox(Function):
    """A function from images to scores, whatever it is written with."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) tensor to scores; arrays and lists become tensors on the images' device."""
        with torch.no_grad():
            scores = self.function(images.detach())
        scores = getattr(scores, "logits", scores)
        if isinstance(scores, torch.Tensor):
            return scores.to(images.device)
        return torch.from_numpy(np.asarray(scores, dtype=np.float32)).to(images.device)
