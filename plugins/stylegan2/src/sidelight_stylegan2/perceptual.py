"""Distances between images as networks see them: LPIPS (Zhang et al. 2018), or features of a classifier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import torch
from sidelight_specs import UserError
from sidelight_toolkit.lite0 import Lite0, load_pretrained, weights_file
from torch import Tensor
from torch.nn import functional

from sidelight_stylegan2.networks.pixels import from_pixels
from sidelight_stylegan2.torchvision_import import import_torchvision

if TYPE_CHECKING:
    from sidelight_specs.roles import Classifier

TRUNK = "vgg16-397923af.pth"
"""The ImageNet weights that LPIPS works with, as torchvision names the file."""


@attrs.frozen(eq=False)
class Distance:
    """A distance of images, and what it is.

    Args:
        what: for the user: `"LPIPS (VGG16)"`.
        features: (N, C, H, W) in [0, 1] to several (N, ...) tensors.
        between: two such lists of features to (N,) distances.
    """

    what: str
    features: Callable[[Tensor], list[Tensor]]
    between: Callable[[list[Tensor], list[Tensor]], Tensor]


def none() -> Distance:
    """Pixels alone are compared."""
    return Distance("none", lambda _: [], lambda ours, _: torch.zeros(()))


def lpips_distance(device: str) -> Distance:
    """LPIPS with VGG16, where package and network are on this machine; nothing is downloaded.

    Raises:
        UserError: the package `lpips` or the network is missing.
    """
    trunk = Path(torch.hub.get_dir()) / "checkpoints" / TRUNK
    network = _lpips(trunk).to(device).eval().requires_grad_(False)

    def features(images: Tensor) -> list[Tensor]:
        rgb = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        return [_unit(part) for part in network.net.forward(network.scaling_layer(from_pixels(rgb)))]

    def between(ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
        pairs = zip(network.lins, ours, theirs, strict=True)
        return torch.stack([layer((a - b).square()).mean((1, 2, 3)) for layer, a, b in pairs]).sum(0)

    return Distance("LPIPS (VGG16)", features, between)


def _lpips(trunk: Path) -> Any:
    try:
        import_torchvision()
        import lpips
    except ImportError as error:
        raise UserError(f"LPIPS cannot be computed: {error}", "pip install 'sidelight-stylegan2[lpips]'") from error
    if not trunk.is_file():
        raise UserError(
            f"LPIPS cannot be computed: its network {TRUNK} is not on this machine",
            f"download it from download.pytorch.org/models/{TRUNK} to {trunk.parent}",
        )
    return lpips.LPIPS(net="vgg", verbose=False)


def lite0_distance(device: str) -> Distance:
    """LPIPS's formula without learned weights, on the first layers of EfficientNet-Lite0: a stand-in, summed over them.

    Features are those of its stem and its first block, at half the images' size, and of its third, at a quarter.

    Raises:
        UserError: the package with its weights is missing.
    """
    with torch.device("meta"):
        network = Lite0()
    load_pretrained(network, weights_file(), device)
    network.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]
    parts = (network.stem, network.blocks[0], network.blocks[1:3])

    def features(images: Tensor) -> list[Tensor]:
        x = (images.expand(-1, 3, -1, -1) * 255 - 127) / 128
        x, found = x.contiguous(memory_format=torch.channels_last), []
        for part in parts:
            x = part(x)
            found.append(_unit(x.float()))
        return found

    return Distance("the first layers of EfficientNet-Lite0", features, lambda *sides: _apart(*sides).sum(0))


def classifier_distance(classifier: Classifier, images: Tensor) -> Distance:
    """LPIPS's formula without learned weights, on the classifier's own features.

    Args:
        classifier: shows its activations.
        images: (N, C, H, W), to see which layers there are: the last one of each resolution is taken.

    Raises:
        UserError: no layer keeps places apart.
    """
    layers = _layers(classifier, images[:1])
    if not layers:
        raise UserError("the classifier has no layer with features at places", "set perceptual to lpips or none")

    def features(images: Tensor) -> list[Tensor]:
        with classifier.watch(layers) as seen:
            classifier.scores(images)
            return [_unit(seen[name]) for name in layers]

    what = f"features of the classifier ({', '.join(layers)})"
    return Distance(what, features, lambda *sides: _apart(*sides).mean(0))


def _layers(classifier: Classifier, image: Tensor) -> tuple[str, ...]:
    with torch.no_grad(), classifier.watch(classifier.layers) as seen:
        classifier.scores(image)
        sizes = {name: tuple(seen[name].shape[2:]) for name in classifier.layers if seen[name].ndim == 4}
    last = {size: name for name, size in sizes.items() if min(size) > 1}
    return tuple(last.values())


def _apart(ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
    """(layers, N): squared differences of feature vectors, averaged over places."""
    pairs = zip(ours, theirs, strict=True)
    return torch.stack([(a - b).square().sum(1).mean((1, 2)) for a, b in pairs])


def _unit(features: Tensor) -> Tensor:
    """Each place's feature vector at length 1."""
    return functional.normalize(features, dim=1, eps=1e-10)
