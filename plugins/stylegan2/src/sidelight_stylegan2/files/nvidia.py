"""Names and shapes of NVIDIA's PyTorch releases (stylegan2-ada-pytorch, and StyleGAN2 in stylegan3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sidelight_specs import UserError

from sidelight_stylegan2.networks.architecture import BINOMIAL, FIRST, Architecture
from sidelight_stylegan2.networks.filtering import kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from sidelight_stylegan2.files.weights import Weights

_LAST = {"noise_strength": "strength", "noise_const": "noise", "w_avg": "center", "const": "constant"}
_FILTER = "resample_filter"


def architecture_of(weights: Mapping[str, torch.Tensor], source: object, clamp: float | None = None) -> Architecture:
    """The sizes of a generator, read off the shapes of its weights.

    Args:
        weights: NVIDIA's name to tensor.
        source: the file, for messages.
        clamp: the largest magnitude of activations, which no weight shows.

    Raises:
        UserError: weights that a StyleGAN2 generator with skip connections has are missing.
    """
    sizes = sorted({int(match[1]) for name in weights if (match := re.match(r"synthesis\.b(\d+)\.", name))})
    try:
        embedding = weights.get("mapping.embed.weight")
        w = weights[f"synthesis.b{FIRST}.conv1.affine.weight"].shape[1]
        first = weights["mapping.fc0.weight"].shape[1]
        return Architecture(
            image_channels=weights[f"synthesis.b{FIRST}.torgb.weight"].shape[0],
            widths=tuple(weights[f"synthesis.b{size}.conv1.weight"].shape[0] for size in sizes),
            # the first layer takes z with the embedded class beside it
            z=first - (0 if embedding is None else embedding.shape[0]),
            w=w,
            mapping=sum(bool(re.fullmatch(r"mapping\.fc\d+\.weight", name)) for name in weights),
            classes=0 if embedding is None else embedding.shape[1],
            noise=f"synthesis.b{FIRST}.conv1.noise_strength" in weights,
            clamp=clamp,
        )
    except (KeyError, IndexError) as error:
        raise UserError(
            f"{source} holds no StyleGAN2 generator with skip connections: {error} is missing",
            "use a checkpoint of stylegan2-ada-pytorch, or a StyleGAN2 one of stylegan3",
        ) from error


def translated(weights: Mapping[str, torch.Tensor], source: object) -> Weights:
    """The same weights by our names.

    Raises:
        UserError: a filter other than (1, 3, 3, 1), or a weight of an unknown name.
    """
    ours: Weights = {}
    for name, tensor in weights.items():
        if name.rpartition(".")[2] != _FILTER:
            ours[_our_name(name, source)] = tensor
        elif tensor.shape != (4, 4) or not tensor.float().allclose(kernel(BINOMIAL), atol=1e-6):
            raise UserError(f"{source}: {name} is not the filter (1, 3, 3, 1) of StyleGAN2", "use another checkpoint")
    return ours


def _our_name(name: str, source: object) -> str:
    head, _, last = name.rpartition(".")
    last = _LAST.get(last, last)
    if layer := re.fullmatch(r"mapping(?:\.(?:fc(\d+)|embed))?", head):
        inner = f"layers.{layer[1]}." if layer[1] else ("embedding." if head.endswith("embed") else "")
        return f"mapping.{inner}{last}"
    if head == f"synthesis.b{FIRST}" and last == "constant":
        return f"synthesis.{last}"
    if layer := re.fullmatch(r"synthesis\.b(\d+)\.(conv0|conv1|torgb)(\.affine)?", head):
        return f"synthesis.layers.{_index(int(layer[1]), layer[2])}{layer[3] or ''}.{last}"
    raise UserError(f"{source}: a StyleGAN2 generator has no weight {name}", "use another checkpoint")


def _index(size: int, part: str) -> int:
    """Index of our layer: two layers at 4x4 pixels, three at every later level."""
    level = (size // FIRST).bit_length() - 1
    return 3 * level - 1 + ("conv0", "conv1", "torgb").index(part)
