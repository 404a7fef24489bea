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
from typing import TYPE_CHECKING, Any

import torch
from attrs import evolve, frozen
from sidelight_toolkit.relevance import ACTIVATIONS, AFFINE, PRODUCTS, RelevanceContext, refuse
from torch import Tensor
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakTensorKeyDictionary

if TYPE_CHECKING:
    from sidelight_captum.params import LrpParams


class RelevanceRules(RelevanceContext):
    """Rules of Bach et al. 2015 and their extensions.

    Args:
        pixels: (N, C, H, W) images that require a gradient.
        params: rule, alpha and epsilon.
    """

    def __init__(self, pixels: Tensor, params: LrpParams) -> None:
        super().__init__(pixels)
        self._params = params
        self._convolved: Any = WeakTensorKeyDictionary()  # a convolution's output: its input and layer

    def rule(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Tensor:
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
        relevant = self.relevant(args, kwargs)  # all inputs at once: a sum is split among its terms
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
