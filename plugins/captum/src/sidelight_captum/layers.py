"""Layers for Grad-CAM: by name or by default, with the layout of their output."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Protocol

import torch
from attrs import frozen
from sidelight_specs import UserError
from sidelight_toolkit.layout import RESAMPLING, Layout, Places
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.roles import Classifier

    from sidelight_captum.params import LayoutName

PROJECTIONS = RESAMPLING | {"linear"}
"""Operators whose bare output is no default: pooled maps, and parts of a transformer's block."""

NO_LAYERS = "a TorchScript file shows no layers: export the model as .pt2, or use occlusion or integrated-gradients"


class LayerOptions(Protocol):
    """Options that say which layer, and how its output lies."""

    @property
    def layer(self) -> str | None:
        """Dotted name; None for the default."""

    @property
    def layout(self) -> LayoutName:
        """`auto`, or what the output is."""

    @property
    def prefix_tokens(self) -> int | None:
        """Class and register tokens before those of the grid."""

    @property
    def grid(self) -> tuple[int, ...] | None:
        """(h, w) of the tokens."""


@frozen(eq=False)
class FeatureLayer:
    """A layer, its name, and the layout of its output for images of one size."""

    name: str
    module: nn.Module
    layout: Layout


class LayerFinder:
    """Finds the layer once for each network and size of image.

    The default is the last layer, in the order of the forward pass, that gives feature maps of more than one place, of
    a grid and number of channels that a convolution or a normalisation gives as well, no bare linear projection and
    no pooling, and whose places the scores depend on. So it is the last convolution with what directly follows it
    (normalisation, activation, the end of its block) in a convolutional network, the final normalisation of a
    transformer that pools its tokens, and the normalisation before the last attention of one that reads
    its class token: past that attention no other token reaches the scores.

    Args:
        classifier: provides `module`.
        options: layer and layout.
    """

    def __init__(self, classifier: Classifier, options: LayerOptions) -> None:
        self._classifier, self._options = classifier, options
        self._found: dict[tuple[int, ...], tuple[nn.Module, FeatureLayer]] = {}

    def __call__(self, images: Tensor) -> FeatureLayer:
        """The layer for images of this size.

        Args:
            images: (N, C, H, W); only their shape, type and device count.

        Raises:
            UserError: no layer of that name, none by default, or a layout that cannot be told.
        """
        network, size = self._classifier.module, tuple(images.shape[1:])
        known = self._found.get(size)
        if known is None or known[0] is not network:
            known = self._found[size] = network, self._search(network, images)
        return known[1]

    def _search(self, network: nn.Module, images: Tensor) -> FeatureLayer:
        # modules of TorchScript take no hooks
        modules = {n: m for n, m in network.named_modules() if n and not isinstance(m, torch.jit.ScriptModule)}
        name = self._options.layer
        if name is not None and name not in modules:
            close = difflib.get_close_matches(name, modules, n=3) or list(modules)[-8:]
            raise UserError(
                f'layer: the classifier has no layer "{name}"',
                f"try one of: {', '.join(close)}" if close else NO_LAYERS,
            )
        outputs = _trace(self._classifier, modules, images)
        if name is None:
            name = _default(outputs)
        if name not in outputs.of:
            raise UserError(f'layer: the classifier does not run "{name}", or it gives no tensor', "name another layer")
        output = outputs.of[name]
        layout = _layout_of(name, output, self._options, (images.shape[-2], images.shape[-1]))
        return FeatureLayer(name, modules[name], layout)


@frozen(eq=False)
class _Output:
    """Output of a layer for one image: shape, layout and maker where they are known, and the gradient there."""

    shape: tuple[int, ...]
    layout: Layout | None
    maker: str
    gradient: Tensor | None = None


@frozen(eq=False)
class _Outputs:
    """Latest outputs by the layers' names, in the order of the forward pass, and the maps that operators gave."""

    of: dict[str, _Output]
    maps: set[tuple[tuple[int, int], int]]


def _trace(classifier: Classifier, modules: dict[str, nn.Module], images: Tensor) -> _Outputs:
    """One pass forward and back, of noise, so that the default depends on the network alone; no hook stays."""
    noise = torch.rand(images.shape[1:], generator=torch.Generator().manual_seed(0))[None].to(images).requires_grad_()
    places = Places(noise)
    seen: dict[str, tuple[Tensor, _Output]] = {}

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            seen.pop(name, None)  # a layer that runs again counts where it ran last
            if isinstance(output, torch.Tensor):
                placed = places.of(output)
                layout, maker = (placed.layout, placed.maker) if placed else (None, "")
                seen[name] = output, _Output(tuple(output.shape), layout, maker)

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in modules.items()]
    try:
        with torch.enable_grad(), places:
            scores = classifier.scores(noise)
    finally:
        for handle in handles:
            handle.remove()
    directions = torch.rand(scores.shape, generator=torch.Generator().manual_seed(1)).to(scores)
    tensors = [output for output, _ in seen.values() if output.requires_grad]
    gradients = iter(torch.autograd.grad((directions * scores).sum(), tensors, allow_unused=True) if tensors else ())
    outputs = {
        name: _Output(facts.shape, facts.layout, facts.maker, next(gradients) if output.requires_grad else None)
        for name, (output, facts) in seen.items()
    }
    return _Outputs(outputs, places.maps)


def _default(outputs: _Outputs) -> str:
    """The name of the default layer; see `LayerFinder`."""
    for name, output in reversed(outputs.of.items()):
        layout = output.layout
        if layout is None or layout.size < 2 or output.maker in PROJECTIONS or output.gradient is None:
            continue
        is_map = (layout.grid, output.shape[layout.channel]) in outputs.maps
        if is_map and layout.to_nchw(output.gradient).any():
            return name
    raise UserError(
        "Grad-CAM looks at feature maps, and no layer with more than one place that decides the scores was found",
        f"name one in layer, and its layout; {NO_LAYERS}",
    )


def _layout_of(name: str, output: _Output, options: LayerOptions, image: tuple[int, int]) -> Layout:
    """The layout that the options name, or the one that was traced, or the only one in the image's proportions."""
    kind = options.layout
    if kind == "auto" and (options.prefix_tokens is not None or options.grid is not None):
        kind = "tokens"
    place = f'layer: "{name}" gives {output.shape}'
    if kind in ("nchw", "nhwc"):
        if len(output.shape) != 4:
            raise UserError(f"{place}, and layout: {kind} needs four axes", "set layout to auto or tokens")
        return _four_axes(output.shape, channel=1 if kind == "nchw" else 3)
    if kind == "tokens":
        return _tokens(place, output, options, image)
    if output.layout is not None and output.layout.size > 1:
        return output.layout
    fitting = [
        layout
        for layout in (_four_axes(output.shape, channel) for channel in (1, 3) if len(output.shape) == 4)
        if layout.size > 1 and _in_proportion(layout.grid, image)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if len(output.shape) == 3:
        raise UserError(
            f"{place}; which axis holds the tokens, and how many stand before those of the image, cannot be told",
            "set layout to tokens, and prefix_tokens to the number of class and register tokens",
        )
    if len(output.shape) == 4:
        raise UserError(f"{place}; which axis holds the channels cannot be told", "set layout to nchw or nhwc")
    raise UserError(
        f"{place}, and Grad-CAM needs feature maps (N, C, h, w), (N, h, w, C) or tokens (N, T, C)",
        "name a layer before the pooling, or leave layer out",
    )


def _four_axes(shape: tuple[int, ...], channel: int) -> Layout:
    height, width = shape[2:] if channel == 1 else shape[1:3]
    return Layout(channel, (height, width))


def _in_proportion(grid: tuple[int, int], image: tuple[int, int]) -> bool:
    """One stride, rounded up or down, gives the grid's both sides."""
    strides = [side / cells for side, cells in zip(image, grid, strict=True)]
    largest = max(strides)
    return all(cells in {int(side / largest), -int(-side // largest)} for side, cells in zip(image, grid, strict=True))


def _tokens(place: str, output: _Output, options: LayerOptions, image: tuple[int, int]) -> Layout:
    """Tokens (N, T, C): the prefix and grid of the options, else those traced, else the image's proportions."""
    if len(output.shape) != 3:
        raise UserError(f"{place}, and tokens have three axes (N, T, C)", "set layout to nchw or nhwc")
    traced = output.layout if output.layout and output.layout.channel == 2 else None
    prefix = options.prefix_tokens if options.prefix_tokens is not None else (traced.prefix if traced else None)
    if prefix is None:
        raise UserError(
            f"{place}; how many tokens stand before those of the image cannot be told",
            "set prefix_tokens to the number of class and register tokens, 0 for none",
        )
    count = output.shape[1] - prefix
    if options.grid is not None:
        return _given_grid(place, options.grid, count, prefix)
    if traced is not None and prefix + traced.size <= output.shape[1]:
        return Layout(2, traced.grid, prefix)
    for height in range(1, count + 1):
        if count % height == 0 and image[0] * (count // height) == image[1] * height:  # h / w = H / W
            return Layout(2, (height, count // height), prefix)
    raise UserError(
        f"{place}; {max(count, 0)} tokens after {prefix} form no grid in the proportions of {image[0]}x{image[1]}",
        "set grid to its height and width, or prefix_tokens to the number of class and register tokens",
    )


def _given_grid(place: str, grid: tuple[int, ...], count: int, prefix: int) -> Layout:
    if len(grid) != 2 or grid[0] * grid[1] > count:
        raise UserError(
            f"{place}; grid {list(grid)} does not fit {max(count, 0)} tokens after {prefix}",
            "set grid to height and width, whose product is the number of the image's tokens",
        )
    return Layout(2, (grid[0], grid[1]), prefix)
