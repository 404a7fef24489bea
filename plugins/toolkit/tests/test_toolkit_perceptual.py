"""Perceptual distances against the package lpips (random backbone, offline) and against formulas written out."""

import sys
from pathlib import Path
from subprocess import run as run_process

import pytest
import torch
from sidelight_specs import UserError
from sidelight_specs.testing import ToyClassifier, ToyData, ToyRun
from sidelight_toolkit import perceptual
from sidelight_toolkit.classifier import TorchClassifier
from sidelight_toolkit.lpips_weights import VGG16, backbone_file, lpips_mistakes
from sidelight_toolkit.perceptual import (
    classifier_distance,
    distance_of_lpips,
    lpips_distance,
    lpips_or,
    no_distance,
)
from sidelight_toolkit.torchvision_import import import_torchvision
from torch import nn


def compared(distance, ours, theirs):
    with torch.no_grad():
        return distance.between(distance.features(ours), distance.features(theirs))


@pytest.fixture(scope="module")
def network():
    """The package's network with its learned channel weights on a VGG16 of random weights."""
    import_torchvision()
    lpips = pytest.importorskip("lpips")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return lpips.LPIPS(net="vgg", pretrained=True, pnet_rand=True, verbose=False).eval().requires_grad_(False)


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "colour"])
@pytest.mark.training
def test_lpips_is_that_of_the_package(network, channels):
    images, others = torch.rand(2, 3, channels, 32, 40, generator=torch.Generator().manual_seed(1))
    # the package's own forward takes [-1, 1]; a grey image broadcasts in its scaling layer
    expected = network(images * 2 - 1, others * 2 - 1).flatten()
    found = compared(distance_of_lpips(network), images, others)
    assert expected.min() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)
    assert compared(distance_of_lpips(network), images, images).abs().max() == 0


def test_lpips_is_loaded_where_its_backbone_is(network, monkeypatch, tmp_path):
    """Where the file is there, the package is asked for its pretrained VGG16, which is not on a test machine."""
    calls = []
    monkeypatch.setattr(sys.modules["lpips"], "LPIPS", lambda **options: calls.append(options) or network)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(UserError, match=r"vgg16.*not on this machine"):
        lpips_distance("cpu")
    assert not calls, "the package would download the backbone"
    (tmp_path / "checkpoints" / VGG16).touch()
    assert lpips_distance("cpu").name == "LPIPS (VGG16)"
    assert calls == [{"net": "vgg", "verbose": False}]


def test_the_fallback_is_taken_with_a_warning(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    run = ToyRun()
    assert lpips_or(no_distance, run).name == "none"
    assert run.warnings[0].startswith("the perceptual distance is: none; LPIPS cannot be computed")


def test_the_backbone_is_looked_for_where_torch_keeps_it(monkeypatch, tmp_path):
    for variables in ({"TORCH_HOME": str(tmp_path)}, {"XDG_CACHE_HOME": str(tmp_path)}, {}):
        for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert backbone_file() == Path(torch.hub.get_dir()) / "checkpoints" / VGG16


def test_a_missing_package_and_a_missing_backbone_are_mistakes(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (mistake,) = lpips_mistakes("perceptual")
    assert VGG16 in mistake.message
    backbone_file().parent.mkdir(parents=True)
    backbone_file().touch()
    assert not list(lpips_mistakes("perceptual"))
    monkeypatch.setattr("sidelight_toolkit.lpips_weights.find_spec", lambda _: None)
    (mistake,) = lpips_mistakes("perceptual")
    assert "pip install" in mistake.fix


def test_the_last_layer_of_each_resolution_is_compared():
    images = torch.from_numpy(ToyData().split("test").images[:3])
    distance = classifier_distance(ToyClassifier(), images)
    features = distance.features(images)
    assert [layer.shape[2] for layer in features] == [32, 16]
    torch.testing.assert_close(distance.between(features, features), torch.zeros(3))
    other = distance.features(images.flip(3))
    together = distance.between(features, other)[1]
    alone = distance.between([layer[1:2] for layer in features], [layer[1:2] for layer in other])
    assert float(alone) == pytest.approx(float(together))
    assert float(together) > 0


class ChannelsLast(nn.Module):
    """As in Swin: a patch embedding, then (N, h, w, C) with layer normalisation and linear layers."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm, self.mlp, self.head = (
            nn.Conv2d(1, 6, 4, 4),
            nn.LayerNorm(6),
            nn.Linear(6, 6),
            nn.Linear(6, 2),
        )

    def forward(self, x):
        x = self.embed(x).permute(0, 2, 3, 1)
        x = x + self.mlp(self.norm(x))
        return self.head(x.mean((1, 2)))


class Wrapped(TorchClassifier):
    task, class_names, input_shape = "multiclass", ("a", "b"), (1, 16, 24)

    def __init__(self, module):
        self._module = module.eval().requires_grad_(False)

    module = property(lambda self: self._module)


def test_channels_that_come_last_are_channels():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = Wrapped(ChannelsLast())
        images, others = torch.rand(2, 3, 1, 16, 24)
    distance = classifier_distance(classifier, images)
    (features,) = distance.features(images)
    assert features.shape == (3, 6, 4, 6)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(3, 4, 6))
    with torch.no_grad(), classifier.watch(["mlp"]) as seen:
        sides = []
        for batch in (images, others):
            classifier.scores(batch)
            sides.append(nn.functional.normalize(seen["mlp"], dim=3))
    expected = (sides[0] - sides[1]).square().sum(3).mean((1, 2))
    torch.testing.assert_close(compared(distance, images, others), expected)


def test_a_classifier_without_feature_maps_is_refused():
    classifier = Wrapped(nn.Sequential(nn.Flatten(), nn.Linear(16 * 24, 2)))
    with pytest.raises(UserError, match="no layer"):
        classifier_distance(classifier, torch.rand(1, 1, 16, 24))


def test_feature_maps_whose_places_are_lost_have_their_channels_first(monkeypatch):
    images = torch.from_numpy(ToyData().split("test").images[:3])
    expected = classifier_distance(ToyClassifier(), images)
    monkeypatch.setattr(perceptual.CoordinateTracker, "of", lambda *_: None)
    found = classifier_distance(ToyClassifier(), images)
    assert found.name == expected.name
    assert [f.shape for f in found.features(images)] == [f.shape for f in expected.features(images)]


BROKEN_TORCHVISION = """
import torch
for name in ("nms", "qnms"):
    torch.library.register_fake(f"torchvision::{name}")(lambda *_: None)
READY = True
"""


@pytest.mark.processes
def test_torchvision_is_imported_without_its_compiled_part(tmp_path):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(BROKEN_TORCHVISION)
    plain = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
    failed = run_process([sys.executable, "-c", plain + "import torchvision"], capture_output=True, text=True)
    assert "operator torchvision::nms does not exist" in failed.stderr
    cure = "from sidelight_toolkit.torchvision_import import import_torchvision as i; assert i().READY and i().READY"
    done = run_process([sys.executable, "-c", plain + cure], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
