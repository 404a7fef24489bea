"""StyleGAN2 trained on the recipe's data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import NotFittedError, UserError
from sidelight_specs.results import Split, State
from sidelight_specs.roles import Trainable
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.modules import load_state_arrays, state_arrays
from sidelight_toolkit.seeding import seeded

from sidelight_stylegan2.generator import StyleGan2
from sidelight_stylegan2.networks.architecture import Architecture, checked_widths, default_widths, levels_for
from sidelight_stylegan2.networks.pixels import from_pixels
from sidelight_stylegan2.networks.synthesis import Network
from sidelight_stylegan2.training.adversarial import Learner, Training

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Data

    from sidelight_stylegan2.params import GeneratorParams

SHEET = 16  # images on a sheet: 4 x 4
NAMES = "class names"  # key of the trained state


class Trained(StyleGan2, Trainable):
    """The average of the generator's weights at the end of an adversarial training."""

    _params: GeneratorParams

    def __init__(self, params: GeneratorParams, *, run: Run) -> None:
        self._params, self._run = params, run
        self._network: Network | None = None
        self._curves: dict[str, np.ndarray] = {}
        self._names: tuple[str, ...] = ()

    @property
    def conditions(self) -> tuple[str, ...]:
        """Class names of the training images; numbers where an older training did not keep them."""
        return self._names or super().conditions

    @property
    def network(self) -> Network:
        """The averaged generator."""
        if self._network is None:
            raise NotFittedError("stylegan2/generator was not trained; call fit or load_state first")
        return self._network

    def fit(self, data: Data) -> None:
        """Train for `steps` minibatches; an interrupted training continues."""
        split = data.split("train").read()
        architecture = self._architecture(split)
        with seeded(self._run, "weights"):
            learner = Learner(architecture, self._params, self._run.device)
        curves = self._train(learner, split)
        arrays = state_arrays(learner.average)
        names = tuple(split.class_names) if architecture.classes else ()
        self.load_state(State(arrays=arrays, settings=_settings(architecture, names), curves=curves))
        self._emit_sheets(split)

    def state(self) -> State:
        """Weights of the averaged generator, its architecture and class names, and the learning curves."""
        settings = _settings(self.network.architecture, self._names)
        return State(arrays=state_arrays(self.network), settings=settings, curves=self._curves)

    def load_state(self, state: State) -> None:
        """Rebuild the network."""
        with seeded(self._run, "weights"):
            network = Network(Architecture.from_settings(state.settings))
        load_state_arrays(network, state.arrays)
        network.synthesis.modulated_by(self._params.modulation)
        self._network = network.to(device=self._run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._curves = dict(state.curves)
        self._names = tuple(json.loads(state.settings.get(NAMES, "[]")))

    def _train(self, learner: Learner, split: Split) -> dict[str, np.ndarray]:
        images = from_pixels(to_tensor(split.images, self._run))
        labels = to_tensor(split.labels, self._run) if self._params.conditional and split.labels is not None else None
        return Training(learner, images, labels, self._params, self._run).steps()

    def _architecture(self, split: Split) -> Architecture:
        params = self._params
        if params.optimizer == "muon" and params.path:
            raise UserError(
                "path: its penalty takes steps of its own, and Muon's are as long for a small gradient as for a large",
                "set path to 0, or optimizer to adam",
            )
        channels, height, width = split.images.shape[1:]
        levels = levels_for((channels, height, width), params.shuffle)
        return Architecture(
            image_channels=channels,
            widths=checked_widths(params.widths, levels) or default_widths(levels, params.base, params.widest),
            z=params.z,
            w=params.w if params.mapping else params.z,
            mapping=params.mapping,
            classes=self._classes(split) if params.conditional else 0,
            noise=params.noise,
            shuffle=params.shuffle,
            taps=params.filter,
        )

    def _classes(self, split: Split) -> int:
        if split.labels is None or not np.issubdtype(split.labels.dtype, np.integer):
            raise UserError("conditional: the data has no classes", "use data with classes, or set conditional: false")
        if not self._params.mapping:
            raise UserError("conditional: w takes the class from the mapping network", "set mapping to 1 or more")
        return len(split.class_names)

    def _emit_sheets(self, split: Split) -> None:
        """Emit some training images and as many samples."""
        latents = self.sample(SHEET, self._run.rng("samples"))
        samples = to_array(in_batches(self.synthesize, latents, SHEET))
        for name, sheet in (("training images", split.images[:SHEET]), ("samples", samples)):
            ids = tuple(f"{name} {number}" for number in range(len(sheet)))
            self._run.emit(name, Split(images=sheet, ids=ids))


def _settings(architecture: Architecture, names: tuple[str, ...]) -> dict[str, str]:
    """`State.settings`; class names where there are any."""
    return {**architecture.settings(), **({NAMES: json.dumps(names)} if names else {})}
