"""Checks of arguments that operators of torch 2.13 leave unchecked, so that no file reads memory that is not its own.

Found by calling every operator of the allow-list with arguments that do not fit: those that crashed, or gave a result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

Arguments = Mapping[str, Any]
"""The arguments of a call by their names in the operator's schema."""
SMALLEST_SCALE = 1e-6  # of an interpolation: the inverse of a smaller one overflows the kernels' integer indices
LARGEST_NUMBER = 1 << 40  # of whole numbers in arguments: beyond, kernels overflow
OPEN_END = (1 << 63) - 1  # the largest integer, as the end of a slice


def guarded(operator: torch._ops.OpOverload) -> Callable[..., Any]:
    """The operator behind its guard, which raises a ValueError for arguments that the kernel does not check.

    Arguments behind the star of its schema may be given by position, too, as TorchScript does.
    """
    name = operator._schema.name.partition("::")[2].removesuffix("_")  # in-place variants share the guard
    guard = GUARDS.get(name)
    arguments = operator._schema.arguments
    names = [argument.name for argument in arguments]
    by_position = sum(not argument.kwarg_only for argument in arguments)

    def call(*given: Any, **keywords: Any) -> Any:
        for value in given:
            check_number(value)
        keywords |= dict(zip(names[by_position:], given[by_position:], strict=False))
        if guard is not None:
            guard({**dict(zip(names, given, strict=False)), **keywords})
        return operator(*given[:by_position], **keywords)

    return call


def check_number(value: Any) -> None:
    """Raise a ValueError for a whole number, or a list with one, that kernels would overflow with."""
    for number in value if isinstance(value, list) else (value,):
        if type(number) is int and abs(number) > LARGEST_NUMBER and number != OPEN_END:
            raise ValueError(f"the number {number} is too large for an operator")


def _same(name: str, value: object, expected: object) -> None:
    if value != expected:
        raise ValueError(f"{name} is {value}, {expected} was expected")


def _attention(given: Arguments) -> None:
    """softmax(Q K^T) V with Q (..., L, E), K (..., S, E), V (..., S, F): the fused kernel does not compare S."""
    query, key, value, mask = given["query"], given["key"], given["value"], given.get("attn_mask")
    _same("the number of values", value.shape[-2], key.shape[-2])
    _same("the width of keys", key.shape[-1], query.shape[-1])
    _same("the batch of values", value.shape[:-2], key.shape[:-2])
    if not given.get("enable_gqa"):
        _same("the batch of keys", key.shape[:-2], query.shape[:-2])
    if mask is not None:  # broadcast to the scores, (..., L, S)
        shape = (*query.shape[:-1], key.shape[-2])
        _same("the mask's shape with the scores'", np.broadcast_shapes(mask.shape, shape), shape)


def _heads(given: Arguments) -> None:
    if given.get("num_head", given.get("num_heads", 1)) < 1:
        raise ValueError("attention without heads")


def _per_channel(given: Arguments) -> None:
    """Statistics and weights of normalisation: one number for each of the C channels of (N, C, ...)."""
    for name in ("weight", "bias", "running_mean", "running_var"):
        if given.get(name) is not None:
            _same(f"the shape of {name}", tuple(given[name].shape), (given["input"].shape[1],))


def _weight_norm(given: Arguments) -> None:
    """w = g v / ||v||: one g for each slice of v along `dim`."""
    _same("the number of norms", given["g"].numel(), given["v"].shape[given.get("dim", 0)])


def _scales(given: Arguments) -> None:
    factors = [given.get(name) for name in ("scales", "scales_d", "scales_h", "scales_w", "scale_factors")]
    for factor in (item for each in factors for item in (each if isinstance(each, list | tuple) else [each])):
        if factor is not None and not (SMALLEST_SCALE <= factor < math.inf):
            raise ValueError(f"an interpolation's scale of {factor}")


def _antialiased(given: Arguments) -> None:
    """The filter of a reduced image covers 1 / scale pixels, which must be pixels that there are."""
    _scales(given)
    for name, size in (("scales_h", given["input"].shape[-2]), ("scales_w", given["input"].shape[-1])):
        factor = given.get(name)
        if factor is not None and factor * size < 0.5:
            raise ValueError(f"an interpolation's scale of {factor}")


def _padding(given: Arguments) -> None:
    if given.get("mode", "") != "constant" and min(given["padding" if "padding" in given else "pad"], default=0) < 0:
        raise ValueError("a padding below zero")


def _truncated(given: Arguments) -> None:
    """The least integer divided by -1 is none, and a processor's exception."""
    numerator, denominator = given["self"], given["other"]
    whole = not torch.is_floating_point(numerator) and not numerator.is_complex()
    if given.get("rounding_mode") == "trunc" and whole and bool((torch.as_tensor(denominator) == -1).any()):
        raise ValueError("a truncated division of whole numbers by -1")


GUARDS: dict[str, Callable[[Arguments], None]] = {
    "scaled_dot_product_attention": _attention,
    "_native_multi_head_attention": _heads,
    "_transformer_encoder_layer_fwd": _heads,
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training"), _per_channel
    ),
    **dict.fromkeys(("_weight_norm", "_weight_norm_interface"), _weight_norm),
    **dict.fromkeys(
        [f"upsample_{kind}" for kind in ("bicubic2d", "bilinear2d", "linear1d", "trilinear3d")]
        + [f"{name}{count}d" for name in ("upsample_nearest", "_upsample_nearest_exact") for count in (1, 2, 3)],
        _scales,
    ),
    **dict.fromkeys([f"_upsample_{kind}2d_aa" for kind in ("bicubic", "bilinear", "lanczos")], _antialiased),
    **dict.fromkeys(
        [f"{kind}_pad{count}d" for kind in ("reflection", "replication") for count in (1, 2, 3)]
        + ["pad", "_pad_circular", "_pad_enum"],
        _padding,
    ),
    **dict.fromkeys(("div", "divide"), _truncated),
}
