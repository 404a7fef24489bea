"""A classifier that is a torch module."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, cast

from sidelight_specs import UserError
from sidelight_specs.roles import Classifier

from sidelight_toolkit.compiling import CompiledForward
from sidelight_toolkit.modules import watched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import torch
    from sidelight_specs import Run


class TorchClassifier(Classifier):
    """Base of classifiers with the capabilities `differentiable`, `activations` and `module`.

    A subclass gives `task`, `class_names`, `input_shape` and `module`. The module maps (N, C, H, W) images in [0, 1] to
    scores; normalising and resizing happen inside it. It is in evaluation mode and none of its parameters
    requires a gradient.
    """

    @property
    @abstractmethod
    def module(self) -> torch.nn.Module:
        """The network; raises `NotFittedError` where there is none yet."""

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """(N, K) float32 scores of (N, C, H, W) images.

        Raises:
            UserError: the images have another number of channels than the classifier was made for.
        """
        check_channels(images, self.input_shape[0])
        return self._forward(images).float()

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores by the network, which `run.compile` compiles where the component has kept its `run` as `_run`."""
        run, module = getattr(self, "_run", None), self.module
        if not getattr(run, "compile", False):
            scores: torch.Tensor = module(images)
            return scores
        known: CompiledForward | None = self.__dict__.get("_compiled_forward")
        if known is None or known.module is not module:
            self.__dict__["_compiled_forward"] = known = CompiledForward(module, cast("Run", run))
        return known(images)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all submodules, in the order in which they were registered."""
        return tuple(name for name, _ in self.module.named_modules() if name)

    def watch(self, layers: Sequence[str]) -> AbstractContextManager[dict[str, torch.Tensor]]:
        """Record the outputs of submodules; see `modules.watched`."""
        return watched(self.module, layers)


def check_channels(images: torch.Tensor, channels: int) -> None:
    """Raises a UserError where images are no (N, C, H, W) with C = `channels`."""
    if images.ndim != 4 or images.shape[1] != channels:
        raise UserError(
            f"the classifier takes images with {channels} channel(s), it was given {tuple(images.shape)}",
            "use data that fits: grey images for one channel, colour images for three",
        )
