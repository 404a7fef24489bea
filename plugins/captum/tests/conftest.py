"""Small networks with random weights, as classifiers, and images for them."""

import pytest
import torch
from sidelight_specs.results import Targets
from sidelight_specs.roles import Classifier
from torch import nn


class ModuleClassifier(Classifier):
    """A classifier made of any module."""

    def __init__(self, module, task="multiclass"):
        self._module, self._task = module.eval().requires_grad_(False), task

    @property
    def task(self):
        return self._task

    @property
    def class_names(self):
        return {"multiclass": tuple("abcd"), "binary": ("no", "yes"), "regression": ("age",)}[self._task]

    @property
    def input_shape(self):
        return 2, 24, 20

    def scores(self, images):
        return self._module(images)

    @property
    def module(self):
        return self._module


@pytest.fixture
def classify():
    """Makes a classifier of a module."""
    return ModuleClassifier


def randomise(module):
    """Weights and statistics of every layer from one seed, so that no activation is dead."""
    generator = torch.Generator().manual_seed(5)
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            part.weight.data = torch.randn(part.weight.shape, generator=generator) * (2 / part.weight[0].numel()) ** 0.5
            part.bias.data = 0.1 * torch.randn(part.bias.shape, generator=generator)
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean = 0.1 * torch.randn(part.running_mean.shape, generator=generator)
            part.running_var = 0.5 + torch.rand(part.running_var.shape, generator=generator)
            part.weight.data = 1 + 0.2 * torch.randn(part.weight.shape, generator=generator)
            part.bias.data = 0.2 * torch.randn(part.bias.shape, generator=generator)
    return module.eval().requires_grad_(False)


def conv_net(outputs=4):
    """conv - bn - relu - pool - conv - relu - pool - linear - relu - linear, each module used once."""
    return randomise(
        nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d((3, 2)),
            nn.Flatten(),
            nn.Linear(48, 10),
            nn.ReLU(),
            nn.Linear(10, outputs),
        )
    )


class Residual(nn.Module):
    """A block with one in-place ReLU used twice, a functional one, and a skip connection, as in many ResNets."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, stride=2, padding=1)
        self.conv1 = nn.Conv2d(6, 6, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(6, 4)

    def forward(self, images):
        stem = torch.nn.functional.relu(self.stem(images))
        inner = self.conv2(self.relu(self.bn1(self.conv1(stem))))
        return self.fc(self.relu(inner + stem).mean((2, 3)))


@pytest.fixture
def network():
    """Makes the plain network with some number of outputs."""
    return conv_net


@pytest.fixture
def residual():
    return randomise(Residual())


@pytest.fixture
def images():
    return torch.rand(3, 2, 24, 20, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def ask():
    """The question about each image: the most and the second most likely class."""

    def targets(classifier, images):
        with torch.no_grad():
            order = classifier.class_logits(images).argsort(1, descending=True).numpy()
        return Targets(predicted=order[:, 0].copy(), probe=order[:, min(1, order.shape[1] - 1)].copy())

    return targets
