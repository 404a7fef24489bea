"""Layout of feature maps, traced through a network: the axis of the channels, and the grid of positions in the image.

Convolutional networks give (N, C, h, w), Swin and parts of ConvNeXt (N, h, w, C), vision transformers tokens
(N, prefix + h * w, C) with class and register tokens in front. A shape does not tell them apart. `CoordinateTracker`
therefore follows coordinates through the network: operators that only move values (reshape, permute, window partition,
shift, concatenation) are applied to the values' coordinates as well, convolutions and pooling lay a new grid, linear
layers, attention and layer normalisation mix the last axis, and elementwise operators keep the coordinates. After any
other operator the coordinates are unknown, until a residual sum with known ones.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakTensorKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

CONVOLUTIONS = frozenset(("conv2d", "conv_transpose2d", "convolution"))
"""Operators that give feature maps, by the names of `operator_name`."""
RESAMPLING = frozenset((
    "max_pool2d", "max_pool2d_with_indices", "fractional_max_pool2d", "adaptive_max_pool2d", "avg_pool2d",
    "adaptive_avg_pool2d", "lp_pool2d", "interpolate", "upsample_bilinear2d", "upsample_bilinear2d_aa",
    "upsample_nearest2d", "upsample_bicubic2d", "upsample_bicubic2d_aa",
))  # fmt: skip
"""Operators on (N, C, h, w) that lay a new grid without weights."""
LAYER_NORMS = frozenset(("layer_norm", "native_layer_norm", "rms_norm"))
NORMALISATIONS = LAYER_NORMS | {"batch_norm", "native_batch_norm", "group_norm", "instance_norm"}
MOVES = frozenset((
    "alias", "cat", "chunk", "concat", "concatenate", "constant_pad_nd", "contiguous", "detach", "expand", "flatten",
    "flip", "get", "getitem", "im2col", "index_select", "moveaxis", "movedim", "narrow", "pad", "permute",
    "pixel_shuffle", "pixel_unshuffle", "repeat", "reshape", "reshape_as", "roll", "select", "slice", "split",
    "split_with_sizes", "squeeze", "stack", "swapaxes", "t", "tensor_split", "transpose", "unbind", "unflatten",
    "unfold", "unsafe_split", "unsafe_view", "unsqueeze", "view", "view_as",
))  # fmt: skip
"""Operators that move values and compute nothing."""
ROWS = {"linear": 0, "matmul": 0, "mm": 0, "bmm": 0, "addmm": 1, "scaled_dot_product_attention": 0,
        "multi_head_attention_forward": 0}  # fmt: skip
"""Operators that mix the last axis of one tensor argument and keep its rows, and that argument's number."""
NEUTRAL = frozenset((
    "clone", "dropout", "dropout1d", "dropout2d", "feature_dropout", "float", "requires_grad", "to",
    "type_as", "to_copy",
))  # fmt: skip
"""Operators that do nothing to values, in evaluation mode."""
_ELEMENTWISE = NEUTRAL | NORMALISATIONS | {
    "celu", "elu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "local_response_norm",
    "log_softmax", "logsigmoid", "mish", "normalize", "prelu", "rdiv", "relu6", "rpow", "rsub", "rtruediv", "selu",
    "softmax", "softmin", "softplus", "softshrink", "softsign", "tanhshrink", "threshold",
}  # fmt: skip

NOWHERE = 0.0
"""Coordinate of values without a position: positions lie within (0, 1), and padding writes zeros."""
FARTHEST = 0.5
"""Extent in the image, as a ratio of its side, beyond which a mixture of values has no position."""


@frozen
class Layout:
    """Layout of an output: (N, C, h, w), (N, h, w, C), (N, T, C) or (N, C, T) with T >= prefix + h * w tokens.

    Args:
        channel: axis of the channels, 1 or the last.
        grid: (h, w).
        prefix: tokens before those of the grid: class and register tokens.
    """

    channel: int
    grid: tuple[int, int]
    prefix: int = 0

    @property
    def size(self) -> int:
        """Positions in the grid, h * w."""
        return self.grid[0] * self.grid[1]

    def to_nchw(self, output: Tensor) -> Tensor:
        """(N, C, h, w) feature maps of an output; class and register tokens are left out."""
        tokens = output.movedim(self.channel, 1).flatten(2)  # (N, C, T)
        return tokens[:, :, self.prefix : self.prefix + self.size].reshape(*tokens.shape[:2], *self.grid)

    def from_nchw(self, maps: Tensor, output: Tensor) -> Tensor:
        """An output with these (N, C, h, w) feature maps in the place of its own; always a copy."""
        tokens = output.movedim(self.channel, 1)
        before, after = (
            tokens.flatten(2)[:, :, rows] for rows in (slice(self.prefix), slice(self.prefix + self.size, None))
        )
        return torch.cat([before, maps.flatten(2), after], 2).reshape(tokens.shape).movedim(1, self.channel)


@frozen(eq=False, slots=False)
class Coordinates:
    """Coordinates of one tensor's values.

    Args:
        y: relative height of each value's position in the image, in (0, 1), of the tensor's shape; 0 for none.
        x: likewise, from left to right.
        maker: the operator that computed the values; operators that move them do not count.
    """

    y: Tensor
    x: Tensor
    maker: str

    @cached_property
    def layout(self) -> Layout | None:
        """None where the coordinates form no grid."""
        return _layout(self.y, self.x)

    @property
    def is_local(self) -> bool:
        """True for values (1, C, h, w) whose channels share their coordinates, also beside padding."""
        return self.y.dim() == 4 and len(self.y) == 1 and 1 not in _axes(self.y) | _axes(self.x)


def operator_name(func: Callable[..., Any]) -> str:
    """Torch's name of an operator, the same for a function, its in-place and private kin, and `aten`'s overload."""
    name: str = getattr(func, "__name__", "").split(".")[0]
    return name.strip("_").removesuffix("_legit_no_training")


@cache
def is_elementwise(name: str) -> bool:
    """True for operators that torch tags as pointwise, and for normalisations, which keep coordinates as well."""
    packet = getattr(torch.ops.aten, name, None)
    overloads = [getattr(packet, overload) for overload in packet.overloads()] if packet else []
    return name in _ELEMENTWISE or any(torch.Tag.pointwise in overload.tags for overload in overloads)


class CoordinateTracker(TorchFunctionMode):
    """Context that follows coordinates through one forward pass of one image.

    Attributes:
        maps: (grid, channels) of the feature maps that convolutions and normalisations gave.
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self._coordinates: Any = WeakTensorKeyDictionary()
        self._coordinates[image] = Coordinates(*_grid_of(image), "")
        self.maps: set[tuple[tuple[int, int], int]] = set()

    def of(self, output: Any) -> Coordinates | None:
        """Coordinates of a tensor of the pass; None if they are unknown."""
        return self._coordinates.get(output) if isinstance(output, torch.Tensor) else None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of `func`."""
        kwargs = kwargs or {}
        name = operator_name(func)
        sources = [coordinates for coordinates in map(self.of, tensors_of(args, kwargs)) if coordinates]
        # before the call itself, which may change its arguments in place
        moved = self._moved(func, args, kwargs) if sources and name in MOVES else None
        result = func(*args, **kwargs)
        if not sources or name == "setitem":
            self._forget(args)
        elif moved:
            self._keep(result, [(y, x) for y, x in zip(*map(_as_list, moved), strict=True)], sources[0].maker)
        else:
            self._computed(name, result, sources, args, kwargs)
        return result

    def _moved(self, func: Callable[..., Any], args: Any, kwargs: Any) -> list[Any]:
        """`func` of the coordinates; values without a position stay without."""

        def swap(item: Any, axis: str) -> Any:
            if not isinstance(item, torch.Tensor) or not item.is_floating_point():
                return item  # an index
            coordinates = self.of(item)
            return getattr(coordinates, axis) if coordinates else torch.zeros_like(item)  # NOWHERE

        def move(axis: str, *, copied: bool) -> Any:
            arguments = tree_map(lambda item: swap(item, axis), args)
            if copied:
                arguments = tree_map(lambda item: item.contiguous() if isinstance(item, Tensor) else item, arguments)
            return func(*arguments, **kwargs)

        with torch.no_grad():
            try:
                return [move(axis, copied=False) for axis in ("y", "x")]
            except RuntimeError:  # a view that the strides of expanded coordinates do not allow
                return [move(axis, copied=True) for axis in ("y", "x")]

    def _computed(self, name: str, result: Any, sources: list[Coordinates], args: Any, kwargs: Any) -> None:
        first = self.of(tensors_of(args, kwargs)[0])
        outputs = [item for item in _as_list(result) if isinstance(item, torch.Tensor)]
        if name in CONVOLUTIONS | RESAMPLING:
            # a new grid is laid only over maps whose channels share their positions
            local = first is not None and first.is_local
            coordinates = [_grid_of(item) if local and item.dim() == 4 else None for item in outputs]
        elif name in ROWS or (name in LAYER_NORMS and _over_last_axis(args, kwargs)):
            source = self.of(tensors_of(args, kwargs)[ROWS.get(name, 0)])
            coordinates = [_mixed_rows(source, item) if source and item.dim() > 1 else None for item in outputs]
        else:
            coordinates = [_same_coordinates(item, sources) if is_elementwise(name) else None for item in outputs]
        self._keep(result, coordinates, first.maker if name in NEUTRAL and first else name)

    def _keep(self, result: Any, coordinates: list[tuple[Tensor, Tensor] | None], maker: str) -> None:
        tensors = [item for item in _as_list(result) if isinstance(item, torch.Tensor)]
        for item, pair in zip(tensors, coordinates, strict=False):
            if not pair:
                self._coordinates.pop(item, None)
                continue
            self._coordinates[item] = Coordinates(*pair, maker)
            layout = self._coordinates[item].layout
            if layout and maker in CONVOLUTIONS | NORMALISATIONS and layout.size > 1:
                self.maps.add((layout.grid, item.shape[layout.channel]))

    def _forget(self, args: Any) -> None:
        """Coordinates of values written into a tensor by index are not followed."""
        if args and isinstance(args[0], torch.Tensor):
            self._coordinates.pop(args[0], None)


def tensors_of(args: Any, kwargs: Any) -> list[Tensor]:
    """Tensors among an operator's arguments, also within lists, in order."""
    return [
        tensor
        for argument in (*args, *kwargs.values())
        for tensor in _as_list(argument)
        if isinstance(tensor, torch.Tensor)
    ]


def _as_list(item: Any) -> list[Any]:
    return list(item) if isinstance(item, (list, tuple)) else [item]


def _grid_of(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates of (1, C, h, w) maps: centres of the cells of a regular grid."""
    height, width = maps.shape[-2:]
    y = (torch.arange(height, device=maps.device) + 0.5) / height
    x = (torch.arange(width, device=maps.device) + 0.5) / width
    return y[:, None].expand(maps.shape), x.expand(maps.shape)


def _over_last_axis(args: Any, kwargs: Any) -> bool:
    shape = kwargs.get("normalized_shape", args[1] if len(args) > 1 else ())
    return len(_as_list(shape)) == 1


def _mixed_rows(source: Coordinates, output: Tensor) -> tuple[Tensor, Tensor] | None:
    """Coordinates after the last axis was mixed: the centre of each row's positions, none if they lie far apart."""
    if source.y.shape[:-1] != output.shape[:-1]:
        return None
    known = source.y > NOWHERE  # a class token has no position, and takes no part
    centres = []
    for values in (source.y, source.x):
        last, first = values.amax(-1, keepdim=True), values.masked_fill(~known, 1).amin(-1, keepdim=True)
        local = known.any(-1, keepdim=True) & (last - first <= FARTHEST)
        centres.append(torch.where(local, (first + last) / 2, NOWHERE).expand(output.shape))
    return centres[0], centres[1]


def _same_coordinates(output: Tensor, sources: list[Coordinates]) -> tuple[Tensor, Tensor] | None:
    """Coordinates after an elementwise operator: those of the most local argument of the same shape."""
    same = [source for source in sources if source.y.shape == output.shape]
    if not same:
        return None
    best = same[0]
    if len(same) > 1:
        best = max(
            same, key=lambda source: (source.layout is not None, float((_narrow(source.y) > NOWHERE).float().mean()))
        )
    return best.y, best.x


def _layout(y: Tensor, x: Tensor) -> Layout | None:
    """The layout that coordinates of one image (1, ...) form, or None."""
    if y.dim() not in (3, 4) or len(y) != 1:
        return None
    return _layout_of_maps(y, x) if y.dim() == 4 else _layout_of_tokens(y, x)


def _layout_of_maps(y: Tensor, x: Tensor) -> Layout | None:
    """(1, C, h, w) or (1, h, w, C), by the axes along which y and x vary."""
    for channel, (down, along) in ((1, (2, 3)), (3, (1, 2))):
        grid = (y.shape[down], y.shape[along])
        alone = grid == (1, 1) and y.shape[channel] > 1  # one position: nothing varies, only C tells the axis
        varies = _axes(y) | _axes(x)
        if (_axes(y) <= {down} and _axes(x) <= {along}) and (varies or alone) and _is_grid(y, x, channel, grid):
            return Layout(channel, grid)
    return None


def _layout_of_tokens(y: Tensor, x: Tensor) -> Layout | None:
    """(1, T, C) or (1, C, T) whose consecutive tokens form a grid; those before it are the prefix."""
    for channel, axis in ((2, 1), (1, 2)):
        if not (_axes(y) | _axes(x)) <= {axis}:
            continue
        down = y.select(channel, 0)[0]
        tokens = (down > NOWHERE).nonzero()[:, 0]
        if len(tokens) < 2 or int(tokens[-1] - tokens[0]) + 1 != len(tokens):
            return None
        height = len(set(down[tokens].tolist()))  # each row of the grid has its own y
        layout = Layout(channel, (height, len(tokens) // height), int(tokens[0]))
        return layout if layout.size == len(tokens) and _is_grid(y, x, channel, layout.grid, layout.prefix) else None
    return None


def _axes(values: Tensor) -> set[int]:
    """Axes along which values are not constant."""
    values = _narrow(values)
    return {
        axis
        for axis, size in enumerate(values.shape)
        if size > 1 and not torch.equal(values, values.narrow(axis, 0, 1).expand_as(values))
    }


def _narrow(values: Tensor) -> Tensor:
    """The same values without the repetitions of `expand`: a grid's coordinates are a column and a row."""
    for axis, size in enumerate(values.shape):
        if size > 1 and not values.stride(axis):
            values = values.narrow(axis, 0, 1)
    return values


def _is_grid(y: Tensor, x: Tensor, channel: int, grid: tuple[int, int], prefix: int = 0) -> bool:
    """True if positions run row by row, top to bottom and left to right."""
    layout = Layout(channel, grid, prefix)
    down, along = (layout.to_nchw(values.narrow(channel, 0, 1))[0, 0] for values in (y, x))  # all channels agree
    regular = torch.equal(down, down[:, :1].expand_as(down)) and torch.equal(along, along[:1].expand_as(along))
    return regular and bool((down[:, 0].diff() > 0).all() and (along[0].diff() > 0).all() and (down > NOWHERE).all())
