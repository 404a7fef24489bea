"""The metric LPIPS, with the real package on a random backbone."""

import numpy as np
import pytest
import torch
from sidelight_metrics import lpips
from sidelight_metrics.params import LpipsParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Heatmap, Targets
from sidelight_specs.testing import ToyData, ToyGenerator, ToyInverter, ToyRun
from sidelight_toolkit.perceptual import distance_of_lpips
from sidelight_toolkit.torchvision_import import import_torchvision

TARGETS = Targets(predicted=np.zeros(3, dtype=np.int64), probe=np.ones(3, dtype=np.int64))


@pytest.fixture
def images():
    return torch.from_numpy(ToyData().split("test").images[:3])


@pytest.mark.training
def test_each_image_is_compared_with_its_reconstruction(images, monkeypatch):
    import_torchvision()
    package = pytest.importorskip("lpips")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = package.LPIPS(net="vgg", pretrained=True, pnet_rand=True, verbose=False).eval().requires_grad_(False)
    monkeypatch.setattr(lpips, "lpips_distance", lambda device: distance_of_lpips(network))
    inversion = ToyInverter(ToyGenerator()).invert(images)
    (item,) = lpips.Lpips(LpipsParams(batch=2), run=ToyRun()).measure(inversion, images, TARGETS).items
    reconstructions = torch.from_numpy(inversion.reconstructions)
    expected = network(images * 2 - 1, reconstructions * 2 - 1).flatten()
    assert item.name == "LPIPS"
    np.testing.assert_allclose(item.values, expected, rtol=1e-4, atol=1e-7)


def test_lpips_without_its_network_is_refused_by_name(images, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    inversion = ToyInverter(ToyGenerator()).invert(images)
    with pytest.raises(UserError, match="LPIPS cannot be computed"):
        lpips.Lpips(LpipsParams(), run=ToyRun()).measure(inversion, images, TARGETS)


def test_only_images_are_compared(images):
    heatmap = Heatmap(values=np.zeros((3, 1, 32, 32), dtype=np.float32), answers="predicted")
    with pytest.raises(SidelightError, match='"counterfactual" or "inversion"'):
        lpips.Lpips(LpipsParams(network="efficientnet-lite"), run=ToyRun()).measure(heatmap, images, TARGETS)
