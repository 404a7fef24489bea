"""Bases of classifiers that learn from the recipe's data: cross-entropy, minibatches, a triangular learning rate."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs import NotFittedError, UserError
from sidelight_specs.results import State
from sidelight_specs.roles import Trainable
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.devices import minibatch, resident
from sidelight_toolkit.modules import load_state_arrays, state_arrays, training_mode
from sidelight_toolkit.seeding import seeded
from sidelight_toolkit.training import minibatches, train
from torch import nn
from torch.nn import functional

from sidelight_classifiers.trained.accuracy import emit_accuracy
from sidelight_classifiers.trained.augmentation import random_flip, random_shift

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Split
    from sidelight_specs.roles import Data
    from sidelight_specs.roles.classifier import Task

    from sidelight_classifiers.params import ConvolutionalParams, TrainingParams

MOMENTUM = 0.9  # the usual value for residual and VGG networks


@attrs.frozen
class DataSummary:
    """Shape, classes and brightness of the training images: all that a network keeps of them.

    Args:
        shape: (C, H, W).
        classes: K names, K >= 2.
        mean: of all pixels.
        std: standard deviation of all pixels; 1 where they are all the same.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: float
    std: float

    @classmethod
    def of(cls, split: Split) -> DataSummary:
        """Summary of a labelled training split.

        Raises:
            UserError: no labels, values instead of classes, or fewer than two classes.
        """
        check_labels(split)
        channels, height, width = split.images.shape[1:]
        mean, std = float(split.images.mean()), float(split.images.std()) or 1.0
        return cls((channels, height, width), split.class_names, mean, std)

    def settings(self) -> dict[str, str]:
        """Texts for `State.settings`, one for each field."""
        return {name: json.dumps(value) for name, value in attrs.asdict(self).items()}

    @classmethod
    def from_state(cls, state: State) -> DataSummary:
        """Summary that `settings` wrote."""
        values = {field.name: json.loads(state.settings[field.name]) for field in attrs.fields(cls)}
        return cls(tuple(values["shape"]), tuple(values["classes"]), values["mean"], values["std"])


def check_labels(split: Split) -> None:
    """A split that a classifier can learn from.

    Raises:
        UserError: no labels, values instead of classes, or fewer than two classes.
    """
    if split.labels is None:
        raise UserError("the data has no labels to learn from", "use data with classes, or a pretrained classifier")
    if not np.issubdtype(split.labels.dtype, np.integer):
        raise UserError("the data's labels are values, not classes", "use data with classes")
    if len(split.class_names) < 2:
        names = ", ".join(split.class_names) or "none"
        raise UserError(f"a classifier needs two classes, the data has {names}", "add a class to the data")


class TrainedClassifier(TorchClassifier, Trainable):
    """Base of networks for the classes that the data names. A subclass gives `build` and `optimizer`."""

    def __init__(self, params: TrainingParams, *, run: Run) -> None:
        self._params = params
        self._run = run
        self._data: DataSummary | None = None
        self._network: nn.Module | None = None
        self._losses: np.ndarray | None = None

    @abstractmethod
    def build(self, data: DataSummary) -> nn.Module:
        """A network with fresh weights, from images in [0, 1] to K logits."""

    @abstractmethod
    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Optimizer of the cross-entropy."""

    def training_logits(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """(N, K) float32 logits during the training; a subclass may compute them in another precision."""
        logits: torch.Tensor = network(images)
        return logits

    @property
    def task(self) -> Task:
        """Multi-class, also with two classes."""
        return "multiclass"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes of the data that it was trained on."""
        return self._trained_on.classes

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of the images that it was trained on."""
        return self._trained_on.shape

    @property
    def module(self) -> nn.Module:
        """The trained network."""
        if self._network is None:
            raise NotFittedError(f"{type(self).__name__} was not trained yet")
        return self._network

    def fit(self, data: Data) -> None:
        """Minimise the cross-entropy on the training split; the accuracy on every other split is emitted."""
        split = data.split("train").read()
        summary = DataSummary.of(split)
        with seeded(self._run, "weights"):
            network = self.build(summary).to(self._run.device)
        with training_mode(network), seeded(self._run, "dropout"):
            losses = self._train(network, split)
        self._data, self._network, self._losses = summary, network, losses
        emit_accuracy(self, data, self._run)

    def state(self) -> State:
        """Weights, data summary, and the loss at every step."""
        curves = {} if self._losses is None else {"loss": self._losses}
        return State(arrays=state_arrays(self.module), settings=self._trained_on.settings(), curves=curves)

    def load_state(self, state: State) -> None:
        """Rebuild the network and load its weights."""
        summary = DataSummary.from_state(state)
        with seeded(self._run, "weights"):  # its fresh weights are replaced; torch's global stream stays as it was
            network = self.build(summary)
        load_state_arrays(network, state.arrays)
        self._data, self._network = summary, network.to(self._run.device)
        self._losses = state.curves.get("loss")

    @property
    def _trained_on(self) -> DataSummary:
        if self._data is None:
            raise NotFittedError(f"{type(self).__name__} was not trained yet")
        return self._data

    def _train(self, network: nn.Module, split: Split) -> np.ndarray:
        """(steps,) losses."""
        device = self._run.device
        images, labels = (resident(torch.from_numpy(each), device) for each in (split.images, split.labels))
        rng = self._run.rng("augmentation")

        def loss_of(rows: np.ndarray) -> torch.Tensor:
            batch = random_shift(minibatch(images, rows, device), self._params.shift, rng)
            batch = random_flip(batch, rng) if self._params.flip else batch
            return functional.cross_entropy(self.training_logits(network, batch), minibatch(labels, rows, device))

        batches = minibatches(len(images), self._params.batch, self._run.rng("batches"))
        stateful = {"network": network, "augmentation": rng}
        return train(
            self._run, loss_of, self.optimizer(network), batches, self._params.steps, "training", stateful=stateful
        )


class Standardised(nn.Module):
    """A network behind standardising by the mean and the standard deviation of the training images."""

    def __init__(self, data: DataSummary) -> None:
        super().__init__()
        self.mean, self.std = data.mean, data.std

    def standardise(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in [0, 1] to the same shape, about zero."""
        # channels innermost in memory: convolutions on a CPU are faster so
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


class ConvolutionalClassifier(TrainedClassifier):
    """Stochastic gradient descent with Nesterov momentum, optionally in bfloat16.

    Weights, their updates and the loss stay float32, and so does everything after the training.
    """

    _params: ConvolutionalParams

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Stochastic gradient descent with Nesterov momentum."""
        rate, decay = self._params.learning_rate, self._params.weight_decay
        return torch.optim.SGD(network.parameters(), lr=rate, momentum=MOMENTUM, nesterov=True, weight_decay=decay)

    def training_logits(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Convolutions and products in the precision that the options name."""
        half = self._params.precision == "bfloat16"
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            logits: torch.Tensor = network(images)
        return logits.float()
