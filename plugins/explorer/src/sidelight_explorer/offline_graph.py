"""Functions of tensors as graphs of few operators, which the page's own runtime computes (`web/local-runtime.js`).

A function is run once, on one example, while every operator that depends on its input is recorded. What does not depend
on it is a constant of the graph: modulated weights, filters and norms cost the page nothing. Shapes are the example's.

A graph is JSON: `values` are the lengths of its buffers, `nodes` are `[operator, output, inputs, attributes]`; an input
is `{"v": buffer}` or `{"c": constant}`. Buffers and constants are float32, contiguous, in row-major order.
"""

from __future__ import annotations

import base64
import hashlib
from math import prod
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from sidelight_specs import SidelightError
from sidelight_toolkit.arrays import to_array
from torch._decomp import decomposition_table
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

Reference = dict[str, int]
"""`{"v": buffer}` or `{"c": constant}`."""

UNARY = {
    **dict.fromkeys(("abs", "cos", "exp", "floor", "log", "neg", "reciprocal", "relu", "round", "rsqrt", "sigmoid")),
    **dict.fromkeys(("sign", "silu", "sin", "sqrt", "tanh", "erf", "hardsigmoid", "hardswish", "log1p", "expm1")),
    **dict.fromkeys(("bitwise_not", "logical_not")),  # of truth values
}
"""Operators of one tensor without numbers beside it."""
BINARY = {"add", "sub", "mul", "div", "maximum", "minimum", "pow"}
COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge", "bitwise_and", "bitwise_or", "logical_and", "logical_or"}
LINEAR = {
    *("avg_pool2d", "_adaptive_avg_pool2d", "upsample_nearest2d", "_upsample_nearest_exact2d"),
    *("upsample_bilinear2d", "_upsample_bilinear2d_aa", "upsample_bicubic2d", "_upsample_bicubic2d_aa"),
}
"""Resampling along height and width, each a matrix that follows from the operator's answer to unit rows."""
REDUCTIONS = {"sum": "sum", "mean": "mean", "amax": "max", "amin": "min"}
MOVES = {"flip", "roll", "index", "index_select", "reflection_pad2d", "replication_pad2d", "native_channel_shuffle"}
"""Operators that put each place of their first argument elsewhere, or several times."""
CLOSE = 1e-4  # of a resampled random image: an operator that is no product of two matrices is far from it


class NotPortable(SidelightError):
    """A function that the page cannot compute; the message names the operator."""


class Constants:
    """Arrays of all graphs of a page, each once.

    An array that float16 holds exactly takes two bytes a number, as checkpoints of the zoo do.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        self._chunks: list[bytes] = []
        self.table: list[list[int]] = []  # bytes of a number (2 or 4), offset, length
        self.size = 0  # bytes

    def add(self, array: np.ndarray) -> int:
        """Index of an array."""
        values = np.ascontiguousarray(array, "<f4").ravel()
        digest = hashlib.blake2b(values.tobytes(), digest_size=16).digest()
        if digest not in self._known:
            with np.errstate(over="ignore"):
                half = values.astype("<f2")
            packed = half if np.array_equal(half.astype("<f4"), values) else values
            data = packed.tobytes()
            self._known[digest] = len(self.table)
            self.table.append([packed.itemsize, self.size, len(values)])
            self._chunks.append(data + b"\0" * (-len(data) % 4))  # typed arrays begin at multiples of four
            self.size += len(self._chunks[-1])
        return self._known[digest]

    def cut(self, count: int) -> None:
        """Forget all but the first `count`: those of a graph that was not finished."""
        self._known = {digest: index for digest, index in self._known.items() if index < count}
        del self.table[count:], self._chunks[count:]
        self.size = sum(map(len, self._chunks))

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return {"table": self.table, "data": base64.b64encode(b"".join(self._chunks)).decode("ascii")}


@attrs.define
class Graph:
    """A recorded function.

    Args:
        constants: shared with other graphs.
        values: lengths of the buffers.
        nodes: `(operator, output, inputs, attributes)`.
        input: buffer of the argument.
        output: buffer of the result.
        shape: of the result.
        work: multiplications and additions of matrix products and convolutions.
    """

    constants: Constants
    values: list[int] = attrs.field(factory=list)
    nodes: list[tuple[str, int, list[Reference], dict[str, Any]]] = attrs.field(factory=list)
    input: int = 0
    output: int = 0
    shape: tuple[int, ...] = ()
    work: int = 0

    def buffer(self, length: int) -> int:
        """A new buffer."""
        self.values.append(length)
        return len(self.values) - 1

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        names = ("values", "nodes", "input", "output", "shape")
        return {name: getattr(self, name) for name in names}


@attrs.frozen
class View:
    """A tensor as a strided view of a buffer, which is float32 and contiguous."""

    buffer: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


def recorded(function: Callable[[Tensor], Tensor], example: Tensor, constants: Constants) -> Graph:
    """The graph of a function of one tensor.

    Args:
        function: deterministic, without branches that depend on values.
        example: float32; the graph takes inputs of this shape.
        constants: what does not depend on the input goes there.

    Raises:
        NotPortable: an operator that the page's runtime does not know.
    """
    graph = Graph(constants)
    argument = example.detach().clone().contiguous()
    mode = _Recorder(graph)
    graph.input = graph.buffer(argument.numel())
    mode.note(argument, graph.input)
    with torch.no_grad(), mode:
        result = function(argument)
    if result not in mode.views:
        raise NotPortable("the result does not depend on the input")
    graph.output, graph.shape = mode.dense(result), tuple(result.shape)
    return graph


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs operators as usual and writes those on noted tensors into a graph."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph = graph
        self.views: Any = WeakTensorKeyDictionary()
        self._table = decomposition_table
        self._gathered: dict[View, int] = {}

    def note(self, tensor: Tensor, buffer: int) -> None:
        """The values of a contiguous tensor are those of a buffer."""
        self.views[tensor] = View(buffer, tuple(tensor.shape), tuple(tensor.stride()), 0)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operator and record it."""
        del types
        kwargs = kwargs or {}
        noted = [item for item in tree_leaves((args, kwargs)) if isinstance(item, torch.Tensor) and item in self.views]
        if not noted:
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if name.endswith("_"):
            return self._in_place(func, name, args, kwargs)
        lower = getattr(self, f"_lower_{name.lstrip('_')}", None)
        if lower is None and name not in KNOWN and not _is_view(func):
            with self:
                parts = self._table.get(func, func.decompose)(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        if self._shares_memory(result, noted):
            return result
        # buffers are contiguous: what torch holds with channels innermost is put in order
        result = tree_map(lambda item: item.contiguous() if isinstance(item, torch.Tensor) else item, result)
        if lower is not None:
            lower(result, *args, **kwargs)
        else:
            self._lower_by_table(func, name, result, args, kwargs)
        return result

    def _shares_memory(self, result: Any, noted: list[Tensor]) -> bool:
        """Note a result, or several, that are views of a noted tensor."""
        items = list(result) if isinstance(result, (tuple, list)) else [result]
        if not items or not all(isinstance(item, torch.Tensor) for item in items):
            return False
        bases = {_memory(tensor): tensor for tensor in noted}
        if not all(_memory(item) in bases for item in items):
            return False
        for item in items:
            buffer = self.views[bases[_memory(item)]].buffer
            self.views[item] = View(buffer, tuple(item.shape), tuple(item.stride()), item.storage_offset())
        return True

    def _in_place(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """The operator on a copy, whose values the tensor takes; no other tensor may share its memory."""
        target = args[0]
        sharing = [item for item in self.views if item is not target and _memory(item) == _memory(target)]
        plain = getattr(torch.ops.aten, name.rstrip("_"), None)
        if target not in self.views or sharing or plain is None or not target.is_contiguous():
            raise NotPortable(f"the operator aten.{name}, which changes a tensor that is used elsewhere")
        with self:
            result = getattr(plain, func._overloadname)(*args, **kwargs)
        target.copy_(result)
        self.note(target, self.dense(result))
        return target

    # ---- references to values

    def dense(self, tensor: Tensor) -> int:
        """Buffer that holds the values of a noted tensor in order, and nothing else."""
        view: View = self.views[tensor]
        ordered = attrs.evolve(view, strides=_strides(view.shape), offset=0)
        if _longer_axes(view) == _longer_axes(ordered) and self.graph.values[view.buffer] == tensor.numel():
            return view.buffer
        if view not in self._gathered:
            shape, (strides,) = _joined(view.shape, [view.strides])
            attributes = {"shape": shape, "strides": strides, "offset": view.offset}
            self._gathered[view] = self._emit("gather", tensor.numel(), [{"v": view.buffer}], attributes)
        return self._gathered[view]

    def reference(self, item: Any) -> Reference:
        """A buffer of a noted tensor, or a constant."""
        if not isinstance(item, torch.Tensor):
            return {"c": self.graph.constants.add(np.array(item, np.float32))}
        if item in self.views:
            return {"v": self.dense(item)}
        return {"c": self.graph.constants.add(to_array(item.float()))}

    def _strided(self, item: Any, shape: Sequence[int]) -> tuple[Reference, tuple[int, ...], int]:
        """A value broadcast to a shape: reference, strides (0 along broadcast axes), offset."""
        if isinstance(item, torch.Tensor) and item in self.views:
            view = self.views[item]
            own, strides, reference, offset = view.shape, view.strides, {"v": view.buffer}, view.offset
        else:
            own = tuple(item.shape) if isinstance(item, torch.Tensor) else ()
            strides, reference, offset = _strides(own), self.reference(item), 0
        wide = [0 if length == 1 else stride for length, stride in zip(own, strides, strict=True)]
        return reference, (*[0] * (len(shape) - len(own)), *wide), offset

    def _emit(self, operator: str, length: int, inputs: list[Reference], attributes: dict[str, Any]) -> int:
        buffer = self.graph.buffer(length)
        self.graph.nodes.append((operator, buffer, inputs, attributes))
        return buffer

    def _result(self, operator: str, tensor: Tensor, inputs: list[Reference], **attributes: Any) -> None:
        if tensor.dtype not in (torch.float32, torch.bool):
            raise NotPortable(f"numbers of the type {tensor.dtype}")
        self.note(tensor, self._emit(operator, tensor.numel(), inputs, attributes))

    def _broadcast(self, operator: str, result: Tensor, items: Sequence[Any], **attributes: Any) -> None:
        """An operator on each place of several values, broadcast to the result's shape."""
        references, strides, offsets = zip(*(self._strided(item, result.shape) for item in items), strict=True)
        shape, joined = _joined(tuple(result.shape), list(strides))
        self._result(operator, result, list(references), shape=shape, strides=joined, offsets=offsets, **attributes)

    # ---- operators on each place

    def _lower_by_table(self, func: Any, name: str, result: Any, args: Any, kwargs: Any) -> None:
        if name in UNARY:
            self._unary(result, args[0], name)
        elif name in BINARY | COMPARISONS:
            self._broadcast("binary", result, args[:2], f=name, alpha=float(kwargs.get("alpha", 1)))
        elif name in LINEAR:
            self._resample(func, result, args, kwargs)
        elif name in REDUCTIONS:
            self._reduce(REDUCTIONS[name], result, *args, **kwargs)
        elif name in MOVES:
            self._move(func, result, args, kwargs)
        else:
            raise NotPortable(f"the operator aten.{name}")

    def _unary(self, result: Tensor, x: Tensor, f: str, *numbers: float) -> None:
        self._result("unary", result, [self.reference(x)], f=f, p=[float(number) for number in numbers])

    def _lower_leaky_relu(self, result: Tensor, x: Tensor, slope: float = 0.01) -> None:
        self._unary(result, x, "leaky_relu", slope)

    def _lower_clamp(self, result: Tensor, x: Tensor, low: Any = None, high: Any = None, **named: Any) -> None:
        low, high = named.get("min", low), named.get("max", high)
        if any(isinstance(limit, torch.Tensor) for limit in (low, high)):
            raise NotPortable("the operator aten.clamp between tensors")
        self._unary(result, x, "clamp", -HUGE if low is None else low, HUGE if high is None else high)

    def _lower_hardtanh(self, result: Tensor, x: Tensor, low: float = -1, high: float = 1) -> None:
        self._unary(result, x, "clamp", low, high)

    def _lower_clamp_min(self, result: Tensor, x: Tensor, low: float) -> None:
        self._unary(result, x, "clamp", low, HUGE)

    def _lower_elu(self, result: Tensor, x: Tensor, alpha: float = 1, scale: float = 1, inner: float = 1) -> None:
        self._unary(result, x, "elu", alpha, scale, inner)

    def _lower_softplus(self, result: Tensor, x: Tensor, beta: float = 1, threshold: float = 20) -> None:
        self._unary(result, x, "softplus", beta, threshold)

    def _lower_gelu(self, result: Tensor, x: Tensor, approximate: str = "none") -> None:
        self._unary(result, x, "gelu_tanh" if approximate == "tanh" else "gelu")

    def _lower_pow(self, result: Tensor, x: Any, exponent: Any) -> None:
        if isinstance(exponent, (int, float)):
            self._unary(result, x, "power", exponent)
        else:
            self._broadcast("binary", result, (x, exponent), f="pow", alpha=1.0)

    def _lower_rsub(self, result: Tensor, x: Tensor, other: Any, alpha: float = 1) -> None:
        self._broadcast("binary", result, (other, x), f="sub", alpha=float(alpha))

    def _lower_where(self, result: Tensor, condition: Tensor, yes: Any, no: Any) -> None:
        self._broadcast("where", result, (condition, yes, no))

    # ---- copies

    def _lower_clone(self, result: Tensor, x: Tensor, *_: Any, **__: Any) -> None:
        if result.dtype != torch.float32:
            raise NotPortable(f"numbers of the type {result.dtype}")
        self.note(result, self.dense(x))  # nothing is written twice: a copy is the same buffer

    _lower_to_copy = _lower_view = _lower_reshape = _lower_unsafe_view = _lower_contiguous = _lower_to = _lower_clone

    def _lower_repeat(self, result: Tensor, x: Tensor, repeats: Sequence[int]) -> None:
        view, lead = self.views[x], len(repeats) - x.ndim
        lengths = [item for pair in zip(repeats, (1,) * lead + view.shape, strict=True) for item in pair]
        steps = [item for step in (0,) * lead + view.strides for item in (0, step)]
        shape, (strides,) = _joined(tuple(lengths), [tuple(steps)])
        self._result("gather", result, [{"v": view.buffer}], shape=shape, strides=strides, offset=view.offset)

    def _lower_cat(self, result: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> None:
        axis, parts = dim % result.ndim, [tensor for tensor in tensors if tensor.numel()]
        references, chunks = (
            [self.reference(tensor) for tensor in parts],
            [prod(tensor.shape[axis:]) for tensor in parts],
        )
        self._result("cat", result, references, outer=prod(result.shape[:axis]), chunks=chunks)

    def _lower_constant_pad_nd(self, result: Tensor, x: Tensor, pad: Sequence[int], value: float = 0) -> None:
        lead = [0] * x.ndim  # zeros before the values along each axis; negative: values that are cut off
        for index in range(len(pad) // 2):
            lead[x.ndim - 1 - index] = pad[2 * index]
        skips, starts = [max(0, -item) for item in lead], [max(0, item) for item in lead]
        lengths = [
            min(length - skip, room - start)
            for length, skip, room, start in zip(x.shape, skips, result.shape, starts, strict=True)
        ]
        inner, outer = _strides(tuple(x.shape)), _strides(tuple(result.shape))
        offsets = [_dot(skips, inner), _dot(starts, outer)]
        attributes = {"value": float(value), "shape": lengths, "strides": [inner, outer], "offsets": offsets}
        self._result("scatter", result, [self.reference(x)], **attributes)

    def _move(self, func: Any, result: Tensor, args: Any, kwargs: Any) -> None:
        """The places that the result takes, from the operator's answer to the numbers of the places."""
        x, *rest = args
        if any(isinstance(item, torch.Tensor) and item in self.views for item in tree_leaves((rest, kwargs))):
            raise NotPortable(f"the operator aten.{func.overloadpacket.__name__} whose places depend on the input")
        places = func(torch.arange(x.numel(), device=x.device).reshape(x.shape), *rest, **kwargs)
        if x.numel() > EXACT:
            raise NotPortable(f"the operator aten.{func.overloadpacket.__name__} of more than {EXACT:,} numbers")
        self._result("take", result, [self.reference(x), self.reference(places)])

    # ---- products

    def _lower_mm(self, result: Tensor, a: Tensor, b: Tensor) -> None:
        self._product(result, a, b, (1, *a.shape))

    def _lower_bmm(self, result: Tensor, a: Tensor, b: Tensor) -> None:
        self._product(result, a, b, tuple(a.shape))

    def _product(self, result: Tensor, a: Tensor, b: Tensor, shape: tuple[int, ...]) -> None:
        """(B, m, k), the shape of a, times (B, k, n)."""
        (batch, m, k), n = shape, b.shape[-1]
        self.graph.work += 2 * batch * m * n * k
        self._result("product", result, [self.reference(a), self.reference(b)], batch=batch, m=m, n=n, k=k)

    def _lower_addmm(self, result: Tensor, bias: Tensor, a: Tensor, b: Tensor, **factors: float) -> None:
        if any(factor != 1 for factor in factors.values()):
            raise NotPortable("the operator aten.addmm with factors")
        product = torch.empty_like(result)
        self._lower_mm(product, a, b)
        self._broadcast("binary", result, (product, bias), f="add", alpha=1.0)

    def _lower_convolution(
        self,
        result: Tensor,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        transposed: bool,
        output_padding: Sequence[int],
        groups: int,
    ) -> None:
        del output_padding  # the result's shape tells
        if x.ndim != 4 or len(x) != 1:
            raise NotPortable("a convolution that is not of one image")
        (inputs, height, width), (outputs, rows, columns) = x.shape[1:], result.shape[1:]
        size: dict[str, Any] = {"h": height, "w": width, "oh": rows, "ow": columns, "groups": groups}
        size |= {"cin": inputs, "cout": outputs, "kh": weight.shape[2], "kw": weight.shape[3]}
        size |= {"stride": list(stride), "pad": list(padding), "dilation": list(dilation)}
        self.graph.work += 2 * weight.numel() * (height * width if transposed else rows * columns)
        if transposed:  # (groups, in, out kh kw) to (groups, out kh kw, in): a product with x gives all shifted images
            with self:  # the weights may depend on the input too (Karras et al. 2020, section 2.2)
                weight = weight.reshape(groups, inputs // groups, -1).transpose(1, 2).contiguous()
        references = [self.reference(item) for item in (x, weight, torch.zeros(outputs) if bias is None else bias)]
        self._result("transposed" if transposed else "convolution", result, references, **size)

    def _lower_native_batch_norm(
        self, result: Any, x: Tensor, weight: Any, bias: Any, mean: Any, variance: Any, *rest: Any
    ) -> None:
        """`y = x * scale + shift` for each channel."""
        if rest[0] is True:
            raise NotPortable("batch normalisation by the batch's own statistics")
        scale = torch.rsqrt(variance + float(rest[-1])) * (1 if weight is None else weight)
        shift = (0 if bias is None else bias) - mean * scale
        form = (-1,) + (1,) * (x.ndim - 2)
        scaled = torch.empty_like(result[0])
        self._broadcast("binary", scaled, (x, scale.reshape(form)), f="mul", alpha=1.0)
        self._broadcast("binary", result[0], (scaled, shift.reshape(form)), f="add", alpha=1.0)

    _lower_native_batch_norm_legit_no_training = _lower_native_batch_norm

    def _lower_max_pool2d_with_indices(self, result: Any, x: Tensor, kernel: Any, *options: Any) -> None:
        stride, padding, dilation = (*options, *((), 0, 1)[len(options) :])[
            :3
        ]  # whether sizes round up, the shape tells
        (height, width), (rows, columns) = x.shape[-2:], result[0].shape[-2:]
        size = {"planes": prod(x.shape[:-2]), "h": height, "w": width, "oh": rows, "ow": columns}
        size |= {"kernel": _pair(kernel), "stride": _pair(stride or kernel)}
        size |= {"pad": _pair(padding), "dilation": _pair(dilation)}
        self._result("maxpool", result[0], [self.reference(x)], **size)

    def _resample(self, func: Any, result: Tensor, args: Any, kwargs: Any) -> None:
        """`R_y X R_x^T`: each matrix from the operator's answer to images that are the same along the other axis."""
        x, *rest = args
        (height, width), (rows, columns) = x.shape[-2:], result.shape[-2:]

        def answer(images: Tensor) -> Tensor:
            return func(images, *rest, **kwargs).float()  # type: ignore[no-any-return]

        upright = answer(torch.eye(height)[:, None, :, None].expand(-1, 1, -1, width).contiguous())  # (H, 1, h, w)
        across = answer(torch.eye(width)[:, None, None, :].expand(-1, 1, height, -1).contiguous())  # (W, 1, h, w)
        down, right = upright[:, 0, :, 0].T.contiguous(), across[:, 0, 0, :].contiguous()  # (h, H), (W, w)
        probe = torch.linspace(0, 37, height * width).sin().reshape(1, 1, height, width)
        if (down @ probe[0, 0] @ right - answer(probe)[0, 0]).abs().max() > CLOSE:
            raise NotPortable(f"the operator aten.{func.overloadpacket.__name__} with these options")
        planes = prod(x.shape[:-2])
        self.graph.work += 2 * planes * height * columns * (width + rows)
        references = [self.reference(item) for item in (x, down, right)]
        size = {"planes": planes, "h": height, "w": width, "oh": rows, "ow": columns}
        self._result("resample", result, references, **size)

    # ---- along rows

    def _rows(self, x: Tensor, axes: Sequence[int]) -> tuple[Reference, int]:
        """A tensor with some axes last, in order, and how many numbers these hold together."""
        last = [axis % x.ndim for axis in axes] or list(range(x.ndim))
        order = [axis for axis in range(x.ndim) if axis not in last] + last
        view, moved = self.views[x], x.permute(order)
        self.views[moved] = attrs.evolve(
            view, shape=tuple(moved.shape), strides=tuple(view.strides[axis] for axis in order)
        )
        return {"v": self.dense(moved)}, prod(x.shape[axis] for axis in last)

    def _reduce(self, f: str, result: Tensor, x: Tensor, axes: Any = (), *_: Any, **__: Any) -> None:
        reference, length = self._rows(x, [axes] if isinstance(axes, int) else list(axes or ()))
        self._result("reduce", result, [reference], f=f, rows=result.numel(), columns=length)

    def _lower_var(
        self, result: Tensor, x: Tensor, axes: Any = None, unbiased: Any = True, *_: Any, **named: Any
    ) -> None:
        axes = list(axes if axes is not None else range(x.ndim))
        correction = named.get("correction", unbiased)
        count = prod(x.shape[axis] for axis in axes) - int(True if correction is None else correction)
        with self:
            variance = (x - x.mean(axes, keepdim=True)).square().sum(axes) / count
        self.note(result, self.dense(variance))

    def _lower_softmax(self, result: Tensor, x: Tensor, axis: int, *_: Any) -> None:
        self._softmax("softmax", result, x, axis)

    _lower_safe_softmax = _lower_softmax  # which differs in rows without any finite number

    def _lower_log_softmax(self, result: Tensor, x: Tensor, axis: int, *_: Any) -> None:
        self._softmax("log_softmax", result, x, axis)

    def _softmax(self, f: str, result: Tensor, x: Tensor, axis: int) -> None:
        reference, length = self._rows(x, [axis])
        rows = result.numel() // length
        buffer = self._emit("softmax", result.numel(), [reference], {"f": f, "rows": rows, "columns": length})
        place = axis % result.ndim
        strides = _strides(tuple(result.movedim(place, -1).shape))  # of the buffer, whose last axis is `axis`
        order = [*strides[:place], strides[-1], *strides[place:-1]]
        self.views[result] = View(buffer, tuple(result.shape), tuple(order), 0)
        self.note(result, self.dense(result))  # torch's strides, which later views have, are in order


KNOWN = UNARY.keys() | BINARY | COMPARISONS | LINEAR | REDUCTIONS.keys() | MOVES
HUGE = 3e38  # about the largest float32
EXACT = 1 << 24  # whole numbers that float32 holds


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _is_view(func: Any) -> bool:
    return any(result.alias_info is not None for result in func._schema.returns)


def _strides(shape: Sequence[int]) -> tuple[int, ...]:
    strides, step = [], 1
    for length in reversed(shape):
        strides.append(step)
        step *= max(1, length)
    return tuple(reversed(strides))


def _longer_axes(view: View) -> tuple[int, list[tuple[int, int]]]:
    """Offset, and length and stride of the axes longer than 1; others may have any stride."""
    axes = zip(view.shape, view.strides, strict=True)
    return view.offset, [(length, stride) for length, stride in axes if length != 1]


def _joined(shape: tuple[int, ...], strides: list[tuple[int, ...]]) -> tuple[list[int], list[list[int]]]:
    """The shape with neighbouring axes joined wherever all strides allow it; at least one axis."""
    axes = [(length, [each[axis] for each in strides]) for axis, length in enumerate(shape) if length != 1]
    joined: list[tuple[int, list[int]]] = []
    for length, steps in axes:
        if joined and all(above == step * length for above, step in zip(joined[-1][1], steps, strict=True)):
            joined[-1] = (joined[-1][0] * length, steps)
        else:
            joined.append((length, steps))
    joined = joined or [(1, [0] * len(strides))]
    return [length for length, _ in joined], [[steps[index] for _, steps in joined] for index in range(len(strides))]


def _dot(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _pair(value: Any) -> list[int]:
    items = list(value) if isinstance(value, (tuple, list)) else [value]
    return [int(item) for item in (items * 2 if len(items) == 1 else items)]
