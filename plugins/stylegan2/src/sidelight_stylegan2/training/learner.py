"""The networks under training, with all that has to be kept to continue it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs.results import State
from sidelight_toolkit.arrays import to_array

from sidelight_stylegan2.networks.discriminator import Discriminator
from sidelight_stylegan2.networks.synthesis import Network
from sidelight_stylegan2.training.checkpoints import gathered, restore

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from sidelight_stylegan2.networks.architecture import Architecture
    from sidelight_stylegan2.params import GeneratorParams


class Learner:
    """Generator, discriminator, the average of the generator, both optimisers, and the mean path length.

    Args:
        architecture: sizes of the networks.
        params: learning rates, and how often the regularisers are computed.
        device: where the networks live. Their weights are drawn from torch's global CPU stream.
    """

    def __init__(self, architecture: Architecture, params: GeneratorParams, device: str) -> None:
        self.generator = _prepared(Network(architecture), device)
        self.discriminator = _prepared(Discriminator(architecture), device)
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.generator.synthesis.modulated_by(params.modulation)
        self.path_mean = torch.zeros((), device=device)
        every = params.path_every if params.path else 0
        self.generator_optimizer = _adam(self.generator, params.rate, every)
        self.discriminator_optimizer = _adam(self.discriminator, params.discriminator_rate, params.r1_every)
        self._rates = {optimizer: optimizer.param_groups[0]["lr"] for optimizer in self._optimizers.values()}

    def slow_down(self, factor: float) -> None:
        """Set both learning rates to this factor times those of the beginning."""
        for optimizer, rate in self._rates.items():
            for group in optimizer.param_groups:
                group["lr"] = factor * rate

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the average towards the generator: decay * average + (1 - decay) * generator."""
        for kept, new in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)
        for kept, new in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            kept.copy_(new)

    def follow_path(self, lengths: torch.Tensor, decay: float) -> torch.Tensor:
        """Move the mean path length towards that of `lengths`, (N,), and give it.

        It begins with the first lengths. Beginning with 0, it would ask for images that do not move with w at all,
        until it has caught up: for hundreds of steps.
        """
        now = lengths.detach().mean()
        self.path_mean = torch.lerp(now, self.path_mean, decay) if self.path_mean else now
        return self.path_mean

    def state(self, curves: Mapping[str, np.ndarray]) -> State:
        """Everything, as arrays."""
        arrays = {"path_mean": to_array(self.path_mean), **gathered(self._networks, self._optimizers)}
        return State(arrays=arrays, settings=self.generator.architecture.settings(), curves=dict(curves))

    def load(self, state: State) -> None:
        """Continue from what `state` gave."""
        self.path_mean = torch.from_numpy(state.arrays["path_mean"].copy()).to(self.path_mean.device)
        restore(self._networks, self._optimizers, state.arrays)

    @property
    def _networks(self) -> dict[str, torch.nn.Module]:
        return {name: getattr(self, name) for name in ("generator", "discriminator", "average")}

    @property
    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {name: getattr(self, name) for name in ("generator_optimizer", "discriminator_optimizer")}


def _prepared(network: Any, device: str) -> Any:
    """On the device, channels innermost in memory: convolutions on a CPU are faster so."""
    return network.to(device=device, memory_format=torch.channels_last)


def _adam(network: torch.nn.Module, rate: float, every: int) -> torch.optim.Adam:
    """Adam for lazy regularisation: a regulariser every k steps is one more step, which the settings make up for.

    Karras et al. 2020, appendix B: with c = k / (k + 1), the learning rate is multiplied by c, beta raised to c.
    """
    share = every / (every + 1) if every else 1.0
    return torch.optim.Adam(network.parameters(), lr=rate * share, betas=(0.0, 0.99**share), eps=1e-8)
