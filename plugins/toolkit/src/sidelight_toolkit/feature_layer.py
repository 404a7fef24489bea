"""Layer of Grad-CAM's feature maps: by name, or the last one that decides the scores, with the layout of its output."""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from attrs import evolve, frozen
from sidelight_specs import UserError
from torch import Tensor, nn

from sidelight_toolkit.layout import RESAMPLING, CoordinateTracker, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sidelight_specs.roles import Classifier

    from sidelight_toolkit.options import LayerParams

PROJECTIONS = RESAMPLING | {"linear"}
"""Operators whose bare output is no default: pooled maps, and parts of a transformer's block."""

COARSE = (4, 8, 2)  # random cells along each side of the coarse noise that is tried in turn

NO_LAYERS = "a TorchScript file shows no layers: export the model as .pt2, or use occlusion or integrated-gradients"


@frozen(eq=False)
class FeatureLayer:
    """A layer, its name, and the layout of its output for images of one size."""

    name: str
    module: nn.Module
    layout: Layout

    @contextmanager
    def through(self, function: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Within the context the feature maps, as (N, C, h, w), go through `function`, and on in their own layout.

        Class and register tokens pass it by. What follows gets a copy, so that it may work in place.
        """

        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
            return self.layout.from_nchw(function(self.layout.to_nchw(output)), output)

        handle = self.module.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


class LayerFinder:
    """The layer of a network's feature maps, cached for each network and size of image.

    The default is the last layer, in the order of the forward pass, that

    - gives feature maps of more than one position, of a grid and number of channels that a convolution or a
      normalisation gives as well,
    - is no bare linear projection and no pooling, and
    - whose feature maps the scores depend on.

    In a convolutional network this is the last convolution with its normalisation, activation and the end of its
    block; in a transformer that pools its tokens the final normalisation; in one that reads its class token the
    normalisation before the last attention, past which no other token reaches the scores.

    Args:
        classifier: provides `module`.
        options: layer and layout.
    """

    def __init__(self, classifier: Classifier, options: LayerParams) -> None:
        self._classifier, self._options = classifier, options
        self._layers: dict[tuple[int, ...], tuple[nn.Module, FeatureLayer]] = {}

    def __call__(self, images: Tensor) -> FeatureLayer:
        """The layer for images of this size.

        Args:
            images: (N, C, H, W); only their shape, type and device count.

        Raises:
            UserError: no layer of that name, none by default, or a layout that cannot be told.
        """
        network, size = self._classifier.module, tuple(images.shape[1:])
        cached = self._layers.get(size)
        if cached is None or cached[0] is not network:
            cached = self._layers[size] = network, self._search(network, images)
        return cached[1]

    def _search(self, network: nn.Module, images: Tensor) -> FeatureLayer:
        # modules of TorchScript take no hooks
        modules = {n: m for n, m in network.named_modules() if n and not isinstance(m, torch.jit.ScriptModule)}
        name = self._options.layer
        if name is not None and name not in modules:
            # what prepares the images stands around the user's network: "layer4" is "model.layer4"
            inner = [known for known in modules if known.endswith(f".{name}")]
            name = inner[0] if len(inner) == 1 else name
        if name is not None and name not in modules:
            close = difflib.get_close_matches(name, modules, n=3) or list(modules)[-8:]
            raise UserError(
                f'layer: the classifier has no layer "{name}"',
                f"try one of: {', '.join(close)}" if close else NO_LAYERS,
            )
        for probe in _probes(images):
            outputs, maps = _trace(self._classifier, modules, probe, differentiate=name is None)
            name = name or _default(outputs, maps)
            if name is not None:
                break
        else:
            raise UserError(
                "Grad-CAM looks at feature maps, and no layer with more than one place that decides the scores was "
                "found",
                f"name one in layer, and its layout; {NO_LAYERS}",
            )
        if name not in outputs:
            raise UserError(f'layer: the classifier does not run "{name}", or it gives no tensor', "name another layer")
        output = outputs[name]
        layout = _layout_of(name, output, self._options, (images.shape[-2], images.shape[-1]))
        return FeatureLayer(name, modules[name], layout)


@frozen(eq=False)
class _Output:
    """Output of a layer for one image: shape, layout and maker if known, and the gradient of a score."""

    shape: tuple[int, ...]
    layout: Layout | None
    maker: str
    gradient: Tensor | None = None


Maps = set[tuple[tuple[int, int], int]]
"""(grid, channels) of the feature maps that operators gave."""


def _probes(images: Tensor) -> Iterator[Tensor]:
    """Images (1, C, H, W) to trace with: noise, and not the images, so that the default depends on the network alone.

    A small network may answer fine noise with zeros only, behind which no gradient tells what decides; coarse noise,
    which is more like a photograph, is tried after it.
    """
    shape = tuple(images.shape[1:])
    yield torch.rand(shape, generator=torch.Generator().manual_seed(0))[None].to(images)
    for cells in COARSE:
        cell = torch.rand((1, shape[0], cells, cells), generator=torch.Generator().manual_seed(cells)).to(images)
        yield nn.functional.interpolate(cell, size=shape[1:], mode="bilinear")


def _trace(
    classifier: Classifier, modules: dict[str, nn.Module], image: Tensor, *, differentiate: bool
) -> tuple[dict[str, _Output], Maps]:
    """Outputs by the layers' names, in the order of the forward pass, and the maps of the operators; no hook stays.

    Gradients are those of the default's choice alone; a named layer needs none.
    """
    noise = image.requires_grad_()
    tracker = CoordinateTracker(noise)
    seen: dict[str, tuple[Tensor, _Output]] = {}

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            seen.pop(name, None)  # a layer that runs again counts at its last run
            if isinstance(output, torch.Tensor):
                coordinates = tracker.of(output)
                layout, maker = (coordinates.layout, coordinates.maker) if coordinates else (None, "")
                seen[name] = output, _Output(tuple(output.shape), layout, maker)

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in modules.items()]
    try:
        with torch.set_grad_enabled(differentiate), tracker:
            scores = classifier.scores(noise)
    finally:
        for handle in handles:
            handle.remove()
    if not differentiate:
        return {name: facts for name, (_, facts) in seen.items()}, tracker.maps
    # a random direction in the scores: the gradient vanishes only where no score depends on the output
    directions = torch.rand(scores.shape, generator=torch.Generator().manual_seed(1)).to(scores)
    tensors = [output for output, _ in seen.values() if output.requires_grad]
    gradients = iter(torch.autograd.grad((directions * scores).sum(), tensors, allow_unused=True) if tensors else ())
    outputs = {
        name: evolve(facts, gradient=next(gradients)) if output.requires_grad else facts
        for name, (output, facts) in seen.items()
    }
    return outputs, tracker.maps


def _default(outputs: dict[str, _Output], maps: Maps) -> str | None:
    """The name of the default layer, see `LayerFinder`; None where no gradient reaches one."""
    for name, output in reversed(outputs.items()):
        layout = output.layout
        if layout is None or layout.size < 2 or output.maker in PROJECTIONS or output.gradient is None:
            continue
        is_map = (layout.grid, output.shape[layout.channel]) in maps
        if is_map and layout.to_nchw(output.gradient).any():
            return name
    return None


def _layout_of(name: str, output: _Output, options: LayerParams, image: tuple[int, int]) -> Layout:
    """The layout of the options, else the traced one, else the only one in the image's proportions."""
    kind = options.layout
    if kind == "auto" and (options.prefix_tokens is not None or options.grid is not None):
        kind = "tokens"
    subject = f'layer: "{name}" gives {output.shape}'
    if kind in ("nchw", "nhwc"):
        if len(output.shape) != 4:
            raise UserError(f"{subject}, and layout: {kind} needs four axes", "set layout to auto or tokens")
        return _four_axes(output.shape, channel=1 if kind == "nchw" else 3)
    if kind == "tokens":
        return _tokens(subject, output, options, image)
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
            f"{subject}; which axis holds the tokens, and how many stand before those of the image, cannot be told",
            "set layout to tokens, and prefix_tokens to the number of class and register tokens",
        )
    if len(output.shape) == 4:
        raise UserError(f"{subject}; which axis holds the channels cannot be told", "set layout to nchw or nhwc")
    raise UserError(
        f"{subject}, and Grad-CAM needs feature maps (N, C, h, w), (N, h, w, C) or tokens (N, T, C)",
        "name a layer before the pooling, or leave layer out",
    )


def _four_axes(shape: tuple[int, ...], channel: int) -> Layout:
    height, width = shape[2:] if channel == 1 else shape[1:3]
    return Layout(channel, (height, width))


def _in_proportion(grid: tuple[int, int], image: tuple[int, int]) -> bool:
    """True if one stride, rounded up or down, gives both sides of the grid."""
    # (H / h, W / w); the coarser one, rounded either way, has to give both sides
    strides = [side / cells for side, cells in zip(image, grid, strict=True)]
    largest = max(strides)
    return all(cells in {int(side / largest), -int(-side // largest)} for side, cells in zip(image, grid, strict=True))


def _tokens(subject: str, output: _Output, options: LayerParams, image: tuple[int, int]) -> Layout:
    """Tokens (N, T, C): the prefix and grid of the options, else those traced, else the image's proportions."""
    if len(output.shape) != 3:
        raise UserError(f"{subject}, and tokens have three axes (N, T, C)", "set layout to nchw or nhwc")
    traced = output.layout if output.layout and output.layout.channel == 2 else None
    prefix = options.prefix_tokens if options.prefix_tokens is not None else (traced.prefix if traced else None)
    if prefix is None:
        raise UserError(
            f"{subject}; how many tokens stand before those of the image cannot be told",
            "set prefix_tokens to the number of class and register tokens, 0 for none",
        )
    count = output.shape[1] - prefix
    if options.grid is not None:
        return _given_grid(subject, options.grid, count, prefix)
    if traced is not None and prefix + traced.size <= output.shape[1]:
        return Layout(2, traced.grid, prefix)
    for height in range(1, count + 1):
        if count % height == 0 and image[0] * (count // height) == image[1] * height:  # h w = T and h / w = H / W
            return Layout(2, (height, count // height), prefix)
    raise UserError(
        f"{subject}; {max(count, 0)} tokens after {prefix} form no grid in the proportions of {image[0]}x{image[1]}",
        "set grid to its height and width, or prefix_tokens to the number of class and register tokens",
    )


def _given_grid(subject: str, grid: tuple[int, ...], count: int, prefix: int) -> Layout:
    if len(grid) != 2 or grid[0] * grid[1] > count:
        raise UserError(
            f"{subject}; grid {list(grid)} does not fit {max(count, 0)} tokens after {prefix}",
            "set grid to height and width, whose product is the number of the image's tokens",
        )
    return Layout(2, (grid[0], grid[1]), prefix)
