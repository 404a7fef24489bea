"""ONNX operators as differentiable functions of torch: convolution, pooling, normalisation, products, resizing.

Each function is called with its node and the node's inputs, as in `onnx_operators`. Wherever torch has the layer, its
own function is called, so that rules and hooks that know torch's functions see it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from sidelight_classifiers.files.archive import Unsupported
from sidelight_classifiers.files.onnx_operators import (
    Function,
    Table,
    axis_of,
    check_size,
    integers,
    normalised,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_classifiers.files.onnx_file import Node

CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
MAXIMA = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
AVERAGES: dict[int, Callable[..., Tensor]] = {
    1: functional.avg_pool1d,
    2: functional.avg_pool2d,
    3: functional.avg_pool3d,
}
TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


# ---- windows --------------------------------------------------------------------------------------------------------


def _spatial(x: Tensor) -> int:
    """Number of spatial axes of (N, C, ...), 1 to 3."""
    if not 1 <= x.dim() - 2 <= 3:
        raise ValueError(f"a window over {tuple(x.shape)}")
    return x.dim() - 2


def _window(node: Node, x: Tensor, kernel: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Strides, dilations, and padding at the start of each spatial axis and then at the end of each."""
    rank = _spatial(x)
    strides, dilations = node.get("strides", [1] * rank), node.get("dilations", [1] * rank)
    if not len(kernel) == len(strides) == len(dilations) == rank or min(*kernel, *strides, *dilations) < 1:
        raise ValueError(f"kernel {kernel}, strides {strides}, dilations {dilations} for {tuple(x.shape)}")
    mode = node.get("auto_pad", "NOTSET")
    if mode in {"SAME_UPPER", "SAME_LOWER"}:  # as many outputs as strides; the odd pixel at the end or at the start
        totals = [
            max(0, (-(-size // step) - 1) * step + (width - 1) * gap + 1 - size)
            for size, step, width, gap in zip(x.shape[2:], strides, kernel, dilations, strict=True)
        ]
        small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
        padding = small + large if mode == "SAME_UPPER" else large + small
    else:
        padding = node.get("pads", [0] * 2 * rank) if mode == "NOTSET" else [0] * 2 * rank
    if len(padding) != 2 * rank or min(padding) < 0:
        raise ValueError(f"the padding {padding} of {tuple(x.shape)}")
    return strides, dilations, padding


def _padded(x: Tensor, padding: list[int], value: float) -> Tensor:
    """x with a constant around its spatial axes."""
    rank = len(padding) // 2
    # torch takes (start, end) of the last axis first
    pairs = [(padding[axis], padding[axis + rank]) for axis in reversed(range(rank))]
    check_size([*x.shape[:2], *(size + sum(pair) for size, pair in zip(x.shape[2:], reversed(pairs), strict=True))])
    return functional.pad(x, [number for pair in pairs for number in pair], value=value)


def _convolution(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    strides, dilations, padding = _window(node, x, list(weight.shape[2:]))
    rank = len(strides)
    start, end = padding[:rank], padding[rank:]
    if start != end:
        x, start = _padded(x, padding, 0.0), [0] * rank
    function: Any = CONVOLUTIONS[rank]
    result: Tensor = function(x, weight, bias, strides, start, dilations, node.get("group", 1))
    return result


def _transposed_convolution(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    strides, dilations, padding = _window(node, x, list(weight.shape[2:]))
    rank = len(strides)
    if padding[:rank] != padding[rank:] or "output_shape" in node.attributes or "auto_pad" in node.attributes:
        raise Unsupported("the operator ConvTranspose with uneven padding or a given output shape")
    extra = node.get("output_padding", [0] * rank)
    check_size(
        [
            len(x),
            weight.shape[1] * node.get("group", 1),
            *(size * step for size, step in zip(x.shape[2:], strides, strict=True)),
        ]
    )
    function: Any = TRANSPOSED[rank]
    result: Tensor = function(x, weight, bias, strides, padding[:rank], extra, node.get("group", 1), dilations)
    return result


def _max_pool(node: Node, x: Tensor) -> Tensor:
    kernel = node.get("kernel_shape", [])
    strides, dilations, padding = _window(node, x, kernel)
    rank = len(kernel)
    if node.get("storage_order", 0) or len(node.outputs) > 1:
        raise Unsupported("the operator MaxPool with indices")
    start, end = padding[:rank], padding[rank:]
    if start != end or any(2 * pad > width for pad, width in zip(start, kernel, strict=True)):
        x, start = _padded(x, padding, -math.inf), [0] * rank
    function: Any = MAXIMA[rank]
    result: Tensor = function(x, kernel, strides, start, dilations, bool(node.get("ceil_mode", 0)))
    return result


def _average_pool(node: Node, x: Tensor) -> Tensor:
    kernel = node.get("kernel_shape", [])
    strides, dilations, padding = _window(node, x, kernel)
    rank = len(kernel)
    if dilations != [1] * rank:
        raise Unsupported("the operator AveragePool with dilations")
    start, end = padding[:rank], padding[rank:]
    ceil, counted = bool(node.get("ceil_mode", 0)), bool(node.get("count_include_pad", 0))
    pool = AVERAGES[rank]
    if start == end and all(2 * pad <= width for pad, width in zip(start, kernel, strict=True)):
        return pool(x, kernel, strides, start, ceil, counted)
    inside = _padded(torch.ones_like(x[:1, :1]), padding, float(counted))
    zero = [0] * rank
    return pool(_padded(x, padding, 0.0), kernel, strides, zero, ceil) / pool(inside, kernel, strides, zero, ceil)


def _global_average(node: Node, x: Tensor) -> Tensor:
    if _spatial(x) == 2:
        return functional.adaptive_avg_pool2d(x, 1)
    return x.mean(list(range(2, x.dim())), keepdim=True)


def _global_maximum(node: Node, x: Tensor) -> Tensor:
    return x.amax(list(range(2, 2 + _spatial(x))), keepdim=True)


# ---- normalisation --------------------------------------------------------------------------------------------------


def _check_channels(count: int, *statistics: Tensor) -> None:
    """The kernels do not compare the number of weights with that of channels."""
    for values in statistics:
        if tuple(values.shape) != (count,):
            raise ValueError(f"{tuple(values.shape)} statistics of {count} channels")


def _batch_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    if node.get("training_mode", 0) or not node.get("spatial", 1):
        raise Unsupported("the operator BatchNormalization in training mode")
    _check_channels(x.shape[1], scale, bias, mean, variance)
    return functional.batch_norm(x, mean, variance, scale, bias, eps=node.get("epsilon", 1e-5))


def _layer_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    shape = x.shape[axis_of(node, -1, x.dim()) :]
    epsilon = node.get("epsilon", 1e-5)
    if scale.shape == shape and (bias is None or bias.shape == shape):
        return functional.layer_norm(x, shape, scale, bias, epsilon)
    normal = functional.layer_norm(x, shape, eps=epsilon) * scale  # weights that are broadcast
    return normal if bias is None else normal + bias


def _rms_norm(node: Node, x: Tensor, scale: Tensor) -> Tensor:
    shape = x.shape[axis_of(node, -1, x.dim()) :]
    normal: Tensor = functional.rms_norm(x, list(shape), None, node.get("epsilon", 1e-5))
    return normal * scale


def _instance_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    _check_channels(x.shape[1], scale, bias)
    return functional.instance_norm(x, weight=scale, bias=bias, eps=node.get("epsilon", 1e-5))


def _group_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    groups, channels = node.get("num_groups", 1), x.shape[1]
    if groups < 1 or channels % groups:
        raise ValueError(f"{groups} groups of {channels} channels")
    if node.opset < 21 and scale.shape == bias.shape == (groups,):  # one weight for a group until operator set 21
        scale, bias = (values.repeat_interleave(channels // groups) for values in (scale, bias))
    _check_channels(channels, scale, bias)
    return functional.group_norm(x, groups, scale, bias, node.get("epsilon", 1e-5))


def _local_response(node: Node, x: Tensor) -> Tensor:
    size = node.get("size", 1)
    if not 1 <= size <= x.shape[1] or size % 2 == 0:  # torch's window of an even size lies otherwise
        raise Unsupported(f"the operator LRN over {size} channels")
    return functional.local_response_norm(
        x, size, node.get("alpha", 1e-4), node.get("beta", 0.75), node.get("bias", 1.0)
    )


# ---- products and attention -----------------------------------------------------------------------------------------


def _gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """alpha A B + beta C, a linear layer where nothing is scaled."""
    a = a.T if node.get("transA", 0) else a
    weight = b if node.get("transB", 0) else b.T  # (out, in)
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    if alpha == beta == 1 and (c is None or tuple(c.shape) == (len(weight),)):
        return functional.linear(a, weight, c)
    product: Tensor = alpha * functional.linear(a, weight)
    return product if c is None else product + beta * c


def _matmul(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(a, b)


def _softmax_of(function: Callable[..., Tensor]) -> tuple[Function, str]:
    """Softmax over one axis, or, before operator set 13, over all axes from `axis` on."""

    def call(node: Node, x: Tensor) -> Tensor:
        if node.opset >= 13:
            return function(x, axis_of(node, -1, x.dim()))
        axis = axis_of(node, 1, x.dim())
        return function(x, axis) if axis == x.dim() - 1 else function(x.flatten(axis), axis).reshape(x.shape)

    return call, "axis"


def _attention(node: Node, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(scale Q K^T + mask) V for heads (N, h, T, d), or for tokens (N, T, h d) with a number of heads."""
    if len(node.outputs) > 1 or node.get("softcap", 0.0) or node.get("is_causal", 0):
        raise Unsupported("the operator Attention with a cache, a cap or causal")
    tokens = query.dim() == 3
    if tokens:
        counts = (node.get("q_num_heads", 0), *[node.get("kv_num_heads", 0)] * 2)
        query, key, value = (
            x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)
            for x, heads in zip((query, key, value), counts, strict=True)
        )
    scale = node.get("scale", query.shape[-1] ** -0.5)
    scores = (query * scale) @ key.transpose(-1, -2)  # (N, h, T, S)
    if mask is not None:
        scores = torch.where(mask, scores, -math.inf) if mask.dtype == torch.bool else scores + mask
    result: Tensor = scores.softmax(-1) @ value
    return result.transpose(1, 2).flatten(2) if tokens else result


# ---- resizing and padding -------------------------------------------------------------------------------------------


def _resize(node: Node, x: Tensor, *inputs: Tensor | None) -> Tensor:
    """Resize (x, roi, scales, sizes), or (x, scales) before operator set 11."""
    values = [each if each is not None and each.numel() else None for each in inputs]  # an empty one is left out
    scales, sizes = (values[0], None) if node.opset < 11 else (*values[1:3], None, None)[:2]
    mode, where = node.get("mode", "nearest"), node.get("coordinate_transformation_mode", _default_coordinates(node))
    if node.get("exclude_outside", 0) or node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Unsupported("the operator Resize with exclude_outside or keep_aspect_ratio_policy")
    axes = normalised(node.get("axes", list(range(x.dim()))), x.dim())
    shape, ratio = list(x.shape), [1.0] * x.dim()
    for number, axis in enumerate(axes):
        if sizes is not None:
            shape[axis] = integers(sizes)[number]
            ratio[axis] = shape[axis] / x.shape[axis]
        elif scales is not None:
            ratio[axis] = float(scales.reshape(-1)[number])
            if not 0 < ratio[axis] < math.inf:
                raise ValueError(f"a scale of {ratio[axis]}")
            shape[axis] = math.floor(x.shape[axis] * ratio[axis] + 1e-6)
    check_size(shape)
    if min(shape) < 1 or x.dim() != 4 or shape[:2] != list(x.shape[:2]):
        raise Unsupported(f"the operator Resize from {tuple(x.shape)} to {tuple(shape)}")
    if node.get("mode", "nearest") == "nearest":
        rounding = node.get("nearest_mode", "round_prefer_floor" if node.opset >= 11 else "floor")
        return _nearest(x, shape, ratio, where, rounding)
    return _interpolated(x, shape, ratio, mode, where, node)


def _default_coordinates(node: Node) -> str:
    return "half_pixel" if node.opset >= 11 else "asymmetric"


def _nearest(x: Tensor, shape: list[int], ratio: list[float], where: str, rounding: str) -> Tensor:
    exact = all(size * step == out for size, step, out in zip(x.shape[2:], ratio[2:], shape[2:], strict=True))
    if (where, rounding) == ("asymmetric", "floor") and exact:
        return functional.interpolate(x, size=shape[2:], mode="nearest")
    for axis in (2, 3):
        size, out = x.shape[axis], shape[axis]
        source = _source(torch.arange(out, dtype=torch.float64), size, out, ratio[axis], where)
        indices = {
            "floor": source.floor(),
            "ceil": source.ceil(),
            "round_prefer_floor": (source - 0.5).ceil(),
            "round_prefer_ceil": (source + 0.5).floor(),
        }[rounding]
        x = x.index_select(axis, indices.long().clamp(0, size - 1).to(x.device))
    return x


def _source(target: Tensor, size: int, out: int, ratio: float, where: str) -> Tensor:
    """Coordinates in the input of the pixels of the output."""
    if where == "asymmetric":
        return target / ratio
    if where == "align_corners":
        return target * ((size - 1) / (out - 1) if out > 1 else 0.0)
    if where == "half_pixel" or (where == "pytorch_half_pixel" and out > 1):
        return (target + 0.5) / ratio - 0.5
    if where == "pytorch_half_pixel":
        return target * 0
    raise Unsupported(f"the operator Resize with {where}")


def _interpolated(x: Tensor, shape: list[int], ratio: list[float], mode: str, where: str, node: Node) -> Tensor:
    """Bilinear or bicubic, by torch where its coordinates are the same ones."""
    exact = all(
        abs(size * step - out) < 1e-3 for size, step, out in zip(x.shape[2:], ratio[2:], shape[2:], strict=True)
    )
    half = where in {"half_pixel", "pytorch_half_pixel"} and exact
    kind = {"linear": "bilinear", "cubic": "bicubic"}.get(mode)
    if kind is None or (mode == "cubic" and node.get("cubic_coeff_a", -0.75) != -0.75):
        raise Unsupported(f"the operator Resize with mode {mode}")
    if half or where == "align_corners":
        antialias = bool(node.get("antialias", 0))
        return functional.interpolate(x, size=shape[2:], mode=kind, align_corners=not half, antialias=antialias)
    if mode == "cubic" or node.get("antialias", 0):
        raise Unsupported(f"the operator Resize with mode {mode} and {where}")
    for axis in (2, 3):
        size, out = x.shape[axis], shape[axis]
        source = _source(torch.arange(out, dtype=torch.float64), size, out, ratio[axis], where).clamp(0, size - 1)
        low = source.floor().long()
        share = (source - low).to(x).reshape([-1 if each == axis else 1 for each in range(4)])
        first, second = (x.index_select(axis, at.clamp(max=size - 1).to(x.device)) for at in (low, low + 1))
        x = first * (1 - share) + second * share
    return x


def _upsample(node: Node, x: Tensor, scales: Tensor | None = None) -> Tensor:
    """Upsample, until operator set 9, of coordinates without an offset."""
    given = scales if scales is not None else torch.tensor(node.get("scales", [1.0]))
    return _resize(node, x, given)


def _pad(
    node: Node, x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None
) -> Tensor:
    widths = integers(pads) if pads is not None else node.get("pads", [])
    along = normalised(integers(axes), x.dim()) if axes is not None else list(range(x.dim()))
    if len(widths) != 2 * len(along):
        raise ValueError(f"{len(widths)} widths of padding for {len(along)} axes")
    pairs = {axis: (widths[number], widths[number + len(along)]) for number, axis in enumerate(along)}
    check_size([max(0, size + sum(pairs.get(axis, (0, 0)))) for axis, size in enumerate(x.shape)])
    if any(sum(-min(0, width) for width in pair) > x.shape[axis] for axis, pair in pairs.items()):
        raise ValueError(f"the padding {widths} of {tuple(x.shape)}")
    mode = node.get("mode", "constant")
    if mode == "constant":
        filling = value.item() if value is not None and value.numel() else node.get("value", 0.0)
        if not any(widths):
            return x
        flat = [width for axis in reversed(range(x.dim())) for width in pairs.get(axis, (0, 0))]
        return functional.pad(x, flat, value=filling)
    for axis, (before, after) in pairs.items():
        if before or after:
            x = x.index_select(axis, _mirrored(x.shape[axis], before, after, mode).to(x.device))
    return x


def _mirrored(size: int, before: int, after: int, mode: str) -> Tensor:
    """Indices of an axis that is continued on both sides."""
    places = torch.arange(-before, size + after)
    if mode == "edge":
        return places.clamp(0, size - 1)
    if mode == "wrap":
        return places.remainder(size)
    if mode == "reflect" and max(before, after) < size:
        return (size - 1) - (places.remainder(2 * size - 2) - (size - 1)).abs() if size > 1 else places * 0
    raise Unsupported(f"the operator Pad with mode {mode}")


WINDOW = "auto_pad dilations kernel_shape pads strides"
LAYERS: Table = {
    "Attention": (
        _attention,
        "is_causal kv_num_heads q_num_heads qk_matmul_output_mode scale softcap softmax_precision",
    ),
    "AveragePool": (_average_pool, f"{WINDOW} ceil_mode count_include_pad"),
    "BatchNormalization": (_batch_norm, "epsilon momentum spatial training_mode"),
    "Conv": (_convolution, f"{WINDOW} group"),
    "ConvTranspose": (_transposed_convolution, f"{WINDOW} group output_padding output_shape"),
    "Gemm": (_gemm, "alpha beta transA transB"),
    "GlobalAveragePool": (_global_average, ""),
    "GlobalMaxPool": (_global_maximum, ""),
    "GroupNormalization": (_group_norm, "epsilon num_groups stash_type"),
    "InstanceNormalization": (_instance_norm, "epsilon"),
    "LRN": (_local_response, "alpha beta bias size"),
    "LayerNormalization": (_layer_norm, "axis epsilon stash_type"),
    "LogSoftmax": _softmax_of(functional.log_softmax),
    "MatMul": (_matmul, ""),
    "MaxPool": (_max_pool, f"{WINDOW} ceil_mode storage_order"),
    "Pad": (_pad, "mode pads value"),
    "RMSNormalization": (_rms_norm, "axis epsilon stash_type"),
    "Resize": (
        _resize,
        "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value "
        "keep_aspect_ratio_policy mode nearest_mode",
    ),
    "Softmax": _softmax_of(functional.softmax),
    "Upsample": (_upsample, "mode scales"),
}
