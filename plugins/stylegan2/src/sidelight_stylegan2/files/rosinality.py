"""Names, shapes and scaling of rosinality's stylegan2-pytorch."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError

from sidelight_stylegan2.networks.architecture import BINOMIAL, FIRST, Architecture
from sidelight_stylegan2.networks.filtering import kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_stylegan2.files.weights import Weights

_PARTS = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "strength",
    "activate.bias": "bias",
    "bias": "bias",
}
_FILTERS = ("blur.kernel", "upsample.kernel")


def architecture_of(weights: Mapping[str, torch.Tensor], source: object) -> Architecture:
    """The sizes of a generator, read off the shapes of its weights.

    Raises:
        UserError: weights that such a generator has are missing.
    """
    # to_rgb1 is that of 4x4 pixels, to_rgbs.0 that of 8x8
    levels = 1 + sum(bool(re.fullmatch(r"to_rgbs\.\d+\.bias", name)) for name in weights)
    try:
        convolutions = ["conv1", *(f"convs.{2 * level + 1}" for level in range(levels - 1))]
        w = weights["conv1.conv.modulation.weight"].shape[1]
        return Architecture(
            image_channels=weights["to_rgb1.bias"].shape[1],
            widths=tuple(weights[f"{name}.conv.weight"].shape[1] for name in convolutions),
            z=weights["style.1.weight"].shape[1],  # style.0 is the pixel norm
            w=w,
            mapping=sum(bool(re.fullmatch(r"style\.\d+\.weight", name)) for name in weights),
        )
    except (KeyError, IndexError) as error:
        raise UserError(
            f"{source} holds no generator of stylegan2-pytorch: {error} is missing", "use its g_ema"
        ) from error


def translated(weights: Mapping[str, torch.Tensor], source: object) -> Weights:
    """The same weights by our names and in our scaling. Noise images that the file lacks are zero.

    Raises:
        UserError: a filter other than (1, 3, 3, 1), or a weight of an unknown name.
    """
    result: Weights = {"mapping.center": torch.zeros(len(weights["conv1.conv.modulation.weight"][0]))}
    for name, tensor in weights.items():
        if name.endswith(_FILTERS):
            _check_filter(name, tensor, source)
        else:
            ours = _our_name(name, source)
            result[ours] = _scaled(name, tensor).reshape(_shape(ours, tensor))
    return _with_noise(result)


def _our_name(name: str, source: object) -> str:
    if layer := re.fullmatch(r"style\.(\d+)\.(weight|bias)", name):
        return f"mapping.layers.{int(layer[1]) - 1}.{layer[2]}"
    if name == "input.input":
        return "synthesis.constant"
    if layer := re.fullmatch(r"noises\.noise_(\d+)", name):
        return f"synthesis.layers.{_convolution(int(layer[1]))}.noise"
    layer = re.fullmatch(r"(conv1|to_rgb1|convs\.\d+|to_rgbs\.\d+)\.(.+)", name)
    if layer and layer[2] in _PARTS:
        return f"synthesis.layers.{_layer(layer[1])}.{_PARTS[layer[2]]}"
    raise UserError(f"{source}: a generator of stylegan2-pytorch has no weight {name}", "use another checkpoint")


def _layer(part: str) -> int:
    kind, _, number = part.partition(".")
    if kind == "to_rgbs":
        return 3 * int(number) + 4
    return {"conv1": 0, "to_rgb1": 1}[kind] if not number else _convolution(int(number) + 1)


def _convolution(number: int) -> int:
    """Index of our layer for a numbered convolution, the one at 4x4 pixels being 0."""
    return 0 if number == 0 else 3 * ((number + 1) // 2) - 1 + (number + 1) % 2


def _scaled(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Their convolutions scale weights at run time; ours leave that to demodulation."""
    equalised = name.endswith(".conv.weight") and not name.startswith("to_rgb")
    return tensor / math.sqrt(tensor[0, 0].numel()) if equalised else tensor


def _shape(ours: str, tensor: torch.Tensor) -> tuple[int, ...]:
    """Without the axes of length one that the original keeps for broadcasting."""
    last = ours.rpartition(".")[2]
    if last == "strength":
        return ()
    if last == "noise":
        return tuple(tensor.shape[-2:])
    if last == "bias":
        return (tensor.numel(),)
    broadcast = tensor.ndim == 5 or ours == "synthesis.constant"
    return tuple(tensor.shape[1:]) if broadcast else tuple(tensor.shape)


def _with_noise(weights: Weights) -> Weights:
    strengths = [name for name in weights if name.endswith(".strength")]
    for number, name in enumerate(sorted(strengths, key=lambda text: int(text.split(".")[2]))):
        size = FIRST * 2 ** ((number + 1) // 2)
        weights.setdefault(name.replace("strength", "noise"), torch.zeros(size, size))
    return weights


def _check_filter(name: str, tensor: torch.Tensor, source: object) -> None:
    if tensor.shape != (4, 4) or not (tensor / tensor.sum()).allclose(kernel(BINOMIAL), atol=1e-6):
        raise UserError(f"{source}: {name} is not the filter (1, 3, 3, 1) of StyleGAN2", "use another checkpoint")
