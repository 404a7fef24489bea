"""Linear probe (Alain and Bengio 2016): multinomial logistic regression on the features of a frozen network.

    minimise over W, b   mean over i of cross-entropy(W f(x_i) + b, y_i) + weight_decay / 2 * ||W||^2

f (N, 1280) are EfficientNet-Lite0's pooled features of ImageNet; the problem is convex, and L-BFGS solves it. A few
hundred photographs make a classifier of things that ImageNet's classes do not name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from sidelight_specs import NotFittedError, UserError
from sidelight_specs.results import State
from sidelight_specs.roles import Trainable
from sidelight_toolkit.checkpoints import gathered
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.lite0 import HEAD, load_pretrained, weights_file
from torch import nn
from torch.nn import functional

from sidelight_classifiers.efficientnet_lite import Preprocessed
from sidelight_classifiers.trained.accuracy import emit_accuracy
from sidelight_classifiers.trained.base import check_labels

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Split
    from sidelight_specs.roles import Data
    from sidelight_specs.roles.classifier import Task

    from sidelight_classifiers.params import LinearProbeParams

STEPS = 500  # at most, of L-BFGS; it ends earlier where the gradient vanishes


class ProbedNetwork(Preprocessed):
    """Lite0 whose last layer names other classes; grey images are taken three times."""

    def __init__(self, classes: int) -> None:
        super().__init__(torch.channels_last)
        self.classifier = nn.Linear(HEAD, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 1 or 3, H, W) in [0, 1] to (N, K) logits."""
        return super().forward(images.expand(-1, 3, -1, -1))


class LinearProbe(TorchClassifier, Trainable):
    """The data's classes, read linearly off a frozen network; only the last layer is learned and stored."""

    def __init__(self, params: LinearProbeParams, *, run: Run) -> None:
        self._params, self._run = params, run
        self._network: nn.Module | None = None
        self._shape: tuple[int, int, int] = (0, 0, 0)
        self._classes: tuple[str, ...] = ()

    @property
    def task(self) -> Task:
        """Multi-class, also with two classes."""
        return "multiclass"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes of the data that it was trained on."""
        self._check_trained()
        return self._classes

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of the images that it was trained on; others are resized as well."""
        self._check_trained()
        return self._shape

    @property
    def module(self) -> nn.Module:
        """The network with the learned layer."""
        self._check_trained()
        assert self._network is not None
        return self._network

    def fit(self, data: Data) -> None:
        """Logistic regression on the features of the training split; the accuracy on every other split is emitted."""
        split = data.split("train")
        check_labels(split)
        channels, height, width = split.images.shape[1:]
        self._shape, self._classes = (channels, height, width), split.class_names
        network = self._build()
        features, labels = self._features(network, split)
        weight, bias = logistic_regression(features, labels, len(self._classes), self._params.weight_decay)
        self._network = self._with_head(network, weight, bias)
        emit_accuracy(self, data, self._run, self._params.batch)

    def state(self) -> State:
        """The last layer, and what it was trained on."""
        head = self.module.classifier
        assert isinstance(head, nn.Linear)
        arrays = {name: getattr(head, name).detach().cpu().numpy() for name in ("weight", "bias")}
        return State(arrays=arrays, settings={"shape": json.dumps(self._shape), "classes": json.dumps(self._classes)})

    def load_state(self, state: State) -> None:
        """Load the network of the package and the learned layer."""
        self._shape = tuple(json.loads(state.settings["shape"]))
        self._classes = tuple(json.loads(state.settings["classes"]))
        weight, bias = (torch.from_numpy(state.arrays[name].copy()) for name in ("weight", "bias"))
        self._network = self._with_head(self._build(), weight, bias)

    def _check_trained(self) -> None:
        if self._network is None:
            raise NotFittedError("LinearProbe was not trained yet")

    @torch.inference_mode(False)  # tensors made in inference mode could never be differentiated through
    def _build(self) -> ProbedNetwork:
        """The pretrained network, still with the 1,000 classes of ImageNet."""
        with torch.device("meta"):  # no random weights are drawn, only to be replaced
            network = ProbedNetwork(1000)
        load_pretrained(network, weights_file(), self._run.device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave it out
        return network.eval().requires_grad_(False)

    @torch.inference_mode(False)
    def _with_head(self, network: ProbedNetwork, weight: torch.Tensor, bias: torch.Tensor) -> ProbedNetwork:
        with torch.device("meta"):
            network.classifier = nn.Linear(HEAD, len(bias))
        state = {"weight": weight.clone().to(self._run.device), "bias": bias.clone().to(self._run.device)}
        network.classifier.load_state_dict(state, assign=True)
        return network.eval().requires_grad_(False)

    def _features(self, network: ProbedNetwork, split: Split) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 1280) features and (N,) labels of the images that can be read."""
        network.classifier = nn.Identity()  # type: ignore[assignment]  # until the learned layer takes its place
        batches, count = split.batches(self._params.batch), -(-len(split) // self._params.batch)
        with gathered(self._run, "features") as parts:
            for number, batch in enumerate(self._run.progress(batches, "features", count)):
                if number < parts.done:  # by an interrupted training
                    continue
                assert batch.labels is not None
                with torch.no_grad():
                    features = network(torch.from_numpy(batch.images).to(self._run.device)).cpu()
                parts.append(features, torch.from_numpy(batch.labels))
        features, labels = (torch.cat(tensors) for tensors in zip(*parts.rows, strict=True))
        return features, labels


@torch.inference_mode(False)
def logistic_regression(
    features: torch.Tensor, labels: torch.Tensor, classes: int, weight_decay: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (K, S) and biases (K,) of the regularised optimum, for features (N, S) and labels (N,).

    Raises:
        UserError: fewer than two classes have images.
    """
    if bool((labels == labels[0]).all()):
        raise UserError("the training images are all of one class", "use data with images of two classes or more")
    f, y = features.double(), labels
    weight = torch.zeros(classes, f.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, tolerance_grad=1e-6, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy(f @ weight.T + bias, y) + weight_decay / 2 * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach().float(), bias.detach().float()
