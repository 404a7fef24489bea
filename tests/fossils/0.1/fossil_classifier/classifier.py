"""Softmax regression: one linear layer, learned by gradient descent on the cross-entropy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from sidelight_specs import NotFittedError
from sidelight_specs.results import State
from sidelight_specs.roles import Classifier, Data, Trainable

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles.classifier import Task

    from fossil_classifier import ClassifierParams


class Classifier(Classifier, Trainable):
    """A multi-class classifier for images of the size that it was fitted on."""

    task: Task = "multiclass"
    class_names: tuple[str, ...] = ()
    input_shape: tuple[int, int, int] = (0, 0, 0)

    def __init__(self, params: ClassifierParams, *, run: Run) -> None:
        self._params, self._run = params, run
        self._network: torch.nn.Sequential | None = None

    def fit(self, data: Data) -> None:
        """Learn from the split `train`, all images in every step."""
        split = data.split("train").read()
        network = self._build(split.class_names, split.images.shape[1:])
        images = torch.from_numpy(split.images).to(self._run.device)
        labels = torch.from_numpy(split.labels).to(self._run.device)
        network.requires_grad_(True)
        optimizer = torch.optim.SGD(network.parameters(), lr=self._params.rate)
        for _ in self._run.progress(range(self._params.steps), "training"):
            loss = torch.nn.functional.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self._network = network.requires_grad_(False)

    def state(self) -> State:
        """Weights, class names and image size."""
        weights = {name: tensor.cpu().numpy().copy() for name, tensor in self.module.state_dict().items()}
        facts = {"class_names": json.dumps(self.class_names), "input_shape": json.dumps(self.input_shape)}
        return State(arrays=weights, settings=facts)

    def load_state(self, state: State) -> None:
        """Become what was fitted."""
        facts = {name: tuple(json.loads(text)) for name, text in state.settings.items()}
        network = self._build(facts["class_names"], facts["input_shape"])
        network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state.arrays.items()})
        self._network = network.requires_grad_(False)

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """(N, K) logits."""
        scores: torch.Tensor = self.module(images)
        return scores

    @property
    def module(self) -> torch.nn.Module:
        """The network, frozen."""
        if self._network is None:
            raise NotFittedError("fossil-classifier/classifier has not been fitted")
        return self._network

    def _build(self, names: tuple[str, ...], shape: tuple[int, ...]) -> torch.nn.Sequential:
        """A network of zeros: softmax regression is convex and needs no random start.

        On the device `meta` torch skips its own initialisation, which would use the global random stream.
        """
        self.class_names, self.input_shape = tuple(names), (shape[0], shape[1], shape[2])
        features = shape[0] * shape[1] * shape[2]
        linear = torch.nn.Linear(features, len(names), device="meta").to_empty(device=self._run.device)
        torch.nn.init.zeros_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
        return torch.nn.Sequential(torch.nn.Flatten(), linear).eval()
