"""Explainers that change what others share, each in a way of its own, and leave it changed."""

from __future__ import annotations

import os
import random

import numpy as np
import torch
from sidelight_specs import SidelightError
from sidelight_specs.results import Heatmap, State
from sidelight_specs.roles import Explainer, Generator, Trainable
from torch import nn

from sidelight_toy import network


def wrong(*arguments):
    return arguments[-1].flatten(1)[:, :3] * 9


def on_parameter(module):
    module.head.weight = nn.Parameter(-module.head.weight.detach(), requires_grad=False)


WAYS = {
    "a leaked hook": lambda c, g: c.module.head.register_forward_hook(lambda m, i, o: o.flip(1)),
    "a leaked pre-hook": lambda c, g: c.module.head.register_forward_pre_hook(lambda m, i: (-i[0],)),
    "changed weights": lambda c, g: c.module.head.weight.mul_(-1),
    "weights behind autograd's back": lambda c, g: c.module.head.weight.data.mul_(-1),
    "shuffled weights": lambda c, g: c.module.head.weight.data.copy_(c.module.head.weight.data.flip(0)),
    "a changed buffer": lambda c, g: c.module.norm.running_mean.add_(1),
    "training mode": lambda c, g: c.module.train(),
    "requires_grad": lambda c, g: c.module.requires_grad_(True),
    "a replaced module": lambda c, g: setattr(c.module, "head", nn.Linear(16, 3)),
    "a removed module": lambda c, g: delattr(c.module, "drop"),
    "a replaced parameter": lambda c, g: on_parameter(c.module),
    "half weights": lambda c, g: c.module.double(),
    "a changed attribute": lambda c, g: setattr(c.module, "shift", torch.tensor([0.0, 0.0, 9.0])),
    "patched scores": lambda c, g: setattr(c, "scores", wrong),
    "patched class_logits": lambda c, g: setattr(c, "class_logits", wrong),
    "patched scores of the class": lambda c, g: setattr(type(c), "scores", wrong),
    "a method over an inherited one": lambda c, g: setattr(type(c), "class_logits", wrong),
    "patched forward": lambda c, g: setattr(c.module, "forward", wrong),
    "a patched function": lambda c, g: setattr(network, "scaled", lambda values: -values),
    "a patched function of torch": lambda c, g: setattr(nn.functional, "linear", lambda x, w, b: x[:, :3]),
    "a global hook": lambda c, g: nn.modules.module.register_module_forward_hook(lambda m, i, o: o * 0),
    "the generator's weights": lambda c, g: g.network.head.weight.mul_(-1),
    "gradients off": lambda c, g: torch.set_grad_enabled(False),
    "another default dtype": lambda c, g: torch.set_default_dtype(torch.float64),
    "deterministic mode": lambda c, g: torch.use_deterministic_algorithms(True),
    "autocast": lambda c, g: torch.set_autocast_enabled("cpu", True),
    "another working folder": lambda c, g: os.chdir("/"),
    "another umask": lambda c, g: os.umask(0),
    "torch's global stream": lambda c, g: torch.rand(1),
    "numpy's global stream": lambda c, g: np.random.rand(),
    "Python's global stream": lambda c, g: random.random(),
}


class Vandal(Explainer):
    def __init__(self, params, *, classifier, generator, run):
        self.params, self.run, self.classifier, self.generator = params, run, classifier, generator
        self._do("build")

    def _do(self, when):
        if self.params.when == when:
            with torch.no_grad() if self.params.way != "gradients off" else torch.enable_grad():
                WAYS[self.params.way](self.classifier, self.generator)
            if self.params.way == "gradients off":
                torch.set_grad_enabled(False)

    def explain(self, images, targets):
        values = images.mean(1).numpy()
        self._do("explain")
        if self.params.when == "answer":
            values = values + float(WAYS[self.params.way](self.classifier, self.generator))
        if self.params.when == "cached":
            self._do("cached")
            self.run.cached("after", lambda: State(arrays={"x": np.ones(1)}))
        if self.params.when == "error":
            self._do("error")
            raise SidelightError("no idea")
        return Heatmap(values=values)


class Gradient(Explainer):
    """The neighbour: gradients of the class asked about, which every disturbance changes."""

    def __init__(self, params, *, classifier, generator, run):
        self.classifier, self.generator = classifier, generator

    def explain(self, images, targets):
        drawn = self.generator.synthesize(images.flatten(1)).detach()
        images = images.requires_grad_()
        scores = self.classifier.class_logits(images)
        chosen = scores[torch.arange(len(images)), torch.from_numpy(targets.probe)]
        gradient = torch.autograd.grad(chosen.sum(), images)[0]
        values = gradient.sum(1) + scores.detach().mean(1)[:, None, None] + drawn.mean(1)
        return Heatmap(values=values.float().numpy())


class Trained(Generator, Trainable):
    """A generator that disturbs the classifier while it learns."""

    def __init__(self, params, *, classifier, run):
        self.classifier, self.run = classifier, run

    image_shape = property(lambda self: (1, 4, 4))
    latent_shape = property(lambda self: (16,))

    def fit(self, data):
        with torch.no_grad():
            self.classifier.module.head.weight.mul_(-1)

    def state(self):
        return State()

    def load_state(self, state):
        pass

    def sample(self, n, rng):
        return torch.zeros(n, 16)

    def synthesize(self, latents):
        return latents.reshape(-1, 1, 4, 4)
