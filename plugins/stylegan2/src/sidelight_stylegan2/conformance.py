"""Toys of the conformance kit: a file for `pretrained`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs.testing import Toys

from sidelight_stylegan2.files.own import save_network
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.synthesis import Network

if TYPE_CHECKING:
    from pathlib import Path


def _file(folder: Path) -> dict[str, Any]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(Architecture(image_channels=1, widths=(4, 4, 4, 4), z=4, w=4, mapping=2))
    save_network(network, folder / "network.safetensors")
    return {"path": str(folder / "network.safetensors")}


toys = {"pretrained": Toys(example=_file)}
