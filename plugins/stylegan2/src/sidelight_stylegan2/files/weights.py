"""A network from a table of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError

from sidelight_stylegan2.networks.synthesis import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_stylegan2.networks.architecture import Architecture

Weights = dict[str, torch.Tensor]


def build(architecture: Architecture, weights: Mapping[str, torch.Tensor], source: object) -> Network:
    """The network with these weights, frozen, in evaluation mode.

    Args:
        architecture: its sizes.
        weights: named as in our state dict.
        source: the file, for the message.

    Raises:
        UserError: weights are missing, left over, of another shape, or not finite.
    """
    with torch.random.fork_rng(devices=[]):
        network = Network(architecture)
    problems = _differences(network.state_dict(), weights)
    if problems:
        shown = "; ".join(problems[:4]) + ("; ..." if len(problems) > 4 else "")
        raise UserError(
            f"{source} does not hold a StyleGAN2 generator of one piece: {shown}", "use a complete checkpoint"
        )
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return network.eval().requires_grad_(False)


def _differences(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> list[str]:
    missing = [f"{name} is missing" for name in wanted if name not in given]
    unknown = [f"{name} is not expected" for name in given if name not in wanted]
    misshapen = [
        f"{name} is {tuple(given[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ]
    infinite = [f"{name} is not finite" for name, tensor in given.items() if not bool(tensor.isfinite().all())]
    return missing + unknown + misshapen + infinite
