"""The discrete concepts in a layer of a classifier (section "Discrete concepts in a hidden layer")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import NotFittedError
from sidelight_specs.results import State
from sidelight_specs.roles import AttributeFinder, Trainable
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.layers import Rest, collect, find_layer
from sidelight_toolkit.modules import load_state_arrays, state_arrays, training_mode
from sidelight_toolkit.seeding import generator, seeded
from sidelight_toolkit.training import minibatches, train

from sidelight_intervention.concepts.decision_boundary import middle
from sidelight_intervention.concepts.discrete_vae import DiscreteVae, annealed
from sidelight_intervention.concepts.single_flips import by_single_flips, flip_effects, ranked, turned

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attributes, Split
    from sidelight_specs.roles import Classifier, Data
    from torch import Tensor

    from sidelight_intervention.params import DvaeParams

CARRIERS = 4
"""Training images kept, for running the classifier from the layer on."""
_BESIDES = ("carriers", "dead")
"""Arrays of the state that are no weights."""


class Dvae(AttributeFinder, Trainable):
    """A discrete variational autoencoder on a layer's output.

    Its latents are boolean codes z (N, n) of images. They are read from a layer, decoded into the layer, and what the
    classifier makes of the decoded layer is what an intervention on a bit is judged by.
    """

    def __init__(self, params: DvaeParams, *, classifier: Classifier, run: Run) -> None:
        self.params, self.classifier, self.run = params, classifier, run
        self._network: DiscreteVae | None = None
        self._layer = ""
        self._carriers = np.zeros((0, 1, 1, 1), np.float32)
        self._dead = np.zeros(params.bits, bool)
        self._curves: dict[str, np.ndarray] = {}
        self._rest: Rest | None = None

    def fit(self, data: Data) -> None:
        """Minimise equation 1 on the training split; what single flips do to held-out images is emitted."""
        images = self._images(data.split("train"))
        self._carriers = to_array(images[:CARRIERS])
        self._layer = find_layer(self.classifier, self.params.layer, images[:1].to(self.run.device))
        self._rest = self._rest_after(self._layer)
        layer, logits = collect(self.classifier, self._layer, images, self.params.classifier_batch, self.run)
        with seeded(self.run, "weights"):
            network = self._build(layer.shape[1])
        on_device = layer.to(self.run.device)
        boundary = self.params.centre == "boundary"
        network.standardise(on_device, middle(on_device, logits, self._rest, self.run.warn) if boundary else None)
        with training_mode(network), seeded(self.run, "dropout"):
            self._curves = self._minimise(network, layer) if self.params.steps else {}
        self._network = network
        self._count_flips(data)

    def _count_flips(self, data: Data) -> None:
        split = "test" if "test" in data.splits else "train"
        if split == "train":
            self.run.warn("the data has no test split; single flips and dead bits are of the training images")
        held_out = self._images(data.split(split))
        flips = by_single_flips(self, self.latents(held_out))
        self._dead = flips.dead
        self.run.emit("single flips", flip_effects(flips, f"{len(held_out)} of split {split}"))

    def _images(self, split: Split) -> Tensor:
        return torch.from_numpy(split.images[: self.params.images])

    def _build(self, inputs: int) -> DiscreteVae:
        params = self.params
        network = DiscreteVae(inputs, params.bits, params.widths, params.dropout, odd=params.decoder == "odd")
        return network.to(self.run.device)

    def _minimise(self, network: DiscreteVae, layer: Tensor) -> dict[str, np.ndarray]:
        params, terms = self.params, list[tuple[float, float]]()
        noise = generator(self.run, "gumbel noise")

        def loss_of(rows: np.ndarray) -> Tensor:
            bound = network.bound(
                layer[torch.from_numpy(rows)].to(self.run.device),
                noise,
                temperature=annealed(len(terms), params.steps, params.first_temperature, params.last_temperature),
                variance=params.variance,
                prior=params.prior,
                beta=params.beta,
            )
            terms.append((bound.misfit.item(), bound.divergence.item()))
            return bound.total

        optimizer = torch.optim.Adam(network.parameters(), params.learning_rate)
        batches = minibatches(len(layer), params.batch, self.run.rng("minibatches"))
        total = train(self.run, loss_of, optimizer, batches, params.steps, "training dvae")
        misfit, divergence = np.array(terms, dtype=np.float32).T
        return {"loss": total, "misfit": misfit.copy(), "divergence": divergence.copy()}

    def state(self) -> State:
        """The network, the layer's name, which bits are dead and the course of the training."""
        network = self.network
        return State(
            arrays={**state_arrays(network), "carriers": self._carriers, "dead": self._dead},
            settings={"layer": self._layer, "inputs": str(len(network.centre))},
            curves=self._curves,
        )

    def load_state(self, state: State) -> None:
        """Rebuild the network."""
        with seeded(self.run, "weights"):
            network = self._build(int(state.settings["inputs"]))
        load_state_arrays(network, {name: array for name, array in state.arrays.items() if name not in _BESIDES})
        self._network, self._layer = network.to(self.run.device), state.settings["layer"]
        self._carriers, self._dead = (state.arrays[name] for name in _BESIDES)
        self._curves, self._rest = dict(state.curves), None

    @property
    def network(self) -> DiscreteVae:
        """Encoder and decoder, frozen. Raises `NotFittedError` before `fit`."""
        return self._check_fitted()

    def _check_fitted(self) -> DiscreteVae:
        if self._network is None:
            raise NotFittedError("dvae was not trained; call fit or load_state first")
        return self._network

    @property
    def layer(self) -> str:
        """The name of the layer that the codes are of. Raises `NotFittedError` before `fit`."""
        self._check_fitted()
        return self._layer

    @property
    def bits(self) -> int:
        """n, the length of a code."""
        return self.params.bits

    @property
    def rest(self) -> Rest:
        """f_K: the flattened layer (N, S) to class logits (N, K)."""
        if self._rest is None:
            self._rest = self._rest_after(self.layer)
        return self._rest

    def _rest_after(self, layer: str) -> Rest:
        return Rest(self.classifier, layer, torch.from_numpy(self._carriers).to(self.run.device))

    def read(self, images: Tensor) -> Tensor:
        """phi(x): (N, C, H, W) images to the flattened layer (N, S), on the CPU."""
        layer, _ = collect(self.classifier, self.layer, images, self.params.classifier_batch, self.run)
        return layer

    def encode(self, layer: Tensor) -> Tensor:
        """z: the likelier value of each bit, (N, S) to (N, n) of 0.0 and 1.0."""
        return (self.network.log_odds(layer) > 0).to(layer.dtype)

    def latents(self, images: Tensor) -> Tensor:
        """z of images: (N, C, H, W) to (N, n) of 0.0 and 1.0, on the run's device."""
        layer = self.read(images)
        return in_batches(lambda part: self.encode(part.to(self.run.device)), layer, self.params.classifier_batch)

    def decode(self, codes: Tensor) -> Tensor:
        """phi' or psi: codes (N, n) to the flattened layer (N, S)."""
        return self.network.decode(codes)

    def logits(self, latents: Tensor) -> Tensor:
        """f_K of the decoded codes: (N, n) to class logits (N, K). Bits moved below 0 or above 1 are taken back."""
        return self.rest(self.decode(latents.clamp(0, 1)))

    def logits_of(self, codes: Tensor) -> Tensor:
        """`logits` of many codes, without gradients and in batches."""
        return in_batches(self.logits, codes, self.params.classifier_batch)

    def find(self, latents: Tensor, target: int) -> Attributes:
        """Each bit turned on and turned off, ranked by what it adds to the logit of `target` in the decoded layer.

        Bits that were dead in the held-out images of the training are flagged.

        Args:
            latents: (N, n) codes.
            target: index of the class.
        """
        before = self.logits_of(latents)[:, target]
        changes = [
            self.logits_of(turned(latents, bit, on))[:, target] - before
            for bit in self.run.progress(range(self.bits), "turning")
            for on in (False, True)
        ]
        return ranked(torch.stack(changes), target, self._dead)
