"""Softmax attention of any network, read while it runs, without touching the model.

Attention is a product of queries and keys, a softmax over the keys, and a product with the values. It comes as one
operator (`scaled_dot_product_attention`, `multi_head_attention_forward`) or as those three, in modules and in
exported programs. The recorder finds it in either form and computes the weights in the open, so that they can be read
and differentiated with respect to.

Symbols: Q (..., T_q, d) queries, K, V (..., T_k, d) keys and values, A = softmax(Q K^T / sqrt(d)), (..., T_q, T_k).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen
from sidelight_toolkit.attention import MULTI_HEAD, attention_weights, multi_head_attention
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
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    Observer = Callable[["AttentionCall"], None]

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
    """Kind of a tensor that depends on the images: not known, a product Q K^T, or weights A."""

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
        return self._show(attention_weights(query, key, attn_mask, scale), query, value) @ value

    def _multi_head(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
            weights = self._show(attention_weights(query, key, mask), query, value)
            return weights @ value, weights

        result = multi_head_attention(args, kwargs, attend)
        if result is None:
            self.unread.add(MULTI_HEAD)
            return func(*args, **kwargs)
        return result

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
