"""ONNX files with gradients: exports of torchvision, timm and transformers, held against onnxruntime and the network.

    python benchmarks/onnx_gradients.py [NAME...]

Each network is exported by torch's older exporter (operator set 17) and by its newer one (operator set 20), with a free
number of images, and read by `classifiers/onnx`. Weights are random, so that nothing is downloaded: parameters that are
zero at first are drawn from N(0, 0.02^2), and batch normalisation takes its statistics from 8 images, so that no score
vanishes. Images are noise of 8 x 8 pixels, enlarged.

Printed for each file: nodes in the file; the largest difference of scores to onnxruntime's, in units of the largest
score; the largest difference of the gradient of one score to that of the network itself, in float64, in units of the
largest gradient; the relative error of the derivative along a random direction to central differences, in float64;
whether Grad-CAM takes the same layer by default as in the network itself; seconds to read the file for the first time,
with the trial in a child process; seconds of one forward pass of 4 images, in torch and in onnxruntime.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime
import torch
from sidelight_classifiers.files.onnx_inspection import header
from sidelight_classifiers.files.onnx_model import OnnxModel
from sidelight_classifiers.params import OnnxParams
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.feature_layer import LayerFinder
from sidelight_toolkit.options import LayerParams
from sidelight_toolkit.torchvision_import import import_torchvision
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

STEP = 1e-8  # of the central difference: a larger one crosses more kinks of ReLU, a smaller one rounds


class Logits(nn.Module):
    """A network of transformers as a function of images."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to logits (N, K)."""
        logits: Tensor = self.network(pixel_values=images).logits
        return logits


class Original(TorchClassifier):
    """The network itself as a classifier, its layers under the names of the file's."""

    task = "multiclass"
    class_names = ("a", "b")

    def __init__(self, network: nn.Module, shape: tuple[int, int, int]) -> None:
        self._module = nn.Sequential()
        self._module.add_module("model", network)
        self._shape = shape

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._module

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """As given."""
        return self._shape


def networks() -> dict[str, tuple[Callable[[], nn.Module], int]]:
    """Name to a function that builds the network, and the side of its images."""
    import_torchvision()
    import timm
    from torchvision import models
    from transformers import ViTConfig, ViTForImageClassification

    vit = ViTConfig(
        hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768, num_labels=1000
    )
    made: dict[str, tuple[Callable[[], nn.Module], int]] = {
        f"torchvision {name}": (getattr(models, name), 224)
        for name in (
            "resnet50", "vit_b_16", "mobilenet_v3_large", "efficientnet_b0", "swin_t", "convnext_tiny", "densenet121",
        )
    }  # fmt: skip
    for name, side in {
        "resnet18": 224, "vit_tiny_patch16_224": 224, "deit_tiny_distilled_patch16_224": 224,
        "vit_small_patch14_reg4_dinov2": 224, "swin_tiny_patch4_window7_224": 224, "swinv2_tiny_window8_256": 256,
        "convnext_atto": 224, "mixer_s32_224": 224, "maxvit_rmlp_pico_rw_256": 256,
    }.items():  # fmt: skip
        more = {"img_size": 224, "num_classes": 1000} if "dinov2" in name else {}
        made[f"timm {name}"] = (lambda name=name, more=more: timm.create_model(name, **more), side)  # type: ignore[misc]
    made["transformers ViT (tiny)"] = (lambda: Logits(ViTForImageClassification(vit)), 224)
    return made


def calibrated(network: nn.Module, side: int) -> nn.Module:
    """Random weights with which no score vanishes."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the statistics of the one batch that follows
    if norms:
        with torch.no_grad():
            network.train()(pictures(8, side))
    return network.eval()


def pictures(count: int, side: int) -> Tensor:
    """(N, 3, side, side) images in [0, 1]: noise of 8 x 8 pixels, enlarged."""
    return nn.functional.interpolate(torch.rand(count, 3, 8, 8), size=(side, side), mode="bicubic").clamp(0, 1)


def export(network: nn.Module, path: Path, exporter: str, side: int) -> None:
    """Write the network as a file that takes any number of images."""
    network.requires_grad_(True)  # frozen, attention takes a fused path that the older exporter does not know
    images = (torch.rand(2, 3, side, side),)
    if exporter == "newer":
        shapes = ({0: torch.export.Dim("batch")},)
        torch.onnx.export(network, images, path, dynamo=True, dynamic_shapes=shapes, verbose=False)
    else:
        axes = {"images": {0: "batch"}}
        names: dict[str, Any] = {"input_names": ["images"], "dynamic_axes": axes}
        torch.onnx.export(network, images, path, dynamo=False, opset_version=17, **names)


def measure(network: nn.Module, path: Path, side: int) -> str:
    """The row of one file."""
    params = OnnxParams(path=str(path), height=side, width=side)
    began = time.perf_counter()
    classifier = OnnxModel(params, run=ToyRun())
    module = classifier.module
    loading = time.perf_counter() - began
    images = pictures(4, side)
    began = time.perf_counter()
    with torch.no_grad():
        scores = module(images)
    ours = time.perf_counter() - began
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: images.numpy()}
    began = time.perf_counter()
    (reference,) = session.run(None, given)
    theirs = time.perf_counter() - began
    difference = float((scores - torch.from_numpy(reference)).abs().max() / scores.abs().max())
    network.requires_grad_(False)
    layers = [layer(each, images[:1]) for each in (classifier, Original(network, (3, side, side)))]
    derivative = derivative_error(module.double(), images[:1])
    gradients = [gradient(each.double(), images[:1].double()) for each in (module, network)]
    spread = float((gradients[0] - gradients[1]).abs().max() / gradients[1].abs().max())
    network.float()
    same = "same" if layers[0] == layers[1] else f"{layers[0]} for {layers[1]}"
    graph = header(path)
    assert graph is not None
    return (
        f"{len(graph.nodes):6} {float(scores.abs().max()):7.2f} {difference:10.1e} {spread:10.1e} "
        f"{derivative:10.1e} {loading:6.1f} {ours:6.2f} {theirs:6.2f}  {same}"
    )


def layer(classifier: TorchClassifier, images: Tensor) -> str:
    """Name and layout of Grad-CAM's default layer."""
    try:
        found = LayerFinder(classifier, LayerParams())(images)
    except UserError as error:
        return str(error).partition("\n")[0]
    return f"{found.name} {found.layout.grid}"


def gradient(module: nn.Module, images: Tensor) -> Tensor:
    """Gradient of the first score with respect to the images."""
    given = images.clone().requires_grad_()
    (result,) = torch.autograd.grad(module(given)[:, 0].sum(), given)
    return result


def derivative_error(module: nn.Module, images: Tensor) -> float:
    """Relative error of the derivative of the first score along a random direction, in float64."""
    given, direction = images.double(), torch.randn(images.shape, dtype=torch.float64)
    with torch.no_grad():
        ahead, behind = (module(given + sign * STEP * direction)[:, 0].sum() for sign in (1, -1))
    expected = float(ahead - behind) / (2 * STEP)
    return abs(float((gradient(module, given) * direction).sum()) - expected) / abs(expected)


def main(names: list[str]) -> None:
    """Print the table."""
    warnings.filterwarnings("ignore")
    print(
        f"{'network':42} {'export':7} {'nodes':>5} {'score':>7} {'ort diff':>10} {'gradient':>10} {'fin. diff':>10} "
        f"{'load':>6} {'torch':>6} {'ort':>6}  Grad-CAM's layer"
    )
    for name, (build, side) in networks().items():
        if names and not any(each in name for each in names):
            continue
        torch.manual_seed(0)
        network = calibrated(build(), side)
        for exporter in ("older", "newer"):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.onnx"
                try:
                    export(network, path, exporter, side)
                except Exception as error:  # of torch's exporters, which have no common base
                    print(f"{name:42} {exporter:7} not exported: {str(error).strip().splitlines()[0][:80]}")
                    continue
                print(f"{name:42} {exporter:7}{measure(network, path, side)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
