"""ONNX operators as differentiable functions of torch: arithmetic, reductions, shapes and indices.

Each function is called with its node and the node's inputs, None for an optional one that is left out, and follows the
operator's page at https://onnx.ai/onnx/operators/. Sizes that a file gives are bounded before memory is taken.
Convolutions, normalisations and other layers are in `onnx_layers`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sidelight_classifiers.files.archive import Unsupported
from sidelight_classifiers.files.guards import LARGEST_NUMBER

if TYPE_CHECKING:
    from sidelight_classifiers.files.onnx_file import Node

Function = Callable[..., Any]
Table = dict[str, tuple[Function, str]]
"""Operator to its function and the names of the attributes that it reads; a node with others is refused."""

LARGEST_TENSOR = 1 << 29  # elements that an operator may make of sizes in the file: 2 GiB of float32
DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64,
    9: torch.bool, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip
"""Types by their codes in `TensorProto.DataType`; texts, complex and unsigned wide numbers are left out."""
FEWEST_OPSET = 7  # from here on, broadcasting is numpy's


# ---- values from inputs ---------------------------------------------------------------------------------------------


def integers(tensor: Tensor) -> list[int]:
    """The whole numbers of a 0- or 1-dimensional tensor of shapes, axes or indices.

    Raises:
        ValueError: floating-point numbers, more axes, or a number that kernels would overflow with.
    """
    if tensor.is_floating_point() or tensor.dim() > 1:
        raise ValueError(f"{tuple(tensor.shape)} values of {tensor.dtype} in the place of whole numbers")
    return [_bounded(int(number)) for number in tensor.reshape(-1).tolist()]


def _bounded(number: int) -> int:
    if abs(number) > LARGEST_NUMBER:
        raise ValueError(f"the number {number} is too large for an operator")
    return number


def check_size(shape: Sequence[int]) -> None:
    """Raise a ValueError for a tensor that is larger than a model needs."""
    if any(size < 0 for size in shape) or math.prod(shape) > LARGEST_TENSOR:
        raise ValueError(f"a tensor of {tuple(shape)} values")


def broadcast(*shapes: Sequence[int]) -> list[int]:
    """The shape that tensors of these shapes have together; raises a ValueError where they have none."""
    return list(np.broadcast_shapes(*[tuple(shape) for shape in shapes]))


def axes_of(node: Node, given: Tensor | None, rank: int) -> list[int] | None:
    """Axes, in [0, rank), of an attribute (early operator sets) or of an input; None where there are neither.

    Raises:
        ValueError: an axis outside of the rank, or one that is named twice.
    """
    axes = integers(given) if given is not None else node.get("axes", [])
    if given is None and "axes" not in node.attributes:
        return None
    return normalised(axes, rank)


def normalised(axes: list[int], rank: int) -> list[int]:
    """Axes counted from the front; raises a ValueError for one that is not there or named twice."""
    positive = [axis + rank if axis < 0 else axis for axis in axes]
    if any(not 0 <= axis < rank for axis in positive) or len(set(positive)) != len(positive):
        raise ValueError(f"the axes {axes} of {rank}")
    return positive


def axis_of(node: Node, default: int, rank: int) -> int:
    """The attribute `axis`, in [0, rank)."""
    return normalised([node.get("axis", default)], rank)[0]


def together(*tensors: Tensor) -> list[Tensor]:
    """Tensors on one device: constants of shape arithmetic are kept on the CPU."""
    device = next((tensor.device for tensor in tensors if tensor.device.type != "cpu"), None)
    check_size(broadcast(*[tensor.shape for tensor in tensors]))
    return [tensor.to(device) if device else tensor for tensor in tensors]


# ---- arithmetic -----------------------------------------------------------------------------------------------------


def _unary(function: Callable[[Tensor], Tensor]) -> tuple[Function, str]:
    return (lambda node, x: function(x)), ""


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> tuple[Function, str]:
    return (lambda node, a, b: function(*together(a, b))), ""


def _variadic(function: Callable[[Tensor, Tensor], Tensor]) -> tuple[Function, str]:
    """min, max and sums of any number of tensors, broadcast against each other."""

    def call(node: Node, first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = function(*together(first, other))
        return first

    return call, ""


def _divide(a: Tensor, b: Tensor) -> Tensor:
    """Whole numbers are truncated towards zero; the least one divided by -1 stops a processor."""
    if a.is_floating_point() or b.is_floating_point():
        return a / b
    _check_divisor(b)
    return torch.div(a, b, rounding_mode="trunc")


def _check_divisor(b: Tensor) -> None:
    if bool(((b == 0) | (b == -1)).any()) and b.dtype != torch.bool:
        raise ValueError("a division of whole numbers by 0 or -1")


def _modulo(node: Node, a: Tensor, b: Tensor) -> Tensor:
    a, b = together(a, b)
    if not (a.is_floating_point() or b.is_floating_point()):
        _check_divisor(b)
    return torch.fmod(a, b) if node.get("fmod", 0) else torch.remainder(a, b)  # the sign of a, or that of b


def _power(a: Tensor, b: Tensor) -> Tensor:
    return torch.pow(a, b).to(a.dtype)  # the base's type, whatever the exponent's


def _mean(node: Node, first: Tensor, *others: Tensor) -> Tensor:
    total = first
    for other in others:
        total = torch.add(*together(total, other))
    return total / (1 + len(others))


def _clip(node: Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    least = node.get("min", -math.inf) if low is None else low.item()  # attributes before operator set 11
    most = node.get("max", math.inf) if high is None else high.item()
    if (least, most) == (0, 6) and x.is_floating_point():
        return functional.relu6(x)  # by its name, for rules that go by it
    return x.clamp(None if least == -math.inf else least, None if most == math.inf else most)


def _where(node: Node, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(*together(condition, a, b))  # type: ignore[return-value]


def _gelu(node: Node, x: Tensor) -> Tensor:
    return functional.gelu(x, approximate=node.get("approximate", "none"))


def _bias_gelu(node: Node, x: Tensor, bias: Tensor) -> Tensor:
    return functional.gelu(x + bias)


def _fast_gelu(node: Node, x: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.gelu(x if bias is None else x + bias, approximate="tanh")


def _hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return functional.hardsigmoid(x)
    return torch.clamp(alpha * x + beta, 0, 1)


def _parametric_relu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    x, slope = together(x, slope)
    return torch.where(x > 0, x, slope * x)


ARITHMETIC: Table = {
    **{
        name: _unary(getattr(torch, name.lower()))
        for name in ("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "IsNaN", "Log", "Neg", "Reciprocal", "Relu", "Round")
    },
    **{name: _unary(getattr(torch, name.lower())) for name in ("Sigmoid", "Sign", "Sin", "Sqrt", "Tan", "Tanh")},
    **{name: _unary(getattr(functional, name.lower())) for name in ("HardSwish", "Mish", "Softplus", "Softsign")},
    "Add": _binary(torch.add),
    "And": _binary(torch.logical_and),
    "BiasGelu": (_bias_gelu, ""),
    "Celu": (lambda node, x: functional.celu(x, node.get("alpha", 1.0)), "alpha"),
    "Clip": (_clip, "max min"),
    "Div": _binary(_divide),
    "Elu": (lambda node, x: functional.elu(x, node.get("alpha", 1.0)), "alpha"),
    "Equal": _binary(torch.eq),
    "FastGelu": (_fast_gelu, ""),
    "Gelu": (_gelu, "approximate"),
    "Greater": _binary(torch.gt),
    "GreaterOrEqual": _binary(torch.ge),
    "HardSigmoid": (_hard_sigmoid, "alpha beta"),
    "LeakyRelu": (lambda node, x: functional.leaky_relu(x, node.get("alpha", 0.01)), "alpha"),
    "Less": _binary(torch.lt),
    "LessOrEqual": _binary(torch.le),
    "Max": _variadic(torch.maximum),
    "Mean": (_mean, ""),
    "Min": _variadic(torch.minimum),
    "Mod": (_modulo, "fmod"),
    "Mul": _binary(torch.mul),
    "Not": _unary(torch.logical_not),
    "Or": _binary(torch.logical_or),
    "PRelu": (_parametric_relu, ""),
    "Pow": _binary(_power),
    "QuickGelu": (lambda node, x: x * torch.sigmoid(node.get("alpha", 1.702) * x), "alpha"),
    "Selu": (lambda node, x: functional.selu(x), ""),
    "Sub": _binary(torch.sub),
    "Sum": _variadic(torch.add),
    "Swish": (lambda node, x: x * torch.sigmoid(node.get("alpha", 1.0) * x), "alpha"),
    "Where": (_where, ""),
    "Xor": _binary(torch.logical_xor),
}


# ---- reductions -----------------------------------------------------------------------------------------------------


def _reduction(function: Callable[[Tensor, list[int], bool], Tensor]) -> tuple[Function, str]:
    """Reduction over `axes`, all of them by default."""

    def call(node: Node, x: Tensor, given: Tensor | None = None) -> Tensor:
        axes = axes_of(node, given, x.dim())
        if not axes:
            if node.get("noop_with_empty_axes", 0):
                return x
            axes = list(range(x.dim()))
        return function(x, axes, bool(node.get("keepdims", 1)))

    return call, "axes keepdims noop_with_empty_axes"


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def _argument(function: Callable[..., Tensor]) -> tuple[Function, str]:
    def call(node: Node, x: Tensor) -> Tensor:
        if node.get("select_last_index", 0):
            raise Unsupported(f"the operator {node.operator} with select_last_index")
        return function(x, dim=axis_of(node, 0, x.dim()), keepdim=bool(node.get("keepdims", 1)))

    return call, "axis keepdims select_last_index"


def _cumulative_sum(node: Node, x: Tensor, axis: Tensor) -> Tensor:
    if node.get("exclusive", 0) or node.get("reverse", 0):
        raise Unsupported("the operator CumSum with exclusive or reverse")
    return x.cumsum(normalised(integers(axis), x.dim())[0])


def _normalise(node: Node, x: Tensor) -> Tensor:
    return functional.normalize(x, p=float(node.get("p", 2)), dim=axis_of(node, -1, x.dim()), eps=0.0)


REDUCTIONS: Table = {
    "ArgMax": _argument(torch.argmax),
    "ArgMin": _argument(torch.argmin),
    "CumSum": (_cumulative_sum, "exclusive reverse"),
    "LpNormalization": (_normalise, "axis p"),
    "ReduceL1": _reduction(lambda x, axes, keep: x.abs().sum(axes, keepdim=keep)),
    "ReduceL2": _reduction(lambda x, axes, keep: torch.linalg.vector_norm(x, dim=axes, keepdim=keep)),
    "ReduceLogSumExp": _reduction(torch.logsumexp),
    "ReduceMax": _reduction(torch.amax),
    "ReduceMean": _reduction(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "ReduceMin": _reduction(torch.amin),
    "ReduceProd": _reduction(_product),
    "ReduceSum": _reduction(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "ReduceSumSquare": _reduction(lambda x, axes, keep: x.square().sum(axes, keepdim=keep)),
}


# ---- shapes ---------------------------------------------------------------------------------------------------------


def _shape(node: Node, x: Tensor) -> Tensor:
    end = node.get("end", x.dim())
    return torch.tensor(list(x.shape)[node.get("start", 0) : end], dtype=torch.int64)


def _constant(node: Node) -> Tensor:
    """A constant of numbers; one of a tensor is read with the weights."""
    for name, dtype in (("value_float", torch.float32), ("value_floats", torch.float32)):
        if name in node.attributes:
            return torch.tensor(node.attributes[name], dtype=dtype)
    for name in ("value_int", "value_ints"):
        if name in node.attributes:
            return torch.tensor(node.attributes[name], dtype=torch.int64)
    raise Unsupported("the operator Constant with a text or a sparse tensor")


def _reshape(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    sizes = integers(shape)
    if not node.get("allowzero", 0):
        sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]  # 0 copies a size
    return x.reshape(sizes)


def _flatten(node: Node, x: Tensor) -> Tensor:
    """To a matrix whose rows are the axes before `axis`."""
    axis = node.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    if not 0 <= axis <= x.dim():
        raise ValueError(f"the axis {axis} of {x.dim()}")
    return x.flatten(1) if axis == 1 and x.dim() > 1 else x.reshape(math.prod(x.shape[:axis]), -1)


def _squeeze(node: Node, x: Tensor, given: Tensor | None = None) -> Tensor:
    axes = axes_of(node, given, x.dim())
    if axes is None:
        return x.squeeze()
    if any(x.shape[axis] != 1 for axis in axes):
        raise ValueError(f"the axes {axes} of {tuple(x.shape)} are squeezed")
    return x.squeeze(axes)


def _unsqueeze(node: Node, x: Tensor, given: Tensor | None = None) -> Tensor:
    count = len(integers(given) if given is not None else node.get("axes", []))
    for axis in sorted(axes_of(node, given, x.dim() + count) or []):
        x = x.unsqueeze(axis)
    return x


def _transpose(node: Node, x: Tensor) -> Tensor:
    return x.permute(normalised(node.get("perm", list(range(x.dim()))[::-1]), x.dim()))


def _concatenate(node: Node, *inputs: Tensor) -> Tensor:
    axis = axis_of(node, 0, inputs[0].dim())
    return torch.cat(inputs, axis)


def _split(node: Node, x: Tensor, sizes: Tensor | None = None) -> Any:
    axis = axis_of(node, 0, x.dim())
    lengths = integers(sizes) if sizes is not None else node.get("split", [])
    if not lengths:
        count = node.get("num_outputs", len(node.outputs))
        length = -(-x.shape[axis] // max(count, 1))  # the last part is the smaller one
        lengths = [min(length, x.shape[axis] - start) for start in range(0, x.shape[axis], max(length, 1))]
    return torch.split(x, lengths, axis)


def _expand(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    sizes = broadcast(x.shape, integers(shape))
    check_size(sizes)
    return x.expand(sizes)


def _tile(node: Node, x: Tensor, repeats: Tensor) -> Tensor:
    counts = integers(repeats)
    if len(counts) != x.dim():
        raise ValueError(f"{len(counts)} repeats of {x.dim()} axes")
    check_size([size * count for size, count in zip(x.shape, counts, strict=True)])
    return x.repeat(counts)


def _range(node: Node, start: Tensor, limit: Tensor, step: Tensor) -> Tensor:
    first, last, by = start.item(), limit.item(), step.item()
    check_size([max(0, math.ceil((last - first) / by))])  # a step of 0 raises, and no endless range follows
    return torch.arange(first, last, by, dtype=start.dtype)


def _space_to_depth(node: Node, x: Tensor) -> Tensor:
    count, channels, height, width = x.shape
    side = node.get("blocksize", 1)
    cells = x.reshape(count, channels, height // side, side, width // side, side)
    return cells.permute(0, 3, 5, 1, 2, 4).reshape(count, channels * side**2, height // side, width // side)


def _depth_to_space(node: Node, x: Tensor) -> Tensor:
    count, channels, height, width = x.shape
    side = node.get("blocksize", 1)
    if node.get("mode", "DCR") == "CRD":
        return functional.pixel_shuffle(x, side)
    cells = x.reshape(count, side, side, channels // side**2, height, width)
    return cells.permute(0, 3, 4, 1, 5, 2).reshape(count, channels // side**2, height * side, width * side)


def _triangle(node: Node, x: Tensor, diagonal: Tensor | None = None) -> Tensor:
    offset = integers(diagonal)[0] if diagonal is not None else 0
    return x.triu(offset) if node.get("upper", 1) else x.tril(offset)


SHAPES: Table = {
    "Concat": (_concatenate, "axis"),
    "Constant": (_constant, "value_float value_floats value_int value_ints value"),
    "DepthToSpace": (_depth_to_space, "blocksize mode"),
    "Dropout": (lambda node, x, *options: x, "ratio seed"),
    "Expand": (_expand, ""),
    "Flatten": (_flatten, "axis"),
    "Identity": (lambda node, x: x, ""),
    "Range": (_range, ""),
    "Reshape": (_reshape, "allowzero"),
    "Shape": (_shape, "end start"),
    "Size": (lambda node, x: torch.tensor(x.numel()), ""),
    "SpaceToDepth": (_space_to_depth, "blocksize"),
    "Split": (_split, "axis num_outputs split"),
    "Squeeze": (_squeeze, "axes"),
    "Tile": (_tile, ""),
    "Transpose": (_transpose, "perm"),
    "Trilu": (_triangle, "upper"),
    "Unsqueeze": (_unsqueeze, "axes"),
}


# ---- indices --------------------------------------------------------------------------------------------------------


def _slice(
    node: Node,
    x: Tensor,
    starts: Tensor | None = None,
    ends: Tensor | None = None,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    """Slices along some axes; starts and ends are attributes before operator set 10."""
    begin, end, along, step = (
        _unbounded(given) if given is not None else node.get(name, [])
        for name, given in (("starts", starts), ("ends", ends), ("axes", axes), ("steps", steps))
    )
    along = normalised(along or list(range(len(begin))), x.dim())
    parts = [slice(None)] * x.dim()
    for axis, first, last, by in zip(along, begin, end, step or [1] * len(begin), strict=True):
        if by < 0:  # torch takes no negative steps
            chosen = range(x.shape[axis])[slice(first, last, by)]
            x = x.index_select(axis, torch.tensor(list(chosen), dtype=torch.int64, device=x.device))
        else:
            parts[axis] = slice(first, last, by)
    return x[tuple(parts)]


def _unbounded(tensor: Tensor) -> list[int]:
    """Whole numbers; the largest ones stand for "to the end"."""
    return [max(-LARGEST_NUMBER, min(int(number), LARGEST_NUMBER)) for number in tensor.reshape(-1).tolist()]


def _wrapped(indices: Tensor, size: int, device: torch.device) -> Tensor:
    """Indices in [0, size), those below zero counted from the end.

    Raises:
        ValueError: one lies outside, which an accelerator would not survive.
    """
    if indices.is_floating_point() or (indices.numel() and not bool(((indices >= -size) & (indices < size)).all())):
        raise ValueError(f"an index outside of an axis of {size}")
    return torch.where(indices < 0, indices + size, indices).long().to(device)


def _gather(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = axis_of(node, 0, x.dim())
    check_size([*x.shape[:axis], indices.numel(), *x.shape[axis + 1 :]])
    flat = _wrapped(indices, x.shape[axis], x.device).reshape(-1)
    if indices.dim() == 0:
        return x.select(axis, int(flat))
    return x.index_select(axis, flat).reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _gather_elements(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = axis_of(node, 0, x.dim())
    return x.gather(axis, _wrapped(indices, x.shape[axis], x.device))


def _coordinates(x: Tensor, indices: Tensor) -> tuple[Tensor, ...]:
    """One tensor of indices for each of the leading axes that the rows of `indices`, (..., k), name."""
    if not 0 < indices.shape[-1] <= x.dim():
        raise ValueError(f"indices of {indices.shape[-1]} axes into {tuple(x.shape)}")
    return tuple(_wrapped(part, size, x.device) for part, size in zip(indices.unbind(-1), x.shape, strict=False))


def _gather_nd(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    """x[..., indices]: the first `batch_dims` axes are common to both."""
    shared = node.get("batch_dims", 0)
    check_size([*indices.shape[:-1], *x.shape[shared + indices.shape[-1] :]])
    if not shared:
        return x[_coordinates(x, indices)]
    rows, places = x.flatten(0, shared - 1), indices.flatten(0, shared - 1)
    values = torch.stack([row[_coordinates(row, place)] for row, place in zip(rows, places, strict=True)])
    return values.reshape(*x.shape[:shared], *values.shape[1:])


def _scatter_nd(node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    reduction = node.get("reduction", "none")
    if reduction not in {"none", "add"}:
        raise Unsupported(f"the operator ScatterND with reduction {reduction}")
    return x.index_put(_coordinates(x, indices), updates.to(x.device), accumulate=reduction == "add")


def _einsum(node: Node, *inputs: Tensor) -> Tensor:
    equation = node.get("equation", "").replace(" ", "")
    if not re.fullmatch(r"[a-zA-Z.,]+(->[a-zA-Z.]*)?", equation) or len(equation) > 200:
        raise ValueError(f"the equation {equation!r}")
    return torch.einsum(equation, *inputs)


INDICES: Table = {
    "Einsum": (_einsum, "equation"),
    "Gather": (_gather, "axis"),
    "GatherElements": (_gather_elements, "axis"),
    "GatherND": (_gather_nd, "batch_dims"),
    "ScatterND": (_scatter_nd, "reduction"),
    "Slice": (_slice, "axes ends starts"),
}
