"""The networks under training, with all that has to be kept to continue it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs.results import State
from sidelight_stylegan2.training.checkpoints import gathered, restore

from sidelight_stylex.muon import Muon, is_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from sidelight_stylex.networks import Networks
    from sidelight_stylex.params import GeneratorParams

NETWORKS = ("generator", "encoder", "discriminator", "average_generator", "average_encoder")


class Learner:
    """Generator, encoder and discriminator, the averages of the first two, and their optimizers.

    Args:
        networks: freshly built.
        params: learning rates.
        device: where the networks shall live.
    """

    def __init__(self, networks: Networks, params: GeneratorParams, device: str) -> None:
        self.generator = _prepared(networks.generator, device)
        self.encoder = _prepared(networks.encoder, device)
        self.discriminator = _prepared(networks.discriminator, device)
        self.average_generator = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.average_encoder = copy.deepcopy(self.encoder).eval().requires_grad_(False)
        rates = ((self.generator, params.rate), (self.encoder, params.encoder_rate))
        self.optimizers = _optimizers(rates, params)
        share = params.r1_every / (params.r1_every + 1)  # the penalty is a step of its own: Karras et al. 2020, B
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), params.discriminator_rate * share, betas=(0.0, 0.99**share), fused=True
        )

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the averages: decay * average + (1 - decay) * weights. Statistics of batches are copied."""
        for average, network in (
            (self.average_generator, self.generator),
            (self.average_encoder, self.encoder),
        ):
            kept = list(average.parameters())
            torch._foreach_lerp_(kept, [new.detach() for new in network.parameters()], 1 - decay)
            for old, new in zip(average.buffers(), network.buffers(), strict=True):
                old.copy_(new)

    def state(self, curves: Mapping[str, np.ndarray]) -> State:
        """Everything, as arrays."""
        return State(arrays=gathered(self._networks, self._all_optimizers), settings={}, curves=dict(curves))

    def load(self, state: State) -> None:
        """Continue from what `state` gave."""
        restore(self._networks, self._all_optimizers, state.arrays)

    @property
    def _networks(self) -> dict[str, torch.nn.Module]:
        return {name: getattr(self, name) for name in NETWORKS}

    @property
    def _all_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {**self.optimizers, "discriminator_optimizer": self.discriminator_optimizer}


def _optimizers(
    rates: Sequence[tuple[torch.nn.Module, float]], params: GeneratorParams
) -> dict[str, torch.optim.Optimizer]:
    """Muon for matrices and Adam for biases and the like, or Adam for all; a group for each network at its rate."""
    by_muon = is_matrix if params.optimizer == "muon" else lambda _: False

    def groups(muon: bool) -> list[dict[str, Any]]:
        chosen = [[weight for weight in network.parameters() if by_muon(weight) == muon] for network, _ in rates]
        return [{"params": weights, "lr": rate} for weights, (_, rate) in zip(chosen, rates, strict=True)]

    precision = torch.bfloat16 if params.precision == "bfloat16" else torch.float32
    adam = torch.optim.Adam(groups(muon=False), betas=(0.9, 0.99), fused=True)
    return {"optimizer": adam, "matrix_optimizer": Muon(groups(muon=True), precision)}


def _prepared(network: Any, device: str) -> Any:
    """On the device, channels innermost in memory: convolutions on a CPU are faster so."""
    return network.to(device=device, memory_format=torch.channels_last)
