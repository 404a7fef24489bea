"""Base of classifiers whose network a library builds: timm, torchvision, transformers, a live module.

A subclass says where the network, its preprocessing and its class names come from; corrections by the options, the
trial and the detection of probabilities are here. The options and the descriptor are `model_source`.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, cast

import torch
from attrs import evolve, frozen
from sidelight_specs.results import State

from sidelight_toolkit.class_names import NUMBER_OF_NAMES, checked_names
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.model_source import Known, names_for
from sidelight_toolkit.modules import single_precision, watchable
from sidelight_toolkit.preprocessing import Prepared, Preprocessing
from sidelight_toolkit.trial import ending_of, try_out

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles.classifier import Task

    from sidelight_toolkit.model_source import ModelSourceParams
    from sidelight_toolkit.trial import Ending

TRIED = 2  # images of the trial: the fewest that show whether scores depend on the neighbours


@frozen(kw_only=True)
class Source:
    """A network's own configuration.

    Args:
        channels: colour channels that the network takes.
        preprocessing: that it was trained with.
        classes: class names in the order of the logits; empty where the source has none.
    """

    channels: int
    preprocessing: Preprocessing
    classes: tuple[str, ...] = ()


class SourceClassifier(TorchClassifier):
    """Classifier around a network that a library builds. Network and configuration are read when first needed."""

    subject = "the model"
    """The model in messages."""
    how = "give a model in evaluation mode that returns one tensor of scores, (N, K)"
    """Advice where it gives no scores, or others for the same image."""
    sizes = "set height and width to what the model takes"
    """Advice where it fails on images of its input's size."""
    without = "leave its final layer out"
    """Advice where it gives probabilities."""

    _tried: State
    """Outcome of the trial, once the module is there."""

    def __init__(self, params: ModelSourceParams, *, run: Run) -> None:
        self._params = params
        self._run = run

    @abstractmethod
    def _read_source(self) -> Source:
        """The configuration, without weights. Raises a UserError where the source is wrong."""

    @abstractmethod
    def _load_network(self) -> torch.nn.Module:
        """The network with its weights: normalised images to scores, or to an object with `logits`.

        It is frozen, changed to float32, moved to the run's device and put in evaluation mode: give a copy of one that
        is somebody else's (`modules.frozen_copy`).
        """

    @cached_property
    def source(self) -> Source:
        """The configuration, with what the options correct."""
        source, params = self._read_source(), self._params
        height, width = source.preprocessing.size
        preprocessing = evolve(
            source.preprocessing,
            size=(params.height or height, params.width or width),
            mean=params.mean or source.preprocessing.mean,
            std=params.std or source.preprocessing.std,
        )
        return evolve(source, preprocessing=preprocessing)

    @property
    def task(self) -> Task:
        """As the options say."""
        return self._params.task

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) by the configuration and the options."""
        return (self.source.channels, *self.source.preprocessing.size)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names by the options, else by the source where it has one for each score, else numbered ones."""
        expected = NUMBER_OF_NAMES.get(self.task) or self._columns
        given = checked_names(self._params, expected, self.subject)
        return given or names_for(self._params, Known(columns=expected, classes=self.source.classes))

    @cached_property
    @torch.inference_mode(False)  # tensors made in inference mode could never be differentiated through
    def module(self) -> Prepared:
        """The network behind its preprocessing, frozen in evaluation mode, after a trial on two random images.

        Raises:
            UserError: it cannot be loaded, or it is no model that can be explained.
        """
        network = single_precision(self._load_network())
        prepared = Prepared(network, self.source.preprocessing, self.source.channels).to(self._run.device)
        prepared.eval().requires_grad_(False)

        def trial() -> State:
            scores = try_out(prepared, self._trial_images(), self.subject, self.task, self.how, self.sizes)
            ending = ending_of(scores, self.task, "", self._params.probabilities, self.subject, self.without)
            return State(settings={"ending": ending, "columns": str(scores.shape[1])})

        self._tried = self._run.cached(("trial", torch.__version__), trial)  # once for a model, not for each run
        prepared.ending = cast("Ending", self._tried.settings["ending"])
        return prepared

    @cached_property
    def _watchable(self) -> tuple[str, ...]:
        def watched() -> State:
            return State(settings={"layers": "\n".join(watchable(self.module, self._trial_images()[:1]))})

        kept = self._run.cached(("layers", torch.__version__), watched).settings["layers"]
        return tuple(filter(None, kept.split("\n")))  # nothing of a network without layers

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the network's submodules that give a tensor, `model.` first, in the order of registration."""
        return tuple(name for name in self._watchable if name != "model")

    @cached_property
    def _columns(self) -> int:
        """Number of scores that the model gives for an image, as the trial found it."""
        _ = self.module
        return int(self._tried.settings["columns"])

    def _trial_images(self) -> torch.Tensor:
        images = torch.from_numpy(self._run.rng("trial").random((TRIED, *self.input_shape), dtype="float32"))
        return images.to(self._run.device)
