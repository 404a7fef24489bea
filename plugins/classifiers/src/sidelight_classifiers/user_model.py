"""A model of the user's own, from a TorchScript file or an exported program."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from sidelight_specs import SidelightError, UserError
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.images import resize
from torch import nn

from sidelight_classifiers._archive import HOW_TO_EXPORT, kind_of, read_members
from sidelight_classifiers._exported import ExportedModule, load_exported
from sidelight_classifiers._torchscript import load_torchscript
from sidelight_classifiers._trial import try_out

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from sidelight_specs import Run
    from sidelight_specs.roles.classifier import Task

    from sidelight_classifiers._params import TorchParams

NAMES = {"binary": 2, "regression": 1}


class Prepared(nn.Module):
    """A model behind resizing and normalising."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: nn.Module, size: tuple[int, int], mean: torch.Tensor, std: torch.Tensor) -> None:
        super().__init__()
        self.model = model
        self.size = size
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in [0, 1] to scores; a model that gives (N,) is taken to give (N, 1)."""
        scores: torch.Tensor = self.model((resize(images, self.size) - self.mean) / self.std)
        return scores[:, None] if isinstance(scores, torch.Tensor) and scores.ndim == 1 else scores


class UserModel(TorchClassifier):
    """Whatever the file computes, from images of the size that the options name. The file is read when first needed."""

    def __init__(self, params: TorchParams, *, run: Run) -> None:
        self.params = params
        self.run = run
        self._path = Path(params.path).expanduser()

    @property
    def task(self) -> Task:
        """As the options say."""
        return self.params.task

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """As the options say."""
        return (self.params.channels, self.params.height, self.params.width)

    @property
    def layers(self) -> tuple[str, ...]:
        """Of an exported program, the submodules of the model that it was made from; none of TorchScript."""
        exported = isinstance(self.module.get_submodule("model"), ExportedModule)
        return tuple(name for name in super().layers if name.startswith("model.")) if exported else ()

    def watch(self, layers: Sequence[str]) -> AbstractContextManager[dict[str, torch.Tensor]]:
        """Record the outputs of `layers`; raises a SidelightError for TorchScript, which has none."""
        if not self.layers:
            raise SidelightError(f"{self._path} is TorchScript, whose layers cannot be watched; export it as .pt2")
        return super().watch(layers)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Those of `classes` or `classes_file`; else numbered ones."""
        names = self._given_names()
        expected = NAMES.get(self.task) or self._columns
        if names and len(names) != expected:
            raise UserError(
                f"{len(names)} class names are given, the {self.task} model {self._path} needs {expected}",
                "name each class once, in the order of the logits",
            )
        return names or tuple(f"class {number}" for number in range(expected))

    @cached_property
    @torch.inference_mode(False)  # tensors made in inference mode could never be differentiated through
    def module(self) -> nn.Module:
        """The model behind resizing and normalising, after a trial on three random images."""
        members = read_members(self._path)
        load = {"torchscript": load_torchscript, "exported": load_exported}[kind_of(self._path, members)]
        model = load(self._path, members, self.run.device)
        if isinstance(model, ExportedModule):
            self._check_sizes(model)
        size = (self.params.height, self.params.width)
        prepared = Prepared(model, size, self._channelwise("mean"), self._channelwise("std")).to(self.run.device)
        prepared.eval()
        images = torch.from_numpy(self.run.rng("trial").random((3, *self.input_shape), dtype="float32"))
        try_out(prepared, images.to(self.run.device), self._path, self.task)
        return prepared

    @cached_property
    def _columns(self) -> int:
        """How many scores the model gives for an image."""
        with torch.no_grad():
            return int(self.module(torch.zeros(1, *self.input_shape, device=self.run.device)).shape[1])

    def _given_names(self) -> tuple[str, ...]:
        if not self.params.classes_file:
            return self.params.classes
        if self.params.classes:
            raise UserError("both classes and classes_file are given", "leave one of the two out")
        path = Path(self.params.classes_file).expanduser()
        try:
            return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        except (OSError, ValueError) as error:
            raise UserError(
                f"classes_file: {path} cannot be read: {error}", "give a text file, one name a line"
            ) from error

    def _channelwise(self, option: str) -> torch.Tensor:
        """`mean` or `std` as (C, 1, 1)."""
        values = getattr(self.params, option)
        if len(values) not in {1, self.params.channels}:
            raise UserError(
                f"{option} has {len(values)} numbers for {self.params.channels} channel(s)",
                "give one number, or one for each channel",
            )
        return torch.tensor(values, dtype=torch.float32).expand(self.params.channels)[:, None, None].clone()

    def _check_sizes(self, model: ExportedModule) -> None:
        """An exported program takes one size, and must take any number of images."""
        batch, *shape = [size.get("as_int") for size in model.input_sizes]
        if batch is not None:
            raise UserError(f"{self._path} was exported for exactly {batch} image(s) at a time", HOW_TO_EXPORT)
        if any(size not in {None, expected} for size, expected in zip(shape, self.input_shape, strict=False)):
            raise UserError(
                f"{self._path} takes images of {' x '.join(map(str, shape))}, the options say "
                f"{' x '.join(map(str, self.input_shape))}",
                "set channels, height and width to what the model takes",
            )
