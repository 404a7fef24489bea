"""Discrete concepts in a hidden layer: a variational autoencoder with boolean codes (equation 1).

Gat, Lorberbom, Schwartz and Hazan 2022, "Latent Space Explanation by Intervention", section "Discrete concepts in a
hidden layer". The symbols, which all of this plugin uses:

    x      (N, C, H, W)  images
    phi    (N, S)        a layer's output, flattened
    z      (N, n)        boolean codes; q(z | phi) independent bits with log-odds from the encoder, p(z) the prior
    phi'   (N, S)        the decoded code; psi the decoded code after an intervention on z
    f_K                  the head: the rest of the classifier, from the layer to K class logits

    -E_q[log p(phi | z)] + beta KL(q(z | phi) || p(z)),  p(phi | z) = N(phi'(z), variance)                 (equation 1)

The paper has the wrong sign before the divergence. Samples of z are relaxed: Gumbel-softmax at a falling temperature.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from sidelight_specs import NotFittedError
from sidelight_specs.results import State
from sidelight_specs.roles import AttributeFinder, Trainable
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.devices import minibatch, resident
from sidelight_toolkit.layers import Head, collect, find_layer
from sidelight_toolkit.modules import load_state_arrays, state_arrays, training_mode
from sidelight_toolkit.seeding import generator, seeded
from sidelight_toolkit.training import Curves, minibatches, train
from torch import nn
from torch.nn import functional

from sidelight_intervention.concepts.decision_boundary import boundary_point
from sidelight_intervention.concepts.single_flips import (
    flip_measurements,
    rank_attributes,
    set_bit,
    single_flip_effects,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run
    from sidelight_specs.results import Attributes, Split
    from sidelight_specs.roles import Classifier, Data
    from torch import Tensor

    from sidelight_intervention.params import DvaeParams

TEMPLATES = 4  # training images in the state: the head runs the classifier on them from the layer on
NO_WEIGHTS = ("template_images", "dead")  # arrays of the state that are no weights
NOT_FITTED = "dvae was not trained; call fit or load_state first"


class DiscreteVae(nn.Module):
    """Encoder and decoder of linear layers with ReLU and dropout, four each in the paper, mirrored.

    The layer is centred and divided by one scale, learned from the data, so that the bound's variance is relative to
    the layer's own. The plain decoder d, the paper's, gets z in {0, 1}. The odd one gets s = 2 z - 1 in {-1, 1} and
    gives phi' = centre + scale (d(s) - d(-s)) / 2, so that the complement of a code decodes to the reflection of phi'
    about the centre, before any training: an identity, not something learned.

    Args:
        inputs: S, the size of the flattened layer.
        bits: n.
        widths: units between the linear layers.
        dropout: ratio of hidden units switched off in training.
        odd: whether the decoder is odd in the code about the centre.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, inputs: int, bits: int, widths: Sequence[int], dropout: float = 0.0, odd: bool = False) -> None:
        super().__init__()
        self._odd = odd
        sizes = (inputs, *widths, bits)
        self.encoder = nn.Sequential(*_linear_layers(sizes, dropout))
        self.decoder = nn.Sequential(*_linear_layers(sizes[::-1], dropout))
        self.register_buffer("centre", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(()))

    @torch.no_grad()
    def standardise(self, layer: Tensor, centre: Tensor | None = None) -> None:
        """Take the scale from the layer's outputs (N, S), and the centre (S,) too where it is not given."""
        self.centre.copy_(layer.mean(0) if centre is None else centre)
        deviation = (layer - layer.mean(0)).square().mean().sqrt()
        self.scale.copy_(deviation if deviation > 0 else torch.ones(()))

    def log_odds(self, layer: Tensor) -> Tensor:
        """(N, S) to (N, n): log q(z_i = 1 | phi) / q(z_i = 0 | phi)."""
        log_odds: Tensor = self.encoder((layer - self.centre) / self.scale)
        return log_odds

    def decode(self, codes: Tensor) -> Tensor:
        """phi' or psi: codes (N, n) in [0, 1] to (N, S)."""
        s = 2 * codes - 1  # bits as -1 and 1
        relative: Tensor = (self.decoder(s) - self.decoder(-s)) / 2 if self._odd else self.decoder(codes)
        return relative * self.scale + self.centre

    def bound(
        self, layer: Tensor, noise: torch.Generator, *, temperature: float, variance: float, prior: float, beta: float
    ) -> Bound:
        """Equation 1, the mean over the rows of `layer` (N, S); `variance` is relative to the layer's own."""
        log_odds = self.log_odds(layer)  # of q(z | phi), (N, n)
        decoded = self.decode(gumbel_softmax(log_odds, temperature, noise))
        error = ((decoded - layer) / self.scale).square().sum(1).mean()
        reconstruction = error / (2 * variance)  # -E_q[log p(phi | z)]: the paper's squared error
        divergence = bernoulli_divergence(log_odds, prior).mean()  # KL(q || p)
        return Bound(reconstruction + beta * divergence, reconstruction, divergence)


class Bound(NamedTuple):
    """Equation 1, the negative evidence lower bound in nats per image up to a constant, and its two terms."""

    total: Tensor
    reconstruction: Tensor
    divergence: Tensor


def annealed_temperature(step: int, steps: int, first: float, last: float) -> float:
    """The temperature at a step: from `first` to `last`, by the same factor at every step."""
    return float(first * (last / first) ** (step / max(1, steps - 1)))


def gumbel_softmax(log_odds: Tensor, temperature: float, noise: torch.Generator) -> Tensor:
    """Relaxed Bernoulli samples in (0, 1) for the log-odds of each bit (Jang et al. 2016; Maddison et al. 2016).

    The softmax over the two values of a bit, each with Gumbel noise, is a sigmoid of their difference, and the
    difference of two Gumbel variables is a logistic one.
    """
    uniform = torch.rand(log_odds.shape, generator=noise, device=noise.device).clamp(1e-6, 1 - 1e-6).to(log_odds)
    return ((log_odds + uniform.logit()) / temperature).sigmoid()  # logit of a uniform: logistic noise


def bernoulli_divergence(log_odds: Tensor, prior: float) -> Tensor:
    """(N,): KL(q(z | phi) || p(z)) in nats, for bits with log-odds (N, n) and a prior probability."""
    q, log_on, log_off = log_odds.sigmoid(), functional.logsigmoid(log_odds), functional.logsigmoid(-log_odds)
    log_prior_on = torch.tensor(prior).log().to(log_odds)
    log_prior_off = torch.tensor(1 - prior).log().to(log_odds)
    return (q * (log_on - log_prior_on) + (1 - q) * (log_off - log_prior_off)).sum(1)  # sum over bits of q log q/p


def _linear_layers(sizes: Sequence[int], dropout: float) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
    return layers[:-2]  # no rectifier after the last one


class DiscreteConcepts(AttributeFinder, Trainable):
    """The component: a discrete variational autoencoder of a classifier's layer, with its head f_K.

    Its latents are the codes z (N, n) of images. An intervention on a bit is judged by what the head makes of the
    decoded layer.
    """

    def __init__(self, params: DvaeParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._network: DiscreteVae | None = None
        self._layer = ""
        self._templates = np.zeros((0, 1, 1, 1), np.float32)
        self._dead = np.zeros(params.bits, bool)
        self._curves: dict[str, np.ndarray] = {}
        self._head: Head | None = None

    def fit(self, data: Data) -> None:
        """Minimise equation 1 on the training split; effects of single flips on held-out images are emitted."""
        images = self._images(data.split("train"))
        self._templates = to_array(images[:TEMPLATES])
        self._layer = find_layer(self._classifier, self._params.layer, images[:1].to(self._run.device))
        self._head = self._head_after(self._layer)
        layer, logits = collect(self._classifier, self._layer, images, self.batch, self._run)  # phi (N, S) and (N, K)
        with seeded(self._run, "weights"):
            network = self._build(layer.shape[1])
        on_device = layer.to(self._run.device)
        at_boundary = self._params.centre == "boundary"
        centre = boundary_point(on_device, logits, self._head, self._run.warn) if at_boundary else None
        network.standardise(on_device, centre)
        with training_mode(network), seeded(self._run, "dropout"):
            self._curves = self._minimise(network, layer) if self._params.steps else {}
        self._network = network
        self._measure_flips(data)

    def _minimise(self, network: DiscreteVae, layer: Tensor) -> dict[str, np.ndarray]:
        params, terms = self._params, Curves(("reconstruction", "divergence"))
        noise = generator(self._run, "gumbel noise", self._run.device)
        on_device = resident(layer, self._run.device)

        def loss_of(rows: np.ndarray) -> Tensor:
            bound = network.bound(
                minibatch(on_device, rows, self._run.device),
                noise,
                temperature=annealed_temperature(
                    len(terms), params.steps, params.first_temperature, params.last_temperature
                ),
                variance=params.variance,
                prior=params.prior,
                beta=params.beta,
            )
            terms.append({"reconstruction": bound.reconstruction, "divergence": bound.divergence})
            return bound.total

        optimizer = torch.optim.Adam(network.parameters(), params.learning_rate)
        batches = minibatches(len(layer), params.batch, self._run.rng("minibatches"))
        stateful = {"network": network, "gumbel noise": noise, "terms": terms}
        total = train(self._run, loss_of, optimizer, batches, params.steps, "training dvae", stateful=stateful)
        return {"loss": total, **terms.arrays()}

    def _measure_flips(self, data: Data) -> None:
        split = "test" if "test" in data.splits else "train"
        if split == "train":
            self._run.warn("the data has no test split; single flips and dead bits are of the training images")
        held_out = self._images(data.split(split))
        effects = single_flip_effects(self.logits_of, self.latents(held_out))
        self._dead = effects.dead  # (n,) bool
        self._run.emit("single flips", flip_measurements(effects, f"{len(held_out)} of split {split}"))

    def _images(self, split: Split) -> Tensor:
        return torch.from_numpy(split.read(count=self._params.images).images)

    def _build(self, inputs: int) -> DiscreteVae:
        params = self._params
        network = DiscreteVae(inputs, params.bits, params.widths, params.dropout, odd=self.is_odd)
        return network.to(self._run.device)

    def state(self) -> State:
        """The network, the layer's name, the dead bits and the learning curves."""
        network = self.network
        return State(
            arrays={**state_arrays(network), "template_images": self._templates, "dead": self._dead},
            settings={"layer": self._layer, "inputs": str(len(network.centre))},
            curves=self._curves,
        )

    def load_state(self, state: State) -> None:
        """Rebuild the network."""
        with seeded(self._run, "weights"):
            network = self._build(int(state.settings["inputs"]))
        load_state_arrays(network, {name: array for name, array in state.arrays.items() if name not in NO_WEIGHTS})
        self._network, self._layer = network.to(self._run.device), state.settings["layer"]
        self._templates, self._dead = (state.arrays[name] for name in NO_WEIGHTS)
        self._curves, self._head = dict(state.curves), None

    @property
    def network(self) -> DiscreteVae:
        """Encoder and decoder, frozen. Raises `NotFittedError` before `fit`."""
        if self._network is None:
            raise NotFittedError(NOT_FITTED)
        return self._network

    @property
    def layer(self) -> str:
        """Name of the layer that the codes are of. Raises `NotFittedError` before `fit`."""
        if not self._layer:
            raise NotFittedError(NOT_FITTED)
        return self._layer

    @property
    def head(self) -> Head:
        """f_K: the flattened layer (N, S) to class logits (N, K). Raises `NotFittedError` before `fit`."""
        if self._head is None:
            self._head = self._head_after(self.layer)
        return self._head

    def _head_after(self, layer: str) -> Head:
        return Head(self._classifier, layer, torch.from_numpy(self._templates).to(self._run.device))

    @property
    def bits(self) -> int:
        """n, the length of a code."""
        return self._params.bits

    @property
    def prior(self) -> float:
        """p(z_i = 1)."""
        return self._params.prior

    @property
    def batch(self) -> int:
        """Images, or codes, in one pass of the classifier."""
        return self._params.classifier_batch

    @property
    def is_odd(self) -> bool:
        """True if complements of codes decode to reflections of the layer."""
        return self._params.decoder == "odd"

    def read(self, images: Tensor) -> Tensor:
        """phi(x): (N, C, H, W) images to the flattened layer (N, S), on the CPU."""
        layer, _ = collect(self._classifier, self.layer, images, self.batch, self._run)
        return layer

    def encode(self, layer: Tensor) -> Tensor:
        """z, each bit at its likelier value: (N, S) to (N, n) of 0.0 and 1.0."""
        return (self.network.log_odds(layer) > 0).to(layer.dtype)

    def latents(self, images: Tensor) -> Tensor:
        """z of images: (N, C, H, W) to (N, n) of 0.0 and 1.0, on the run's device."""
        return in_batches(lambda batch: self.encode(batch.to(self._run.device)), self.read(images), self.batch)

    def decode(self, codes: Tensor) -> Tensor:
        """phi' or psi: codes (N, n) to the flattened layer (N, S)."""
        return self.network.decode(codes)

    def logits(self, latents: Tensor) -> Tensor:
        """f_K(phi'): codes (N, n) to class logits (N, K). Bits moved below 0 or above 1 are clamped."""
        return self.head(self.decode(latents.clamp(0, 1)))

    def logits_of(self, codes: Tensor) -> Tensor:
        """`logits` of many codes, without gradients and in batches."""
        return in_batches(self.logits, codes, self.batch)

    def find(self, latents: Tensor, target: int) -> Attributes:
        """Each bit set on and off, ranked by what it adds to the logit of `target` in the decoded layer.

        Bits that were dead in the held-out images of the training are flagged.

        Args:
            latents: (N, n) codes.
            target: index of the class.
        """
        before = self.logits_of(latents)[:, target]
        changes = [
            self.logits_of(set_bit(latents, bit, on))[:, target] - before
            for bit in self._run.progress(range(self.bits), "turning")
            for on in (False, True)
        ]
        return rank_attributes(torch.stack(changes), target, self._dead)  # (2 n, N)
