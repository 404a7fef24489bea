"""Classifiers that learn from the recipe's data."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import torch
from sidelight_specs import NotFittedError
from sidelight_specs.results import State
from sidelight_specs.roles import Trainable
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.modules import load_state_arrays, state_arrays, training_mode
from sidelight_toolkit.seeding import seeded
from sidelight_toolkit.training import minibatches, train
from torch.nn import functional

from sidelight_classifiers.trained.accuracy import accuracy
from sidelight_classifiers.trained.augmentation import flipped, shifted
from sidelight_classifiers.trained.facts import Facts

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs import Run
    from sidelight_specs.results import Split
    from sidelight_specs.roles import Data
    from sidelight_specs.roles.classifier import Task

    from sidelight_classifiers.params import TrainingParams


class TrainedClassifier(TorchClassifier, Trainable):
    """Base of networks for the classes that the data names. A subclass gives `build` and `optimizer`."""

    def __init__(self, params: TrainingParams, *, run: Run) -> None:
        self.params = params
        self.run = run
        self._facts: Facts | None = None
        self._network: torch.nn.Module | None = None
        self._losses: np.ndarray | None = None

    @abstractmethod
    def build(self, facts: Facts) -> torch.nn.Module:
        """A network with fresh weights, from images in [0, 1] to K logits."""

    @abstractmethod
    def optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """What minimises the cross-entropy."""

    def training_logits(self, network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
        """(N, K) float32 logits during the training; a subclass may compute them in another precision."""
        logits: torch.Tensor = network(images)
        return logits

    @property
    def task(self) -> Task:
        """Multi-class, also with two classes."""
        return "multiclass"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Those of the data that it was trained on."""
        return self._learned.classes

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """That of the images that it was trained on."""
        return self._learned.shape

    @property
    def module(self) -> torch.nn.Module:
        """The trained network."""
        if self._network is None:
            raise NotFittedError(f"{type(self).__name__} was not trained yet")
        return self._network

    def fit(self, data: Data) -> None:
        """Minimise the cross-entropy on the training split; the accuracy on every other split is emitted."""
        split = data.split("train")
        facts = Facts.of(split)
        with seeded(self.run, "weights"):
            network = self.build(facts).to(self.run.device)
        with training_mode(network), seeded(self.run, "dropout"):
            losses = self._trained(network, split)
        self._facts, self._network, self._losses = facts, network, losses
        for name in data.splits:
            if name != "train":
                emitted = "accuracy" if name == "test" else f"accuracy on {name}"
                self.run.emit(emitted, accuracy(self, data.split(name), self.run, name))

    def state(self) -> State:
        """Weights, facts, and the loss at every step."""
        curves = {} if self._losses is None else {"loss": self._losses}
        return State(arrays=state_arrays(self.module), settings=self._learned.settings(), curves=curves)

    def load_state(self, state: State) -> None:
        """Rebuild the network and take over its weights."""
        facts = Facts.from_state(state)
        with seeded(self.run, "weights"):
            network = self.build(facts)
        load_state_arrays(network, state.arrays)
        self._facts, self._network = facts, network.to(self.run.device)
        self._losses = state.curves.get("loss")

    @property
    def _learned(self) -> Facts:
        if self._facts is None:
            raise NotFittedError(f"{type(self).__name__} was not trained yet")
        return self._facts

    def _trained(self, network: torch.nn.Module, split: Split) -> np.ndarray:
        images = torch.from_numpy(split.images)
        labels = torch.from_numpy(split.labels)
        rng = self.run.rng("augmentation")

        def loss_of(rows: np.ndarray) -> torch.Tensor:
            batch = images[rows].to(self.run.device)
            batch = shifted(batch, self.params.shift, rng)
            batch = flipped(batch, rng) if self.params.flip else batch
            return functional.cross_entropy(self.training_logits(network, batch), labels[rows].to(self.run.device))

        batches = minibatches(len(images), self.params.batch, self.run.rng("batches"))
        return train(self.run, loss_of, self.optimizer(network), batches, self.params.steps, "training")
