"""Networks in NVIDIA's `.pkl` files: pickled objects with their own source code, which is never run here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs import UserError
from sidelight_toolkit.pickled_tensors import TENSORS
from sidelight_toolkit.pickles import Reader, Record, plain_bytes, plain_dict, plain_set
from sidelight_toolkit.torch_files import read_storage

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_toolkit.pickles import Makers

    from sidelight_stylegan2.files.weights import Weights

_PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
_NUMPY = [f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")]
KNOWN: Makers = {
    **TENSORS,
    _PERSISTENT: None,
    "torch.storage._load_from_bytes": read_storage,
    "dnnlib.util.EasyDict": plain_dict,
    "_codecs.encode": plain_bytes,
    "__builtin__.bytes": plain_bytes,
    "builtins.set": plain_set,
    "__builtin__.set": plain_set,
    **dict.fromkeys([*_NUMPY, "numpy.ndarray", "numpy.dtype"]),
}


def read_networks(data: bytes, path: Path) -> dict[str, Any]:
    """The file's table of networks: name to record.

    Raises:
        RefusedError: a name that such files do not need.
        UserError: there is no table with a generator.
    """
    networks = Reader(KNOWN).read(data)
    if not isinstance(networks, dict) or not is_network(networks.get("G_ema")):
        raise UserError(
            f"{path} holds no generator named G_ema",
            "use a .pkl of stylegan2-ada-pytorch or stylegan3; files of the TensorFlow version must be converted",
        )
    return networks


def is_network(value: Any) -> bool:
    """True for the record of an object that carries its source."""
    return isinstance(value, Record) and value.name == _PERSISTENT and isinstance(_meta(value).get("state"), dict)


def attributes(network: Record) -> dict[str, Any]:
    """Its attributes, submodules and weights among them."""
    state: dict[str, Any] = _meta(network)["state"]
    return state


def submodules(network: Record) -> dict[str, Record]:
    """Name to record."""
    modules = attributes(network).get("_modules") or {}
    return {name: module for name, module in modules.items() if isinstance(name, str) and is_network(module)}


def weights_of(network: Record) -> Weights:
    """The parameters and buffers of a network and of everything in it, by the names of its state dict.

    Raises:
        ValueError: a network that contains itself, or that two networks contain.
    """
    weights: Weights = {}
    _collect(network, "", weights, set())
    return weights


def _collect(network: Record, prefix: str, weights: Weights, seen: set[int]) -> None:
    if id(network) in seen:
        raise ValueError("a network contains itself, or two networks contain it")
    seen.add(id(network))
    state = attributes(network)
    for kind in ("_parameters", "_buffers"):
        own = (state.get(kind) or {}).items()
        weights |= {prefix + name: value for name, value in own if isinstance(value, torch.Tensor)}
    for name, module in submodules(network).items():
        _collect(module, f"{prefix}{name}.", weights, seen)


def _meta(network: Record) -> dict[str, Any]:
    (meta,) = network.arguments or ({},)
    return meta if isinstance(meta, dict) else {}
