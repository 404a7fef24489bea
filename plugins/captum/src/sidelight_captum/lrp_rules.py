"""Rules of layer-wise relevance propagation by operator, in force inside a context, without touching the model.

Every operator that torch computes inside the context is replaced by one with the same values whose backward pass
returns relevance R instead of a gradient. Relevance thus goes back through any network whose operators have a rule, a
module or an exported program, with skip connections, branches and shared layers.

Symbols: x an operator's input, z = f(x) its output, R its relevance, s = R / (z +- epsilon), J = df/dx, and w+, w-
the positive and negative parts of w.

- f affine in x (convolution, linear layer, pooling, mean, sum, interpolation, batch normalisation, addition,
  scaling): the epsilon rule, R_x = x * J^T s (Bach et al. 2015, equation 58); a skip connection's sum is split in
  proportion to its terms. Batch normalisation directly after a convolution is one map with it.
- convolutions and linear layers by `alpha-beta`: equation 60 with beta = alpha - 1 (Montavon et al. 2019, LRP: An
  Overview); `z-plus` is alpha = 1 without biases: only the effect of a bias alone is lost (Montavon et al. 2017).
- layer normalisation is affine with its standard deviation held fixed, and softmax or sigmoid weights are constants
  that values are multiplied with (Ali et al. 2022, XAI for Transformers: LN and AH rules; Arras et al. 2017: gates).
- activations through the origin, and operators that only move values: R as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from attrs import evolve, frozen
from sidelight_specs import UserError
from sidelight_toolkit.attention import MULTI_HEAD, attention_weights, multi_head_attention
from sidelight_toolkit.layout import MOVES, NEUTRAL, RESAMPLING, operator_name, tensors_of
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakTensorKeyDictionary

if TYPE_CHECKING:
    from sidelight_captum.params import LrpParams

WEIGHTED = frozenset(("conv1d", "conv2d", "conv_transpose2d", "linear", "addmm"))
"""Layers with weights; relevance ends at the first one that sees the images, and operators before it prepare them."""
MAXIMA = frozenset(name for name in RESAMPLING if "max_pool" in name)
SUMS = frozenset(("add", "iadd", "sub", "isub", "rsub", "mean", "sum", "neg"))
SCALES = frozenset(("mul", "imul", "div", "true_divide", "idiv", "itruediv"))
AFFINE = WEIGHTED | RESAMPLING | SUMS | SCALES | {"avg_pool1d", "adaptive_avg_pool1d", "batch_norm"}
PRODUCTS = frozenset(("mul", "imul", "matmul", "bmm", "mm", "einsum"))
"""Affine in one factor while the others are constants."""
ACTIVATIONS = frozenset((
    "relu", "relu6", "hardtanh", "leaky_relu", "prelu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish",
    "tanh", "softsign",
))  # fmt: skip
GATES = frozenset(("sigmoid", "hardsigmoid", "softmax"))
"""Weights of values, as in attention: constants on the way back."""
QUERIES = frozenset((
    "dim", "ndimension", "size", "sym_size", "numel", "sym_numel", "is_floating_point", "is_contiguous", "stride",
    "len", "assert_tensor_metadata",
))  # fmt: skip
CARRYING = (MOVES | NEUTRAL) - {"detach"}
CREATING = frozenset(("new_zeros", "new_ones", "new_full", "zeros_like", "ones_like", "full_like"))
"""Operators whose results depend on the shape of a tensor alone."""
BEFORE_GATES = CARRYING | SCALES | SUMS | {"masked_fill", "where", "linear"}
"""Operators between a product of values and the gate that makes weights of it; CaiT's heads talk by a linear layer."""
PREPARING = (AFFINE - WEIGHTED - MAXIMA) | CARRYING | {"clamp", "clamp_min", "clamp_max", "clip"}
"""Operators on images before the first layer: affine maps, also where resized values are clamped to [0, 1]."""

RELEVANT, PREPARED, PRODUCT = "relevant", "prepared", "product"
"""Facts about a tensor: it carries relevance, is made of the pixels alone, or is a product of relevant values."""


class RelevanceRules(TorchFunctionMode):
    """Context that builds graphs whose backward pass from the scores to `inputs` propagates relevance.

    Args:
        pixels: (N, C, H, W) images that require a gradient.
        params: rule, alpha and epsilon.

    Attributes:
        prepared: input of the first layer, attached to the graph of the pixels; None before it ran.
        inputs: the same values, the leaf at which relevance ends.

    Raises:
        UserError: within the context, an operator has no rule.
    """

    def __init__(self, pixels: Tensor, params: LrpParams) -> None:
        super().__init__()
        self.prepared: Tensor | None = None
        self.inputs: Tensor | None = None
        self._params = params
        self._known: Any = WeakTensorKeyDictionary()
        self._known[pixels] = PREPARED
        self._replaced: Any = WeakTensorKeyDictionary()  # tensors changed in place, and the first input
        self._convolved: Any = WeakTensorKeyDictionary()  # a convolution's output: its input and layer

    def result(self, scores: Tensor) -> Tensor:
        """The network's output, checked to be a start for relevance.

        Raises:
            UserError: no layer has seen the images, or a softmax, sigmoid or product comes last.
        """
        scores = self._current(scores)
        if self.inputs is None:
            refuse("no layer with a rule was seen in it")
        if self._known.get(scores) != RELEVANT:
            refuse("it ends in a softmax, sigmoid or product, and relevance starts from logits", "export it without")
        return scores

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of `func`."""
        args, kwargs = tree_map(self._current, (args, kwargs or {}))
        name, tensors = operator_name(func), tensors_of(args, kwargs)
        facts = {self._known[tensor] for tensor in tensors if tensor in self._known}
        if any(tensor.grad_fn is not None and tensor not in self._known for tensor in tensors):
            refuse(f"before {name} something runs that torch does not show")
        if not facts or name in QUERIES | CREATING:
            return func(*args, **kwargs)
        if name == MULTI_HEAD:  # once more, by operators that have rules
            with self:
                result = multi_head_attention(args, kwargs, _attend)
            return refuse("its attention has biases of its own for keys and values") if result is None else result
        if PREPARED in facts:
            if self.prepared is not None:
                refuse(f"the images enter it more than once, the second time by {name}")
            if name not in WEIGHTED:
                return self._prepare(name, func, args, kwargs)
            self._begin(next(tensor for tensor in tensors if tensor in self._known))
            args, kwargs = tree_map(self._current, (args, kwargs))
            facts = {RELEVANT}
        return self._apply(name, func, args, kwargs, facts)

    def _current(self, item: Any) -> Any:
        return self._replaced.get(item, item) if isinstance(item, Tensor) else item

    def _mark(self, result: Any, fact: str) -> Any:
        for item in result if isinstance(result, (list, tuple)) else (result,):
            if isinstance(item, Tensor):
                self._known[item] = fact
        return result

    def _prepare(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        several = sum(tensor in self._known for tensor in tensors_of(args, kwargs)) > 1
        if name not in PREPARING or (several and name in SCALES):
            refuse(f"before its first layer it uses {name}")
        return self._mark(func(*args, **kwargs), PREPARED)

    def _begin(self, prepared: Tensor) -> None:
        self.prepared, self.inputs = prepared, prepared.detach().requires_grad_()
        self._known[self.inputs] = RELEVANT
        self._replaced[prepared] = self.inputs

    def _apply(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any, facts: set[str]) -> Any:
        """Result of an operator some of whose arguments carry relevance, or are products of such."""
        if name in GATES:  # a constant from here on, without a fact
            with torch.no_grad():
                return func(*args, **kwargs)
        if PRODUCT in facts:
            if RELEVANT in facts or name not in BEFORE_GATES:
                refuse(f"it multiplies values with each other before {name}")
            return self._mark(func(*args, **kwargs), PRODUCT)
        if name in CARRYING:
            return self._mark(func(*args, **kwargs), RELEVANT)
        if self._is_product(name, args, kwargs):
            with torch.no_grad():
                return self._mark(func(*args, **kwargs), PRODUCT)
        in_place = _is_in_place(func, kwargs)
        result = self._mark(self._ruled(name, _copying(func) if in_place else func, args, kwargs), RELEVANT)
        if in_place:
            self._replaced[args[0]] = result
        return result

    def _is_product(self, name: str, args: Any, kwargs: Any) -> bool:
        """True if relevant values are multiplied with each other: attention weights before their softmax."""
        if name not in PRODUCTS | SCALES or len(self._relevant(args, kwargs)) < 2:
            return False
        if name not in PRODUCTS:
            refuse(f"it divides values by each other ({name})")
        return True

    def _relevant(self, args: Any, kwargs: Any) -> list[Tensor]:
        return list({id(t): t for t in tensors_of(args, kwargs) if self._known.get(t) == RELEVANT}.values())

    def _ruled(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Tensor:
        """Result of the operator with its rule attached."""
        if name in ACTIVATIONS:
            with torch.no_grad():
                after = func(*args, **kwargs)
            result: Tensor = _PassOn.apply(args[0], after)  # type: ignore[no-untyped-call]
            return result
        if name == "scaled_dot_product_attention":  # affine in the values while their weights are constants
            query, key, value, *others = args
            constants = query.detach(), key.detach()
            return self._epsilon(lambda x: func(*constants, x, *others, **kwargs), value)
        if name == "layer_norm":
            return self._epsilon(_layer_norm(args, kwargs), args[0])
        if name == "normalize":  # as layer normalisation: the norm is held fixed
            with torch.no_grad():
                scale = func(*args, **kwargs) / torch.where(args[0] == 0, 1, args[0])
            return self._epsilon(lambda x: x * scale, args[0])
        if name not in AFFINE | PRODUCTS:
            refuse(f"it uses {name}")
        return self._affine(name, func, args, kwargs)

    def _affine(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Tensor:
        relevant = self._relevant(args, kwargs)  # all inputs at once: a sum is split among its terms
        order = {id(tensor): number for number, tensor in enumerate(relevant)}

        def mapping(*inputs: Tensor) -> Tensor:
            swapped = tree_map(lambda item: inputs[order[id(item)]] if id(item) in order else item, (args, kwargs))
            result: Tensor = func(*swapped[0], **swapped[1])
            return result

        if name == "batch_norm":
            if kwargs.get("training", args[5] if len(args) > 5 else False):
                refuse("its batch normalisation looks at the other images")
            if args[0] in self._convolved:
                source, layer = self._convolved[args[0]]
                return self._layer(layer.normalised(mapping), source)  # in place of the convolution's own rule
        if name in ("conv1d", "conv2d", "conv_transpose2d", "linear"):
            layer = _Layer.of(func, args, kwargs, mapping)
            result = self._layer(layer, args[0])
            if name == "conv2d":
                self._convolved[result] = args[0], layer
            return result
        return self._epsilon(mapping, *relevant)

    def _layer(self, layer: _Layer, x: Tensor) -> Tensor:
        if self._params.rule == "epsilon":
            return self._epsilon(layer.mapping, x)
        if self._params.rule == "z-plus":
            layer, alpha = evolve(layer, bias=None), 1.0
        else:
            alpha = self._params.alpha
        result: Tensor = _AlphaBeta.apply(layer, alpha, x)  # type: ignore[no-untyped-call]
        return result

    def _epsilon(self, mapping: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        result: Tensor = _Epsilon.apply(mapping, self._params.epsilon, *inputs)  # type: ignore[no-untyped-call]
        return result


@frozen(eq=False)
class _Layer:
    """A convolution or linear layer.

    Args:
        mapping: x to z.
        product: x and weights to z without the bias.
        weight: (out, ...).
        bias: (out,) or None.
    """

    mapping: Callable[..., Tensor]
    product: Callable[[Tensor, Tensor], Tensor]
    weight: Tensor
    bias: Tensor | None

    @classmethod
    def of(cls, func: Callable[..., Any], args: Any, kwargs: Any, mapping: Callable[..., Tensor]) -> _Layer:
        """From the arguments (x, weight, bias, ...) of torch's functions."""
        bound = {**dict(zip(("input", "weight", "bias"), args, strict=False)), **kwargs}
        others = {key: value for key, value in kwargs.items() if key not in ("input", "weight", "bias")}

        def product(x: Tensor, weight: Tensor) -> Tensor:
            result: Tensor = func(x, weight, None, *args[3:], **others)
            return result

        return cls(mapping, product, bound["weight"], bound.get("bias"))

    def normalised(self, batch_norm: Callable[..., Tensor]) -> _Layer:
        """With the batch normalisation that follows: w' = g w, b' = g b + c of x -> g x + c in every channel."""
        probe = self.weight.new_zeros(1, len(self.weight), 1, 1)
        with torch.no_grad():
            shift = batch_norm(probe)[0, :, 0, 0]  # c
            scale = batch_norm(probe + 1)[0, :, 0, 0] - shift  # g
        bias = shift if self.bias is None else scale * self.bias + shift
        return _Layer(
            lambda x: batch_norm(self.mapping(x)), self.product, scale[:, None, None, None] * self.weight, bias
        )


class _Epsilon(torch.autograd.Function):
    """R_x = x * J^T (R / (z +- epsilon)), for one or more inputs x (equation 58)."""

    @staticmethod
    def forward(ctx: Any, mapping: Callable[..., Tensor], epsilon: float, *inputs: Tensor) -> Tensor:
        with torch.enable_grad():
            ctx.inputs = [x.detach().requires_grad_() for x in inputs]
            ctx.z = mapping(*ctx.inputs)
        ctx.epsilon = epsilon
        return ctx.z.detach()  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *relevance: Any) -> Any:
        z = ctx.z.detach()
        s = relevance[0] / (z + torch.where(z < 0, -ctx.epsilon, ctx.epsilon))
        slopes = torch.autograd.grad(ctx.z, ctx.inputs, s)  # J^T s
        return None, None, *(x.detach() * slope for x, slope in zip(ctx.inputs, slopes, strict=True))  # x * J^T s


class _AlphaBeta(torch.autograd.Function):
    """R_x = (alpha * x's ratio of z+ - beta * x's ratio of z-) R, beta = alpha - 1 (equation 60)."""

    @staticmethod
    def forward(ctx: Any, layer: _Layer, alpha: float, x: Tensor) -> Tensor:
        ctx.layer, ctx.alpha, ctx.x = layer, alpha, x.detach()
        return layer.mapping(ctx.x)

    @staticmethod
    def backward(ctx: Any, *relevance: Any) -> Any:
        layer: _Layer = ctx.layer
        signs = [layer.weight.clamp(min=0), layer.weight.clamp(max=0)]  # w+, w-
        total = torch.zeros_like(ctx.x)
        for factor, weights in ((ctx.alpha, signs), (1 - ctx.alpha, signs[::-1])):  # beta = alpha - 1
            if factor == 0:
                continue
            with torch.enable_grad():
                inputs = [x.requires_grad_() for x in (ctx.x.clamp(min=0), ctx.x.clamp(max=0))]  # x+, x-
                # z+ = x+ w+ + x- w- in the first round, z- = x+ w- + x- w+ in the second
                z = layer.product(inputs[0], weights[0]) + layer.product(inputs[1], weights[1])
                if layer.bias is not None:
                    bias = layer.bias.clamp(min=0) if factor > 0 else layer.bias.clamp(max=0)
                    z = z + bias.reshape(-1, *[1] * (layer.weight.dim() - 2))
            s = torch.where(z.detach() == 0, 0, factor * relevance[0] / z.detach())
            slopes = torch.autograd.grad(z, inputs, s)
            total = total + sum(x.detach() * slope for x, slope in zip(inputs, slopes, strict=True))  # x * J^T s
        return None, None, total


class _PassOn(torch.autograd.Function):
    """R_x = R."""

    @staticmethod
    def forward(_ctx: Any, _before: Tensor, after: Tensor) -> Tensor:
        return after.clone()

    @staticmethod
    def backward(_ctx: Any, *relevance: Any) -> Any:
        return relevance[0], None


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """A V and A, from queries, keys and values."""
    weights = attention_weights(query, key, mask)
    return weights @ value, weights


def _layer_norm(args: Any, kwargs: Any) -> Callable[[Tensor], Tensor]:
    """Layer normalisation as an affine map: the standard deviation of the given input, held fixed."""
    bound = {"weight": None, "bias": None, "eps": 1e-5, **kwargs}
    bound.update(zip(("input", "normalized_shape", "weight", "bias", "eps"), args, strict=False))
    axes = tuple(range(-len(bound["normalized_shape"]), 0))
    variance = bound["input"].detach().var(axes, unbiased=False, keepdim=True)

    def mapping(x: Tensor) -> Tensor:
        z: Tensor = (x - x.mean(axes, keepdim=True)) / (variance + bound["eps"]).sqrt()
        z = z if bound["weight"] is None else z * bound["weight"]
        return z if bound["bias"] is None else z + bound["bias"]

    return mapping


def _is_in_place(func: Callable[..., Any], kwargs: dict[str, Any]) -> bool:
    name = getattr(func, "__name__", "").split(".")[0]
    return bool(kwargs.get("inplace")) or (name.endswith("_") and not name.startswith("__")) or name.startswith("__i")


def _copying(func: Callable[..., Any]) -> Callable[..., Any]:
    """An in-place operator applied to a copy: what follows must not change z, which the rules keep."""
    return lambda first, *args, **kwargs: func(first.clone(), *args, **kwargs)


def refuse(why: str, fix: str = "") -> NoReturn:
    """Raise a `UserError` that says why relevance cannot go back through a network."""
    raise UserError(
        f"LRP cannot go back through this classifier: {why}",
        f"{fix or 'use another explainer'}; LRP has rules for convolutions, linear layers, normalisation, pooling, "
        "activations through the origin, gates, attention, sums and reshaping; grad-cam, integrated-gradients and "
        "occlusion ask for less",
    )
