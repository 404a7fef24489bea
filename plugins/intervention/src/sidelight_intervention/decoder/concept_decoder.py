"""Concept images: the decoder g of a layer's codes (equations 2 and 6).

Gat et al. 2022, "Latent Space Explanation by Intervention", sections "Visual explanation of a latent space" and
"Maximizing the shared information". With the symbols of `concepts.discrete_vae` and `fisher`:

    g(phi')                                     image of a decoded layer, pixels in [0, 1]
    E[cross-entropy(x, g(phi'))]                                                                           (equation 2)
    equation 2 + lambda / similarity(I(g), I(f_K))                                                         (equation 6)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_specs import NotFittedError
from sidelight_specs.results import Split, State
from sidelight_specs.roles import Generator, Trainable
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.devices import minibatch, resident
from sidelight_toolkit.modules import load_state_arrays, state_arrays, training_mode
from sidelight_toolkit.seeding import generator, seeded
from sidelight_toolkit.training import Curves, minibatches, train
from torch.nn.functional import binary_cross_entropy_with_logits

from sidelight_intervention.decoder.fisher import (
    InformationSimilarity,
    PerturbationSampler,
    classifier_information,
    estimate_information,
    gradient_information,
    is_large,
    perturb,
    principal_axes,
    root_of_pixels,
)
from sidelight_intervention.decoder.initialization import align_information, least_squares
from sidelight_intervention.decoder.network import DecoderNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_intervention.concepts.discrete_vae import DiscreteConcepts
    from sidelight_intervention.decoder.network import Shape
    from sidelight_intervention.params import ConceptDecoderParams

    Similarity = Callable[[Tensor], Tensor]
    """phi' (N, S) of a step to the similarity ()."""

SHEET = 16  # images of each kind that are emitted after the training
CHUNK = 4096  # codes decoded at a time
MIN_SIMILARITY = 1e-4  # a smaller similarity counts as this, so that its inverse stays finite
NOT_FITTED = "concept-decoder was not trained; call fit or load_state first"


class ConceptDecoder(Generator, Trainable):
    """g, the image that a decoded code stands for. Its latents are the codes z of a trained `dvae`."""

    def __init__(self, params: ConceptDecoderParams, *, dvae: DiscreteConcepts, run: Run) -> None:
        self._params, self.dvae, self._run = params, dvae, run
        self._shape: Shape | None = None
        self._network: DecoderNetwork | None = None
        self._curves: dict[str, np.ndarray] = {}

    def fit(self, data: Data) -> None:
        """Minimise equation 6 on the training split, with the dvae as it is."""
        images = torch.from_numpy(data.split("train").read(count=self._params.images).images)
        shape = (images.shape[1], images.shape[2], images.shape[3])
        layer = self.dvae.read(images)  # phi, (N, S)
        codes = in_batches(lambda batch: self.dvae.encode(batch.to(self._run.device)).cpu(), layer, CHUNK)  # z, (N, n)
        with seeded(self._run, "weights"):
            network = self._build(layer.shape[1], shape)
        self._initialise(network, codes, images, layer)
        term = self._information_term(network, codes, layer, shape) if self._params.shared else None
        if self._params.steps:
            with training_mode(network), seeded(self._run, "dropout"):
                self._curves = self._minimise(network, codes, images, term)
        self._shape, self._network = shape, network
        self._emit_sheets(images[:SHEET], codes[:SHEET])

    def _initialise(self, network: DecoderNetwork, codes: Tensor, images: Tensor, layer: Tensor) -> None:
        network.mean.copy_(self.dvae.network.centre)
        network.scale.copy_(self.dvae.network.scale)

        def layer_of(codes: Tensor) -> Tensor:
            return network.standardise(self.dvae.decode(codes.to(self._run.device)))

        with seeded(self._run, "directions"):
            linear = least_squares(layer_of, codes, images, network.rank)
        if self._params.start == "turned":
            linear = align_information(linear, classifier_information(self.dvae, layer, self._run))
        network.load_linear(linear)

    def _build(self, inputs: int, shape: Shape) -> DecoderNetwork:
        return DecoderNetwork(inputs, shape, self._params.width, self._params.dropout).to(self._run.device)

    def _information_term(
        self, network: DecoderNetwork, codes: Tensor, layer: Tensor, shape: Shape
    ) -> tuple[Similarity, dict[str, Any]]:
        """The similarity between I(g), from phi' (N, S) of a step, and I(f_K), from phi (N, S), which is constant.

        Beside it what it changes at a step.
        """
        axes = self._axes(codes) if self._params.span == "decoded" else None
        of_classifier = classifier_information(self.dvae, layer, self._run, axes)  # I(f_K)
        if not of_classifier.any():
            self._run.warn("the classifier takes no information from the layer; the information term has no effect")
        similarity = InformationSimilarity(of_classifier, self._params.similarity)
        sampler = PerturbationSampler(len(of_classifier), generator(self._run, "information"))
        outputs = int(np.prod(shape))

        def root(rows: Tensor) -> Tensor:
            return root_of_pixels(network(rows))

        def of_step(decoded: Tensor) -> Tensor:
            rows = torch.arange(self._params.rows) % len(decoded)
            coordinates = sampler.coordinates(len(rows)).to(decoded.device)
            points = perturb(decoded[rows], coordinates, sampler.noise(len(rows)).to(decoded), axes)
            signs = sampler.signs(len(rows), outputs).to(decoded)
            return similarity(estimate_information(root, points, coordinates, signs, axes, learn=True), coordinates)

        def of_step_by_gradient(decoded: Tensor) -> Tensor:
            rows = decoded[torch.arange(self._params.rows) % len(decoded)]
            signs = sampler.signs(len(rows), outputs).to(decoded)
            every = torch.arange(decoded.shape[1], device=decoded.device)
            return similarity(gradient_information(root, rows, signs, learn=True), every)

        of = of_step_by_gradient if axes is None and is_large(layer.shape[1]) else of_step
        return of, {"running mean": similarity, "sampler": sampler}

    def _axes(self, codes: Tensor) -> Tensor:
        """(p, S): the principal directions of phi' over the first `CHUNK` training images."""
        axes = principal_axes(self.dvae.decode(codes[:CHUNK].to(self._run.device)), self._run)
        if len(axes) < 2:
            self._run.warn(
                "span: the decoded layer varies along one direction only; the information term has no effect"
            )
        return axes

    def _minimise(
        self,
        network: DecoderNetwork,
        codes: Tensor,
        images: Tensor,
        term: tuple[Similarity, dict[str, Any]] | None,
    ) -> dict[str, np.ndarray]:
        params, recorded = self._params, Curves(("similarity",))  # NaN at steps that do not look at it
        similarity_of, stateful = term or (None, {})
        on_device = [resident(values, self._run.device) for values in (codes, images)]

        def loss_of(rows: np.ndarray) -> Tensor:
            similarity: Tensor | float = float("nan")
            z, x = (minibatch(values, rows, self._run.device) for values in on_device)
            decoded = self.dvae.decode(z)  # phi', (n, S)
            loss = binary_cross_entropy_with_logits(network(decoded), x)  # equation 2
            if similarity_of is not None and len(recorded) % params.interval == 0:
                similarity = similarity_of(decoded)
                # equation 6; the weight makes up for the steps in between
                loss = loss + params.interval * params.shared / similarity.clamp_min(MIN_SIMILARITY)
            recorded.append({"similarity": similarity})
            return loss

        optimizer = torch.optim.Adam(network.parameters(), params.learning_rate)
        batches = minibatches(len(images), params.batch, self._run.rng("minibatches"))
        stateful = {"network": network, "similarities": recorded, **stateful}
        total = train(self._run, loss_of, optimizer, batches, params.steps, "training decoder", stateful=stateful)
        similarities = recorded.arrays()["similarity"][:: params.interval] if similarity_of is not None else np.empty(0)
        if clamped := int((similarities < MIN_SIMILARITY).sum()):
            self._run.warn(
                f"the similarity was below {MIN_SIMILARITY} at {clamped} of the {len(similarities)} steps that look at "
                "it; the information term has no slope there"
            )
        curves = {"loss": total}
        return curves | ({params.similarity: similarities} if len(similarities) else {})

    def state(self) -> State:
        """Weights, image shape and learning curves."""
        channels, height, width = self.image_shape
        settings = {"channels": str(channels), "height": str(height), "width": str(width)}
        settings["inputs"] = str(len(self.network.mean))
        return State(arrays=state_arrays(self.network), settings=settings, curves=self._curves)

    def load_state(self, state: State) -> None:
        """Rebuild the network."""
        sizes = {name: int(value) for name, value in state.settings.items()}
        shape = (sizes["channels"], sizes["height"], sizes["width"])
        with seeded(self._run, "weights"):
            network = self._build(sizes["inputs"], shape)
        load_state_arrays(network, state.arrays)
        self._shape, self._network, self._curves = shape, network, dict(state.curves)

    @property
    def network(self) -> DecoderNetwork:
        """g, frozen. Raises `NotFittedError` before `fit`."""
        if self._network is None:
            raise NotFittedError(NOT_FITTED)
        return self._network

    @property
    def image_shape(self) -> Shape:
        """That of the training images."""
        if self._shape is None:
            raise NotFittedError(NOT_FITTED)
        return self._shape

    @property
    def latent_shape(self) -> tuple[int]:
        """(n,), the bits of a code."""
        return (self.dvae.bits,)

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """Codes whose bits are on with the dvae's prior probability."""
        bits = rng.random((n, self.dvae.bits)) < self.dvae.prior
        return to_tensor(bits.astype(np.float32), self._run)

    def synthesize(self, latents: Tensor) -> Tensor:
        """g(phi'): codes (N, n) to images (N, C, H, W) in [0, 1]."""
        images: Tensor = self.network(self.dvae.decode(latents)).sigmoid()
        return images

    def images_of(self, codes: Tensor) -> Tensor:
        """`synthesize` of many codes, without gradients and in batches."""
        return in_batches(self.synthesize, codes, self._params.synthesis_batch)

    def pair(self, images: Tensor, codes: Tensor, flipped: Tensor) -> tuple[Tensor, Tensor]:
        """g(phi') and g(psi) of codes and flipped codes (N, n); g knows nothing of the images but their codes."""
        del images
        return self.images_of(codes), self.images_of(flipped)

    def encode(self, images: Tensor) -> Tensor:
        """The codes of images, each bit at its likelier value."""
        return self.dvae.latents(images)

    def _emit_sheets(self, images: Tensor, codes: Tensor) -> None:
        codes = codes.to(self._run.device)
        sheets = (
            ("concept images: training images", images),
            ("concept images of their codes", self.images_of(codes)),
            ("concept images of their codes with all bits flipped", self.images_of(1 - codes)),
        )
        for name, sheet in sheets:
            ids = tuple(f"{number}" for number in range(len(sheet)))
            self._run.emit(name, Split(images=to_array(sheet), ids=ids))
