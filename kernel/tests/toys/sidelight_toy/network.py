"""A classifier that is a torch network, and a generator that is one: what others can disturb."""

from __future__ import annotations

import torch
from sidelight_specs.roles import Classifier, Generator
from torch import nn

from sidelight_toy.log import called


def scaled(values):
    return values * 3


class Network(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.shift = 0.0
        self.norm = nn.BatchNorm1d(16)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(16, outputs)
        with torch.no_grad():
            self.head.weight.copy_(torch.linspace(-1, 1, outputs * 16).reshape(outputs, 16).sin())

    def forward(self, images):
        return self.head(self.drop(self.norm(scaled(images.flatten(1))))) + self.shift


class Lazy:
    """Holds a network that is built at its first use, as large models are."""

    network = None

    def module_of(self, outputs):
        if self.network is None:
            with torch.random.fork_rng():
                self.network = Network(outputs).eval().requires_grad_(False)
        return self.network


class Net(Lazy, Classifier):
    def __init__(self, params, *, run):
        called("build net")

    task = property(lambda self: "multiclass")
    class_names = property(lambda self: ("a", "b", "c"))
    input_shape = property(lambda self: (1, 4, 4))
    module = property(lambda self: self.module_of(3))

    def scores(self, images):
        return self.module(images)


class Painter(Lazy, Generator):
    def __init__(self, params, *, run):
        pass

    image_shape = property(lambda self: (1, 4, 4))
    latent_shape = property(lambda self: (16,))

    def sample(self, n, rng):
        return torch.tensor(rng.random((n, 16)), dtype=torch.float32)

    def synthesize(self, latents):
        return self.module_of(16)(latents).sigmoid().reshape(-1, 1, 4, 4)
