import pytest
import torch
from sidelight_classifiers.files.torch_model import TorchModel
from sidelight_classifiers.params import TorchParams
from sidelight_specs.testing import ToyRun
from torch import nn


class Small(nn.Module):
    """Uses most of what image classifiers use: two branches, an in-place ReLU, sizes, lists of tensors, constants."""

    def __init__(self, classes=5):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(0.5)
        )
        self.norm = nn.GroupNorm(2, 8)
        self.head = nn.Linear(8, classes)
        self.register_buffer("scale", torch.linspace(0.5, 1.5, classes))
        self.offset = torch.tensor([0.25])

    def forward(self, images):
        x = self.features(images)
        first, second = x.chunk(2, 1)
        x = torch.cat([second, first], 1) + self.norm(x)
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear")
        x = x.flatten(2).mean(2).view(images.shape[0], -1)
        return self.head(nn.functional.gelu(x)) * self.scale + self.offset


@pytest.fixture(scope="session")
def small():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Small()
        model(torch.rand(8, 3, 16, 16))  # gives the batch normalisation statistics
    return model.eval()


def export(model, path, shape=(3, 16, 16), free_batch=True):
    shapes = ({0: torch.export.Dim("batch")},) if free_batch else None
    torch.export.save(torch.export.export(model, (torch.rand(2, *shape),), dynamic_shapes=shapes), path)
    return path


@pytest.fixture(scope="session")
def pt2(small, tmp_path_factory):
    return export(small, tmp_path_factory.mktemp("exported") / "small.pt2")


@pytest.fixture(scope="session")
def scripted(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("scripted") / "small.ts"
    torch.jit.script(small).save(path)
    return path


@pytest.fixture
def images():
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def load():
    def build(path, run=None, **options):
        params = TorchParams(path=str(path), **{"height": 16, "width": 16, **options})
        return TorchModel(params, run=run or ToyRun())

    return build
