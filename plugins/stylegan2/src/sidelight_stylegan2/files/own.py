"""Checkpoints of this plugin: safetensors with the architecture in the header."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sidelight_specs import UserError

from sidelight_stylegan2.files.weights import build
from sidelight_stylegan2.networks.architecture import Architecture

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_stylegan2.networks.synthesis import Network

FORMAT = "sidelight-stylegan2 1"


def save_network(network: Network, path: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write a network's weights and architecture.

    Args:
        network: the network.
        path: of the file; `.safetensors`.
        dtype: of the weights in the file; half precision changes images by less than a screen shows.
    """
    weights = {name: tensor.to(dtype).contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, path, {"format": FORMAT, **network.architecture.settings()})


def load_network(path: Path) -> Network:
    """The network that `save_network` wrote.

    Raises:
        UserError: the file is damaged, or was not written by `save_network`.
    """
    fix = "give a file that this plugin wrote"
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if facts.get("format") != FORMAT:
            raise UserError(f'{path} has the format "{facts.get("format", "")}", not "{FORMAT}"', fix)
        architecture = Architecture.from_settings(facts)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", fix) from error
    return build(architecture, weights, path)
