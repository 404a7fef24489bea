"""A model of the user's own, from a TorchScript file or an exported program."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from sidelight_specs import SidelightError, UserError
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.trial import ending_of, try_out

from sidelight_classifiers.files.archive import HOW_TO_EXPORT, Unsupported, how_to_mend, kind_of_members, read_members
from sidelight_classifiers.files.exported import ExportedModule, load_exported
from sidelight_classifiers.files.model_file import ModelFile
from sidelight_classifiers.files.sandbox import digest_of
from sidelight_classifiers.files.torchscript import load_torchscript

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from torch import nn

    from sidelight_classifiers.files.interpreter import ScriptedModule


class TorchModel(ModelFile, TorchClassifier):
    """Function of the file, from images of the size that the options name. The file is read when first needed."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Submodules of the model that an exported program was made from; none of TorchScript."""
        exported = isinstance(self.module.get_submodule("model"), ExportedModule)
        return tuple(name for name in super().layers if name.startswith("model.")) if exported else ()

    def watch(self, layers: Sequence[str]) -> AbstractContextManager[dict[str, torch.Tensor]]:
        """Record the outputs of `layers`; raises a SidelightError for TorchScript, which has none."""
        if not self.layers:
            raise SidelightError(f"{self._path} is TorchScript, whose layers cannot be watched; export it as .pt2")
        return super().watch(layers)

    @cached_property
    @torch.inference_mode(False)  # tensors made in inference mode could never be differentiated through
    def module(self) -> nn.Module:
        """The model behind resizing and normalising, after a trial on three random images, at first in a child."""
        read_members(self._path)  # a file of another kind is refused without a child
        digest = digest_of([self._path])
        self._rehearse("torch", digest)
        return self.load(digest)

    def load(self, digest: str) -> nn.Module:
        """Load and try the file.

        Raises:
            UserError: it is not the file of that digest, or no model that can be explained.
        """
        self._check_digest(digest)
        members = read_members(self._path)
        load = load_exported if kind_of_members(self._path, members) == "exported" else load_torchscript
        model: ExportedModule | ScriptedModule = load(self._path, members, self._run.device)
        if isinstance(model, ExportedModule):
            self._check_sizes(model)
        prepared = self._prepared(model)
        images = self._trial_images()
        try:
            scores = try_out(prepared, images, self._path, self.task, HOW_TO_EXPORT)
        except Unsupported as error:
            raise UserError(f"{self._path} has {error}, which Sidelight does not run", how_to_mend(error)) from error
        ending = ending_of(scores, self.task, model.ending, self._params.probabilities, self._path)
        if ending and model.ending:
            model.drop_ending()  # its logits are the input of the last softmax or sigmoid
        elif ending:
            prepared.ending = ending
        return prepared

    def _check_sizes(self, model: ExportedModule) -> None:
        """An exported program takes one size, and must take any number of images."""
        batch, *shape = model.input_sizes
        if batch is not None:
            raise UserError(f"{self._path} was exported for exactly {batch} image(s) at a time", HOW_TO_EXPORT)
        if any(size not in {None, expected} for size, expected in zip(shape, self.input_shape, strict=False)):
            raise UserError(
                f"{self._path} takes images of {' x '.join(map(str, shape))}, the options say "
                f"{' x '.join(map(str, self.input_shape))}",
                "set channels, height and width to what the model takes",
            )
