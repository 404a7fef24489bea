"""Correlation of captum/grad-cam with the package pytorch-grad-cam at the usual layer of ViTs and Swin.

    python benchmarks/grad_cam_peer.py

The package is called as its documentation says, with the reshape_transform written by hand; only weights, images and
class are common. Networks of published shape have random weights and explain seven photographs of 224 pixels; two small
ones are trained on scikit-learn's digits (seed 0) and explain nine test digits. A random network gives some images a
map of zeros, both ways; those have no correlation and are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_captum.grad_cam import GradCam
from sidelight_captum.params import GradCamParams
from sidelight_images.params import PhotosParams
from sidelight_images.photos import Photos
from sidelight_specs.results import Targets
from sidelight_specs.roles import Classifier
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.torchvision_import import import_torchvision, import_with_torchvision
from sklearn.datasets import load_digits
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

STEPS = 400  # of 128 digits; both networks are right on about 8 of 10 test digits after that


class OfModule(Classifier):
    """A classifier made of a torch module."""

    class_names = ()
    input_shape = (3, 224, 224)
    task = "multiclass"
    module: Any = None

    def __init__(self, module: nn.Module) -> None:
        self.module = module.eval().requires_grad_(False)

    def scores(self, images: Tensor) -> Tensor:
        """(N, K) logits."""
        scores: Tensor = self.module(images)
        return scores


def tokens(side: int) -> Callable[[Tensor], Tensor]:
    """The reshape_transform of a ViT with one class token."""
    return lambda output: output[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)


def last(output: Tensor) -> Tensor:
    """The reshape_transform of a Swin."""
    return output.permute(0, 3, 1, 2)


class Logits(nn.Module):
    """The tensor in transformers' answer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """(N, K)."""
        scores: Tensor = self.model(pixel_values=images).logits
        return scores


def of_torchvision() -> nn.Module:
    """vit_b_16, whose head begins at zero."""
    import_torchvision()
    from torchvision.models import vit_b_16

    network = vit_b_16(weights=None)
    nn.init.normal_(network.heads.head.weight, std=0.02)
    return network


def of_transformers() -> nn.Module:
    """The configuration of ViT-Tiny."""
    from transformers import ViTConfig, ViTForImageClassification

    shape = {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768, "num_labels": 1000}
    return Logits(ViTForImageClassification(ViTConfig(**shape)))


def trained(network: nn.Module, images: Tensor, labels: Tensor) -> nn.Module:
    """The network after `STEPS` of AdamW."""
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    for _ in range(STEPS):
        rows = torch.randint(len(images), (128,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
        optimizer.step()
    return network


def cases() -> Iterator[tuple[str, nn.Module, str, Callable[[Tensor], Tensor], Tensor]]:
    """Name, network, usual layer, reshape_transform, images."""
    timm = import_with_torchvision("timm")
    photos = torch.from_numpy(np.asarray(Photos(PhotosParams(size=224), run=ToyRun()).split("test").images))
    for name, layer, transform in (
        ("vit_tiny_patch16_224", "blocks.11.norm1", tokens(14)),
        ("swin_tiny_patch4_window7_224", "layers.3.blocks.1.norm1", last),
    ):
        torch.manual_seed(0)
        yield f"timm {name}", timm.create_model(name, pretrained=False), layer, transform, photos
    torch.manual_seed(0)
    yield "torchvision vit_b_16", of_torchvision(), "encoder.layers.encoder_layer_11.ln_1", tokens(14), photos
    torch.manual_seed(0)
    network = of_transformers()
    (layer,) = [n for n, _ in network.named_modules() if "11" in n and n.endswith("layernorm_before")]
    yield "transformers ViT, size tiny", network, layer, tokens(14), photos
    digits = torch.from_numpy(load_digits().images).float()[:, None] / 16
    digits = nn.functional.interpolate(digits, size=32, mode="bilinear")
    labels = torch.from_numpy(load_digits().target)
    vit = timm.models.VisionTransformer(32, 4, 1, 10, embed_dim=48, depth=4, num_heads=3)
    swin = timm.models.SwinTransformer(32, 2, 1, 10, embed_dim=24, depths=(2, 2), num_heads=(2, 4), window_size=4)
    for name, model, layer, transform in (
        ("timm ViT", vit, "blocks.3.norm1", tokens(8)),
        ("timm Swin", swin, "layers.1.blocks.1.norm1", last),
    ):
        network = trained(model, digits[:1500], labels[:1500]).eval()
        with torch.no_grad():
            accuracy = float((network(digits[1500:]).argmax(1) == labels[1500:]).float().mean())
        yield f"{name}, digits ({accuracy:.0%} right)", network, layer, transform, digits[1500:1509]


def main() -> None:
    """Print a row for each network."""
    package = import_with_torchvision("pytorch_grad_cam")
    print("network | layer | least, median correlation | images | maps of zeros")
    for name, network, layer, transform, images in cases():
        classifier = OfModule(network)
        with torch.no_grad():
            order = network(images).argsort(1, descending=True).numpy()
        targets = Targets(predicted=order[:, 0].copy(), probe=order[:, 1].copy())
        ours = GradCam(GradCamParams(layer=layer), classifier=classifier, run=ToyRun()).explain(images, targets).values
        network.requires_grad_(True)
        with package.GradCAM(network, [network.get_submodule(layer)], transform) as cam:
            theirs = cam(images, None)
        empty = (theirs.std((1, 2)) == 0) & (ours.std((1, 2)) == 0)
        pairs = zip(ours[~empty], theirs[~empty], strict=True)
        values = np.array([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])
        print(
            f"{name} | {layer} | {values.min():.6f}, {np.median(values):.6f} | {len(images)} | {empty.sum()}",
            flush=True,
        )


if __name__ == "__main__":
    main()
