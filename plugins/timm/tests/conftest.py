"""Networks of timm with random weights, written as a user would write them. Small images keep the tests fast."""

import pytest
import torch
from safetensors.torch import save_file
from sidelight_specs.testing import ToyRun
from sidelight_timm.model import TimmModel, import_timm
from sidelight_timm.params import TimmParams

NETWORKS = ("resnet18", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "convnext_atto")
SIDE = 64


def make(architecture, **options):
    """A network of timm in evaluation mode; Swin and ViT are made for images of 64x64."""
    timm = import_timm()
    torch.manual_seed(0)
    fixed = timm.get_pretrained_cfg(architecture).fixed_input_size
    size = {"img_size": SIDE} if fixed and "img_size" not in options else {}
    return timm.create_model(architecture, num_classes=options.pop("num_classes", 7), **size, **options).eval()


@pytest.fixture(scope="session")
def networks():
    return {name: make(name) for name in NETWORKS}


@pytest.fixture(scope="session")
def files(networks, tmp_path_factory):
    """(architecture, ending) to the path of weights."""
    folder = tmp_path_factory.mktemp("weights")
    paths = {}
    for name, network in networks.items():
        paths[name, ".safetensors"] = folder / f"{name}.safetensors"
        save_file(
            {key: value.contiguous() for key, value in network.state_dict().items()}, folder / f"{name}.safetensors"
        )
        paths[name, ".pth"] = folder / f"{name}.pth"
        torch.save(network.state_dict(), folder / f"{name}.pth")
    return paths


@pytest.fixture
def images():
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def load():
    def build(**options):
        options = {name: str(value) if name == "weights" else value for name, value in options.items()}
        return TimmModel(TimmParams(**options), run=ToyRun())

    return build


@pytest.fixture
def small(load):
    """A model for images of 64x64."""

    def build(**options):
        return load(**{"height": SIDE, "width": SIDE, **options})

    return build
