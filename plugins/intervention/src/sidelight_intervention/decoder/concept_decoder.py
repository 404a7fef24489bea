"""The pictures of a layer (sections "Visual explanation of a latent space" and "Maximizing ... shared information")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import NotFittedError
from sidelight_specs.results import Split, State
from sidelight_specs.roles import Generator, Trainable
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.modules import load_state_arrays, state_arrays, training_mode
from sidelight_toolkit.seeding import generator, seeded
from sidelight_toolkit.training import minibatches, train
from torch.nn.functional import binary_cross_entropy_with_logits

from sidelight_intervention.decoder.fisher import Draw, Shared, moved, projected, root_of_pixels
from sidelight_intervention.decoder.information import of_classifier, principal_axes
from sidelight_intervention.decoder.initialization import linear_beginning, turned_to
from sidelight_intervention.decoder.network import PictureNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_intervention.concepts.dvae import Dvae
    from sidelight_intervention.decoder.network import Shape
    from sidelight_intervention.params import ConceptDecoderParams

SHEET = 16
"""Images of each kind that are emitted after the training."""


class ConceptDecoder(Generator, Trainable):
    """g, which draws the image that a decoded code stands for. Its latents are the codes z of a trained `dvae`."""

    def __init__(self, params: ConceptDecoderParams, *, dvae: Dvae, run: Run) -> None:
        self.params, self.dvae, self.run = params, dvae, run
        self._shape: Shape | None = None
        self._network: PictureNetwork | None = None
        self._curves: dict[str, np.ndarray] = {}

    def fit(self, data: Data) -> None:
        """Minimise equation 6 on the training split, with the dvae as it is."""
        images = torch.from_numpy(data.split("train").images[: self.params.images])
        shape = (images.shape[1], images.shape[2], images.shape[3])
        layer = self.dvae.read(images)
        codes = in_batches(lambda part: self.dvae.encode(part.to(self.run.device)).cpu(), layer, CHUNK)
        with seeded(self.run, "weights"):
            network = self._build(layer.shape[1], shape)
        self._begin(network, codes, images, layer)
        term = self._information_term(network, codes, layer, shape) if self.params.shared else None
        if self.params.steps:
            with training_mode(network), seeded(self.run, "dropout"):
                self._curves = self._minimise(network, codes, images, term)
        self._shape, self._network = shape, network
        self._show(images[:SHEET], codes[:SHEET])

    def _begin(self, network: PictureNetwork, codes: Tensor, images: Tensor, layer: Tensor) -> None:
        network.mean.copy_(self.dvae.network.centre)
        network.scale.copy_(self.dvae.network.scale)

        def layer_of(part: Tensor) -> Tensor:
            return network.standardised(self.dvae.decode(part.to(self.run.device)))

        with seeded(self.run, "directions"):
            beginning = linear_beginning(layer_of, codes, images, network.rank)
        if self.params.start == "turned":
            beginning = turned_to(beginning, of_classifier(self.dvae, layer, self.run))
        network.begin(beginning)

    def _build(self, inputs: int, shape: Shape) -> PictureNetwork:
        return PictureNetwork(inputs, shape, self.params.width, self.params.dropout).to(self.run.device)

    def _information_term(
        self, network: PictureNetwork, codes: Tensor, layer: Tensor, shape: Shape
    ) -> Callable[[Tensor], Tensor]:
        """The similarity between I(g), from phi' (N, S) of a step, and I(f_K), from phi (N, S), which stays."""
        axes = self._axes(codes) if self.params.span == "decoded" else None
        wanted = of_classifier(self.dvae, layer, self.run, axes)
        if not wanted.any():
            self.run.warn("the classifier takes no information from the layer; the information term has no effect")
        shared = Shared(wanted, self.params.similarity)
        draw = Draw(len(wanted), generator(self.run, "information"))
        outputs = int(np.prod(shape))

        def similarity(decoded: Tensor) -> Tensor:
            rows = torch.arange(self.params.rows) % len(decoded)
            coordinates = draw.coordinates(len(rows)).to(decoded.device)
            points = moved(decoded[rows], coordinates, draw.noise(len(rows)).to(decoded), axes)
            signs = draw.signs(len(rows), outputs).to(decoded)
            values = projected(lambda z: root_of_pixels(network(z)), points, coordinates, signs, axes, learn=True)
            return shared(values, coordinates)

        return similarity

    def _axes(self, codes: Tensor) -> Tensor:
        """(p, S): the principal directions of phi' over the first `CHUNK` training images."""
        axes = principal_axes(self.dvae.decode(codes[:CHUNK].to(self.run.device)), self.run)
        if len(axes) < 2:
            self.run.warn("span: the decoded layer varies along one direction only; the information term has no effect")
        return axes

    def _minimise(
        self, network: PictureNetwork, codes: Tensor, images: Tensor, term: Callable[[Tensor], Tensor] | None
    ) -> dict[str, np.ndarray]:
        params, misfits, similarities = self.params, list[float](), list[float]()

        def loss_of(rows: np.ndarray) -> Tensor:
            chosen = torch.from_numpy(rows)
            decoded = self.dvae.decode(codes[chosen].to(self.run.device))
            loss = binary_cross_entropy_with_logits(network(decoded), images[chosen].to(self.run.device))
            if term is not None and len(misfits) % params.interval == 0:
                similarity = term(decoded)
                similarities.append(similarity.item())
                loss = loss + params.interval * params.shared / similarity.clamp_min(LEAST)
            misfits.append(loss.item())
            return loss

        optimizer = torch.optim.Adam(network.parameters(), params.learning_rate)
        batches = minibatches(len(images), params.batch, self.run.rng("minibatches"))
        total = train(self.run, loss_of, optimizer, batches, params.steps, "training decoder")
        if clamped := sum(similarity < LEAST for similarity in similarities):
            self.run.warn(
                f"the similarity was below {LEAST} at {clamped} of the {len(similarities)} steps that look at it; "
                "the information term has no slope there"
            )
        curves = {"loss": total}
        return curves | ({params.similarity: np.array(similarities, np.float32)} if similarities else {})

    def state(self) -> State:
        """Weights, image shape and the course of the training."""
        channels, height, width = self.image_shape
        settings = {"channels": str(channels), "height": str(height), "width": str(width)}
        settings["inputs"] = str(len(self.network.mean))
        return State(arrays=state_arrays(self.network), settings=settings, curves=self._curves)

    def load_state(self, state: State) -> None:
        """Rebuild the network."""
        facts = {name: int(value) for name, value in state.settings.items()}
        shape = (facts["channels"], facts["height"], facts["width"])
        with seeded(self.run, "weights"):
            network = self._build(facts["inputs"], shape)
        load_state_arrays(network, state.arrays)
        self._shape, self._network, self._curves = shape, network, dict(state.curves)

    @property
    def network(self) -> PictureNetwork:
        """g, frozen. Raises `NotFittedError` before `fit`."""
        if self._network is None:
            raise NotFittedError("concept-decoder was not trained; call fit or load_state first")
        return self._network

    @property
    def image_shape(self) -> Shape:
        """That of the training images."""
        if self._shape is None:
            raise NotFittedError("concept-decoder was not trained; call fit or load_state first")
        return self._shape

    @property
    def latent_shape(self) -> tuple[int]:
        """(n,), the bits of a code."""
        return (self.dvae.bits,)

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """Codes whose bits are on with the dvae's prior probability."""
        bits = rng.random((n, self.dvae.bits)) < self.dvae.params.prior
        return to_tensor(bits.astype(np.float32), self.run)

    def draw(self, layer: Tensor) -> Tensor:
        """g: the flattened layer (N, S), phi' or psi, to images (N, C, H, W)."""
        images: Tensor = self.network(layer).sigmoid()
        return images

    def synthesize(self, latents: Tensor) -> Tensor:
        """g of the decoded codes: (N, n) to images in [0, 1]."""
        return self.draw(self.dvae.decode(latents))

    def drawn(self, codes: Tensor) -> Tensor:
        """`synthesize` of many codes, without gradients and in batches."""
        return in_batches(self.synthesize, codes, self.params.synthesis_batch)

    def encode(self, images: Tensor) -> Tensor:
        """The codes of images, each bit as it is likelier."""
        return self.dvae.latents(images)

    def _show(self, images: Tensor, codes: Tensor) -> None:
        codes = codes.to(self.run.device)
        sheets = (
            ("concept images: training images", images),
            ("concept images of their codes", self.drawn(codes)),
            ("concept images of their codes with all bits flipped", self.drawn(1 - codes)),
        )
        for name, sheet in sheets:
            ids = tuple(f"{place}" for place in range(len(sheet)))
            self.run.emit(name, Split(images=to_array(sheet), ids=ids))


CHUNK = 4096
LEAST = 1e-4
"""A smaller similarity counts as this, so that its inverse stays finite."""
