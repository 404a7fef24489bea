"""Reading of checkpoints; the format is recognised by content."""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import UserError
from sidelight_toolkit.pickled_tensors import TENSORS
from sidelight_toolkit.pickles import RefusedError
from sidelight_toolkit.torch_files import MAGIC, ZIP, read_archive

from sidelight_stylegan2.files import nvidia, persistent, rosinality
from sidelight_stylegan2.files.own import load_network
from sidelight_stylegan2.files.weights import build
from sidelight_stylegan2.networks.architecture import FIRST
from sidelight_stylegan2.networks.synthesis import Network

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_toolkit.pickles import Makers, Record

TRAINING: Makers = {**TENSORS, "argparse.Namespace": None}
_DAMAGED = (
    *(ValueError, IndexError, KeyError, TypeError, AttributeError, EOFError, OSError, StopIteration, RuntimeError),
    *(OverflowError, struct.error, zipfile.BadZipFile),
)
_FIX = "give a .pkl of stylegan2-ada-pytorch or stylegan3, a .pt of rosinality's stylegan2-pytorch, or our .safetensors"


@attrs.frozen(eq=False)
class Checkpoint:
    """The generator of a file.

    Args:
        network: frozen, in evaluation mode.
        centered: the file held the average w.
        remarks: warnings for the user.
    """

    network: Network
    centered: bool = True
    remarks: tuple[str, ...] = ()


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a generator. Nothing in the file is run: see `pickles`.

    Raises:
        UserError: there is no such file, something in it is refused (and named), or it holds no generator.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}", "name the checkpoint with `path`")
    try:
        return _read(path)
    except RefusedError as error:
        raise UserError(f"{path} has {error}, which Sidelight does not read; nothing in it was run", _FIX) from error
    except _DAMAGED as error:
        raise UserError(f"{path} cannot be read: {error}", _FIX) from error


def _read(path: Path) -> Checkpoint:
    with path.open("rb") as file:
        start = file.read(64)
    if start[8:9] == b"{":  # safetensors: eight bytes of length, then a json header
        return Checkpoint(load_network(path))
    data = path.read_bytes()
    if start.startswith((ZIP, MAGIC)):
        return _saved(read_archive(data, TRAINING), path)
    if not start.startswith(b"\x80"):  # a pickle of protocol 2 or later
        raise UserError(f"{path} is no checkpoint that Sidelight knows", _FIX)
    return _nvidia(persistent.read_networks(data, path)["G_ema"], path)


def _saved(saved: Any, path: Path) -> Checkpoint:
    """rosinality's, a file of torch.save."""
    weights = saved.get("g_ema") if isinstance(saved, dict) else None
    if not isinstance(weights, dict):
        raise UserError(f"{path} holds no weights named g_ema, as files of stylegan2-pytorch do", _FIX)
    network = build(rosinality.architecture_of(weights, path), rosinality.translated(weights, path), path)
    has_noise = any(name.startswith("noises.") for name in weights)
    remarks = () if has_noise else (f"{path} holds no noise images; images are made without noise",)
    center = saved.get("latent_avg")
    if center is not None:
        network.mapping.center.copy_(center)
    return Checkpoint(network, centered=center is not None, remarks=remarks)


def _nvidia(generator: Record, path: Path) -> Checkpoint:
    weights = persistent.weights_of(generator)
    if any(name.startswith("synthesis.input.") for name in weights):
        raise UserError(f"{path} holds a StyleGAN3 generator, whose layers are others", "use a StyleGAN2 checkpoint")
    clamp = _clamp(generator, path)
    return Checkpoint(build(nvidia.architecture_of(weights, path, clamp), nvidia.translated(weights, path), path))


def _clamp(generator: Record, path: Path) -> float | None:
    """The limit of activations, an attribute of every layer.

    Raises:
        UserError: the network is no StyleGAN2 with skip connections and leaky ReLU.
    """
    synthesis = persistent.submodules(generator)["synthesis"]
    block = persistent.submodules(synthesis)[f"b{FIRST}"]
    facts = persistent.attributes(block)
    layer = persistent.attributes(persistent.submodules(block)["conv1"])
    if facts.get("architecture", "skip") != "skip" or layer.get("activation", "lrelu") != "lrelu":
        raise UserError(f"{path} holds a generator without skip connections or without leaky ReLU", _FIX)
    clamp = layer.get("conv_clamp")
    return None if clamp is None else float(clamp)
