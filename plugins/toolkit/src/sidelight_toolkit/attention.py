"""Attention spelled out by smaller operators, as torch's fused ones show nothing of what happens inside them.

Symbols: Q (N, heads, T_q, d) queries, K, V (N, heads, T_k, d) keys and values, A (N, heads, T_q, T_k) weights.
"""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Attend = Callable[[Tensor, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]

MULTI_HEAD = "multi_head_attention_forward"
"""The function behind `nn.MultiheadAttention`, by the name of `layout.operator_name`."""
_UNUSUAL = ("bias_k", "bias_v", "static_k", "static_v")


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None = None, scale: float | None = None) -> Tensor:
    """A = softmax(Q K^T * scale + mask); a boolean mask is true where attention is allowed."""
    products = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None and mask.dtype == torch.bool:
        products = products.masked_fill(~mask, -math.inf)
    elif mask is not None:
        products = products + mask
    return products.softmax(-1)


def multi_head_attention(args: Any, kwargs: Any, attend: Attend) -> tuple[Tensor, Tensor | None] | None:
    """`torch.nn.functional.multi_head_attention_forward` spelled out, without dropout.

    Args:
        args: as torch's function takes them; inputs are (T, N, E).
        kwargs: likewise.
        attend: from Q, K, V and a mask that is added to Q K^T to A V, (N, heads, T_q, d), and A.

    Returns:
        Output (T_q, N, E) and the weights asked for; None where unusual options are in use.
    """
    bound = inspect.signature(functional.multi_head_attention_forward).bind(*args, **kwargs)
    bound.apply_defaults()
    p = bound.arguments
    if p["query"].dim() != 3 or p["add_zero_attn"] or any(p[option] is not None for option in _UNUSUAL):
        return None
    inputs = (p["query"], p["key"], p["value"])
    if p["use_separate_proj_weight"]:
        projections = (p["q_proj_weight"], p["k_proj_weight"], p["v_proj_weight"])
    else:
        projections = p["in_proj_weight"].chunk(3)
    biases = (None,) * 3 if p["in_proj_bias"] is None else p["in_proj_bias"].chunk(3)
    heads, (_, batch, width) = p["num_heads"], p["query"].shape
    query, key, value = (
        functional.linear(x, w, b).reshape(len(x), batch, heads, -1).permute(1, 2, 0, 3)
        for x, w, b in zip(inputs, projections, biases, strict=True)
    )
    output, weights = attend(
        query, key, value, _joined_mask(p["attn_mask"], p["key_padding_mask"], (batch, heads), query)
    )
    output = output.permute(2, 0, 1, 3).reshape(-1, batch, width)
    output = functional.linear(output, p["out_proj_weight"], p["out_proj_bias"])
    if not p["need_weights"]:
        return output, None
    return output, weights.mean(1) if p["average_attn_weights"] else weights


def _joined_mask(
    attention: Tensor | None, padding: Tensor | None, sizes: tuple[int, int], like: Tensor
) -> Tensor | None:
    """One mask to be added to (N, heads, T_q, T_k) products; boolean masks are true where attention is forbidden."""
    total: Tensor | None = None
    for mask in (attention, padding):
        if mask is None:
            continue
        added = mask
        if mask.dtype == torch.bool:
            added = torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, -math.inf)
        if mask is padding:
            added = added[:, None, None]  # (N, T_k)
        elif mask.dim() == 3:
            added = added.reshape(*sizes, *added.shape[1:])  # of (N * heads, T_q, T_k)
        total = added if total is None else total + added
    return total
