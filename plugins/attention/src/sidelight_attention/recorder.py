"""Softmax attention of any network, read while it runs, without touching the model.

Attention is a product of queries and keys, a softmax over the keys, and a product with the values. It comes as one
operator (`scaled_dot_product_attention`, `multi_head_attention_forward`) or as those three, in modules and in
exported programs. The recorder finds it in either form and computes the weights in the open, so that they can be read
and differentiated with respect to.

Symbols: Q (..., T_q, d) queries, K, V (..., T_k, d) keys and values, A = softmax(Q K^T / sqrt(d)), (..., T_q, T_k).
"""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen
from sidelight_toolkit.layout import (
    CONVOLUTIONS,
    MOVES,
    NEUTRAL,
    RESAMPLING,
    is_elementwise,
    operator_name,
    tensors_of,
)
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    Observer = Callable[["AttentionCall"], None]

MULTI_HEAD = "multi_head_attention_forward"
SEALED = frozenset(("native_multi_head_attention", "transformer_encoder_layer_fwd"))
"""Operators that compute attention without showing its weights, in files exported with torch's fast path."""
_SOFTMAX = frozenset(("softmax", "safe_softmax"))
_PRODUCTS = frozenset(("matmul", "bmm", "mm", "linalg_matmul", "baddbmm", "einsum"))
_KEEPING = MOVES | NEUTRAL | {"linear", "masked_fill", "where", "conv2d"}  # talking heads mix by linear and 1x1 conv
FUSED = "scaled_dot_product_attention"


@frozen(eq=False)
class AttentionCall:
    """One attention of a pass.

    Args:
        weights: A, (..., T_q, T_k), attached to the graph, or its first leaf.
        query: Q, (..., T_q, d); None where it cannot be told.
        value: V, (..., T_k, d).
    """

    weights: Tensor
    query: Tensor | None
    value: Tensor


@frozen
class _Fact:
    """What is known of a tensor that depends on the images: nothing more, a product Q K^T, or weights A."""

    kind: str = "dependent"
    query: Tensor | None = None


_DEPENDENT = _Fact()


class AttentionRecorder(TorchFunctionMode):
    """Context that shows every attention of the passes within it.

    Args:
        images: what the attention has to depend on.
        observe: called with each attention before its values are mixed.

    Attributes:
        unread: names of operators of attention that could not be read.
        mixers: names of convolutions and poolings over more than one position, in the order in which they ran.
    """

    def __init__(self, images: Tensor, observe: Observer) -> None:
        super().__init__()
        self._observe = observe
        self._facts: Any = WeakTensorKeyDictionary()
        self._facts[images] = _DEPENDENT
        self.unread: set[str] = set()
        self.mixers: list[str] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of `func`."""
        kwargs = kwargs or {}
        name = operator_name(func)
        if not any(tensor in self._facts for tensor in tensors_of(args, kwargs)):
            return func(*args, **kwargs)
        result = self._attention(name, func, args, kwargs)
        self._follow(name, args, kwargs, result)
        return result

    def depends(self, tensor: object) -> bool:
        """True if a tensor depends on the images."""
        return isinstance(tensor, Tensor) and tensor in self._facts

    def _attention(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """The operator's result, with its attention shown if it is one."""
        if name in SEALED:
            self.unread.add(name)
        if name in RESAMPLING or (name in CONVOLUTIONS and tensors_of(args, kwargs)[1][0, 0].numel() > 1):
            self.mixers.append(name)
        if name == FUSED:
            return self._fused(*args, **kwargs)
        if name == MULTI_HEAD:
            return self._multi_head(func, args, kwargs)
        factors = _factors(name, args, kwargs)
        fact = self._facts.get(factors[0]) if factors else None
        if factors and fact and fact.kind == "weights" and self.depends(factors[1]):
            weights, value = factors
            shown = self._show(weights, fact.query, value)
            return func(*_swap(args, weights, shown), **_swap(kwargs, weights, shown))
        return func(*args, **kwargs)

    def _show(self, weights: Tensor, query: Tensor | None, value: Tensor) -> Tensor:
        """The weights after the observer has seen them; those of the first layers become leaves of the graph."""
        if torch.is_grad_enabled() and not weights.requires_grad:
            weights = weights.detach().requires_grad_()  # the layers before need no gradient
        self._observe(AttentionCall(weights, query, value))
        return weights

    def _fused(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        *,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """`scaled_dot_product_attention` spelled out; networks are in evaluation mode, without dropout."""
        del dropout_p
        if enable_gqa:  # several heads share keys and values
            key, value = (each.repeat_interleave(query.shape[-3] // each.shape[-3], -3) for each in (key, value))
        if is_causal:
            attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
        return self._show(_weights(query, key, attn_mask, scale), query, value) @ value

    def _multi_head(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """`multi_head_attention_forward` spelled out: inputs (T, N, E), output (T_q, N, E) and weights or None."""
        bound = inspect.signature(functional.multi_head_attention_forward).bind(*args, **kwargs)
        bound.apply_defaults()
        p = bound.arguments
        unusual = ("bias_k", "bias_v", "static_k", "static_v")
        if p["query"].dim() != 3 or p["add_zero_attn"] or any(p[option] is not None for option in unusual):
            self.unread.add(MULTI_HEAD)
            return func(*args, **kwargs)
        inputs = (p["query"], p["key"], p["value"])
        if p["use_separate_proj_weight"]:
            projections = (p["q_proj_weight"], p["k_proj_weight"], p["v_proj_weight"])
        else:
            projections = p["in_proj_weight"].chunk(3)
        biases = (None,) * 3 if p["in_proj_bias"] is None else p["in_proj_bias"].chunk(3)
        heads, (_, batch, width) = p["num_heads"], p["query"].shape
        query, key, value = (  # (N, heads, T, d)
            functional.linear(x, w, b).reshape(len(x), batch, heads, -1).permute(1, 2, 0, 3)
            for x, w, b in zip(inputs, projections, biases, strict=True)
        )
        mask = _joined_mask(p["attn_mask"], p["key_padding_mask"], (batch, heads), query)
        weights = self._show(_weights(query, key, mask, None), query, value)
        output = weights @ value  # (N, heads, T_q, d)
        output = output.permute(2, 0, 1, 3).reshape(-1, batch, width)
        output = functional.linear(output, p["out_proj_weight"], p["out_proj_bias"])
        if not p["need_weights"]:
            return output, None
        return output, weights.mean(1) if p["average_attn_weights"] else weights

    def _follow(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        """Keep what is known of the results."""
        fact = _DEPENDENT
        known = [self._facts[tensor] for tensor in tensors_of(args, kwargs) if tensor in self._facts]
        if factors := _factors(name, args, kwargs):
            left = self._facts.get(factors[0], _DEPENDENT)
            if left.kind != "weights" and self.depends(factors[1]):  # keys depend on the images, queries may be learned
                fact = _Fact("product", factors[0])
        elif name in _SOFTMAX and known[0].kind == "product" and _over_last(args, kwargs):
            fact = _Fact("weights", known[0].query)
        elif name in _KEEPING or is_elementwise(name):
            fact = next((each for each in known if each.kind != "dependent"), _DEPENDENT)
        for item in result if isinstance(result, (list, tuple)) else (result,):
            if isinstance(item, Tensor) and item.is_floating_point():
                self._facts[item] = fact


def _weights(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    """A = softmax(Q K^T * scale + mask); a boolean mask is true where attention is allowed."""
    products = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None and mask.dtype == torch.bool:
        products = products.masked_fill(~mask, -math.inf)
    elif mask is not None:
        products = products + mask
    return products.softmax(-1)


def _factors(name: str, args: Any, kwargs: Any) -> tuple[Tensor, Tensor] | None:
    """Left and right factor of a matrix product."""
    if name not in _PRODUCTS:
        return None
    tensors = tensors_of(args, kwargs)[1:] if name == "baddbmm" else tensors_of(args, kwargs)
    if len(tensors) != 2 or (name == "einsum" and not _mixes_values(args[0])):
        return None
    return tensors[0], tensors[1]


def _mixes_values(equation: object) -> bool:
    """True for an `einsum` that contracts the last letter of its first term, such as `bhij,bhjd->bhid`."""
    if not isinstance(equation, str) or "->" not in equation:
        return False
    inputs, output = equation.replace(" ", "").split("->")
    terms = inputs.split(",")
    return len(terms) == 2 and bool(terms[0]) and terms[0][-1] in terms[1] and terms[0][-1] not in output


def _swap(arguments: Any, old: Tensor, new: Tensor) -> Any:
    if isinstance(arguments, dict):
        return {key: _swap(value, old, new) for key, value in arguments.items()}
    if isinstance(arguments, (list, tuple)):
        return type(arguments)(_swap(item, old, new) for item in arguments)
    return new if arguments is old else arguments


def _over_last(args: Any, kwargs: Any) -> bool:
    source = tensors_of(args, kwargs)[0]
    axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
    return axis in (-1, source.dim() - 1)


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
