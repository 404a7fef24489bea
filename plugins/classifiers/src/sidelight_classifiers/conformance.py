"""Toy models and files for the conformance kit; see `sidelight_specs.testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs import live
from sidelight_specs.testing import Toys
from torch import nn

if TYPE_CHECKING:
    from pathlib import Path


class Shades(nn.Module):
    """Two logits, from the mean brightness of the left and of the right half."""

    def __init__(self) -> None:
        super().__init__()
        self.halves = nn.AdaptiveAvgPool2d((1, 2))
        self.logits = nn.Linear(2, 2)
        nn.init.eye_(self.logits.weight)
        nn.init.zeros_(self.logits.bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 1, H, W) to (N, 2)."""
        logits: torch.Tensor = self.logits(self.halves(images).flatten(1))
        return logits


def exported_shades(folder: Path) -> dict[str, Any]:
    """Export `Shades` for images of 16x16 into a folder; the parameters of `torch` with which it is read."""
    path = folder / "shades.pt2"
    if not path.exists():
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(Shades().eval(), (torch.rand(2, 1, 16, 16),), dynamic_shapes=shapes)
        torch.export.save(program, path)
    return {"path": str(path)}


def onnx_shades(folder: Path) -> dict[str, Any]:
    """Write what `Shades` computes as an ONNX file into a folder; the parameters of `onnx` with which it is read."""
    from onnx import TensorProto, helper, save

    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 16, 16])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])
    pool = helper.make_node("AveragePool", ["images"], ["halves"], kernel_shape=[16, 8], strides=[16, 8])
    flatten = helper.make_node("Flatten", ["halves"], ["logits"])
    graph = helper.make_graph([pool, flatten], "shades", [images], [logits])
    path = folder / "shades.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return {"path": str(path)}


def live_shades(folder: Path) -> dict[str, Any]:
    """Hold `Shades` as long as the process lives; the parameters of `live` with which it is found."""
    del folder
    held = _HELD.setdefault("shades", live.hold(Shades().eval(), lambda _: "shades"))
    return {"object": held.token}


_HELD: dict[str, live.Live] = {}

toys = {
    "efficientnet-lite": Toys(shape=(3, 32, 32)),
    "live": Toys(example=live_shades),
    "onnx": Toys(example=onnx_shades),
    "torch": Toys(example=exported_shades),
}
