"""Perceptual distances: LPIPS (Zhang et al. 2018), and its formula on the features of other networks.

    d(x, x') = sum_l 1/(H_l W_l) sum_hw |w_l * (y_l - y'_l)|^2        (Zhang et al. 2018, equation 1)

y_l are the features of layer l, (N, C_l, H_l, W_l), each position's vector scaled to length 1; w_l are LPIPS's learned
channel weights, 1 for other networks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import torch
from sidelight_specs import UserError
from torch import Tensor
from torch.nn import functional

from sidelight_toolkit.layout import CoordinateTracker, Layout
from sidelight_toolkit.lite0 import Lite0, load_pretrained, weights_file
from sidelight_toolkit.lpips_weights import INSTALL, VGG16, download_hint
from sidelight_toolkit.torchvision_import import import_torchvision

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier


@attrs.frozen(eq=False)
class Distance:
    """A distance between images, in two steps, so that the features of a fixed image are computed once.

    Args:
        name: shown to the user, such as `"LPIPS (VGG16)"`.
        features: (N, C, H, W) images in [0, 1] to a list of (N, C_l, H_l, W_l), normalised along C_l.
        between: two such lists to (N,) distances.
    """

    name: str
    features: Callable[[Tensor], list[Tensor]]
    between: Callable[[list[Tensor], list[Tensor]], Tensor]


def no_distance() -> Distance:
    """A distance of 0, without features."""
    return Distance("none", lambda _: [], lambda ours, _: torch.zeros(()))


def lpips_or(fallback: Callable[[], Distance], run: Run) -> Distance:
    """LPIPS where its weights are on this machine, otherwise the fallback; a warning names the choice."""
    try:
        distance, reason = lpips_distance(run.device), ""
    except UserError as error:
        distance, reason = fallback(), f"; {error.message}"
    run.warn(f"the perceptual distance is: {distance.name}{reason}")
    return distance


def lpips_distance(device: str) -> Distance:
    """LPIPS with VGG16, from the package `lpips`. Nothing is downloaded.

    Raises:
        UserError: the package or the backbone's weights are missing.
    """
    backbone = Path(torch.hub.get_dir()) / "checkpoints" / VGG16
    try:
        import_torchvision()
        import lpips
    except ImportError as error:
        raise UserError(f"LPIPS cannot be computed: {error}", INSTALL) from error
    if not backbone.is_file():  # the package would download it
        message = f"LPIPS cannot be computed: its backbone {VGG16} is not on this machine"
        raise UserError(message, download_hint(backbone))
    return distance_of_lpips(lpips.LPIPS(net="vgg", verbose=False).to(device).eval().requires_grad_(False))


def distance_of_lpips(network: Any) -> Distance:
    """The distance of an `lpips.LPIPS`, split into features and their comparison.

    Args:
        network: in evaluation mode, which switches its dropout off.
    """

    def features(images: Tensor) -> list[Tensor]:
        rgb = images.expand(-1, 3, -1, -1)  # grey images have one channel
        return [_normalised(y) for y in network.net.forward(network.scaling_layer(rgb * 2 - 1))]

    def between(ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
        layers = zip(network.lins, ours, theirs, strict=True)
        # a lin is a 1x1 convolution without bias: w_l^2 in equation 1, (N, C_l, H_l, W_l) -> (N, 1, H_l, W_l)
        return torch.stack([lin((y - y_).square()).mean((1, 2, 3)) for lin, y, y_ in layers]).sum(0)

    return Distance("LPIPS (VGG16)", features, between)


def lite0_distance(device: str) -> Distance:
    """Equation 1 with w = 1 on the first layers of EfficientNet-Lite0: a stand-in for LPIPS that pip can install.

    Layers are the stem and the first block, at half the images' size, and the third block, at a quarter.

    Raises:
        UserError: the package with the weights is missing.
    """
    with torch.device("meta"):
        network = Lite0()
    load_pretrained(network, weights_file(), device)
    network.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]
    stages = (network.stem, network.blocks[0], network.blocks[1:3])

    def features(images: Tensor) -> list[Tensor]:
        x = (images.expand(-1, 3, -1, -1) * 255 - 127) / 128  # the network's own input range
        x, layers = x.contiguous(memory_format=torch.channels_last), []
        for stage in stages:
            x = stage(x)
            layers.append(_normalised(x.float()))  # under autocast stages give bfloat16
        return layers

    return Distance("the first layers of EfficientNet-Lite0", features, lambda *sides: _unweighted(*sides).sum(0))


def classifier_distance(classifier: Classifier, images: Tensor) -> Distance:
    """Equation 1 with w = 1, averaged over layers, on the classifier's own features.

    Of each resolution the last layer is taken. Feature maps may have their channels first (convolutional networks) or
    last (Swin): see `sidelight_toolkit.layout`.

    Args:
        classifier: shows its activations.
        images: (N, C, H, W); the first one is used to find the layers.

    Raises:
        UserError: no layer gives feature maps.
    """
    layouts = _map_layouts(classifier, images[:1])
    if not layouts:
        raise UserError("the classifier has no layer with feature maps", "set perceptual to lpips or none")

    def features(images: Tensor) -> list[Tensor]:
        with classifier.watch(tuple(layouts)) as activations:
            classifier.scores(images)
            return [_normalised(layout.to_nchw(activations[name])) for name, layout in layouts.items()]

    name = f"features of the classifier ({', '.join(layouts)})"
    return Distance(name, features, lambda *sides: _unweighted(*sides).mean(0))


def _map_layouts(classifier: Classifier, image: Tensor) -> dict[str, Layout]:
    """Layouts of the last layer of each resolution, of those with four axes and more than one row and column."""
    layouts: dict[tuple[int, int], tuple[str, Layout]] = {}
    with torch.no_grad(), classifier.watch(classifier.layers) as activations:
        tracker = CoordinateTracker(image)
        with tracker:
            classifier.scores(image)
        for name in classifier.layers:
            if (output := activations[name]).ndim != 4:
                continue
            # a shape alone does not tell (N, C, H, W) from (N, H, W, C); channels come first where it is unknown
            coordinates = tracker.of(output)
            layout = (coordinates.layout if coordinates else None) or Layout(1, (output.shape[2], output.shape[3]))
            if min(layout.grid) > 1:
                layouts[layout.grid] = name, layout
    return dict(layouts.values())


def _unweighted(ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
    """The terms of equation 1 with w = 1, (L, N)."""
    layers = zip(ours, theirs, strict=True)
    return torch.stack([(y - y_).square().sum(1).mean((1, 2)) for y, y_ in layers])


def _normalised(features: Tensor) -> Tensor:
    """Each position's feature vector at length 1."""
    return functional.normalize(features, dim=1, eps=1e-10)
