import sys
import types
from subprocess import run as run_process

import attrs
import numpy as np
import pytest
import torch
from sidelight_specs import UserError
from sidelight_specs.testing import ToyClassifier, ToyData, ToyGenerator, ToyRun
from sidelight_stylegan2 import perceptual
from sidelight_stylegan2.files.own import save_network
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.network import Network
from sidelight_stylegan2.params import PretrainedParams, ProjectParams
from sidelight_stylegan2.perceptual import classifier_distance, lpips_distance
from sidelight_stylegan2.pretrained import Pretrained
from sidelight_stylegan2.project import Project, _rate

QUICK = ProjectParams(steps=80, samples=64, perceptual="none")


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = Network(Architecture(image_channels=1, widths=(8, 8, 8), z=6, w=6, mapping=2))
    path = tmp_path_factory.mktemp("network") / "network.safetensors"
    save_network(network, path)
    return Pretrained(PretrainedParams(path=str(path), truncation=1.0), run=ToyRun())


@pytest.fixture(scope="module")
def images(generator):
    with torch.no_grad():
        return generator.synthesize(generator.sample(3, np.random.default_rng(5)))


def inverted(generator, images, params=QUICK, run=None, **needs):
    return Project(params, generator=generator, run=run or ToyRun(), **needs).invert(images)


def test_what_the_generator_made_is_found_again(generator, images):
    start = inverted(generator, images, attrs.evolve(QUICK, steps=1))
    found = inverted(generator, images)
    assert (found.error < 0.1 * start.error).all()
    assert found.latents.shape == (3, 6, 6)


def test_one_w_for_all_layers_stays_one_w(generator, images):
    found = inverted(generator, images, attrs.evolve(QUICK, latents="w"))
    assert np.ptp(found.latents, axis=1).max() == 0
    free = inverted(generator, images)
    assert np.ptp(free.latents, axis=1).max() > 0


def test_neighbours_and_batches_do_not_matter(generator, images):
    together = inverted(generator, images)
    alone = inverted(generator, images, attrs.evolve(QUICK, batch=1))
    np.testing.assert_allclose(together.latents, alone.latents, atol=2e-3)


def test_the_answer_is_kept(generator, images):
    run = ToyRun()
    first = inverted(generator, images, run=run)
    steps = dict(run.steps)
    assert inverted(generator, images, run=run) is first
    assert run.steps == steps == {"projecting": 80}


def test_the_rate_rises_and_falls():
    rates = [_rate(share) for share in np.linspace(0, 1, 101)]
    assert rates[0] < 0.05
    assert rates[10] == rates[70] == 1
    assert rates[-1] < 1e-3
    assert rates[75:] == sorted(rates[75:], reverse=True)


def test_the_noise_ends_with_three_quarters_of_the_search(generator):
    project = Project(ProjectParams(noise=0.1), generator=generator, run=ToyRun())
    assert project._noise(0.0, 2.0) == pytest.approx(0.2)
    assert project._noise(0.375, 2.0) == pytest.approx(0.05)
    assert project._noise(0.8, 2.0) == 0


def test_images_of_another_shape_are_refused(generator):
    with pytest.raises(UserError, match=r"\(1, 8, 8\), the generator makes \(1, 16, 16\)"):
        inverted(generator, torch.zeros(1, 1, 8, 8))


def test_the_classifier_stands_in_for_lpips_and_this_is_said(monkeypatch):
    run, classifier, generator = ToyRun(), ToyClassifier(), ToyGenerator(space="w")
    monkeypatch.setitem(sys.modules, "torchvision", None)
    images = torch.from_numpy(ToyData().split("test").images[:2])
    inverted(generator, images, ProjectParams(steps=2, samples=4), run, classifier=classifier)
    (warning,) = run.warnings
    assert "features of the classifier (relu1, relu2" in warning
    assert "LPIPS cannot be computed" in warning
    run = ToyRun()
    inverted(generator, images, ProjectParams(steps=2, samples=4), run)
    assert "distance is: none" in run.warnings[0]


def test_what_was_asked_for_and_is_not_there_is_an_error(monkeypatch, generator, images, tmp_path):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(UserError, match=r"(?s)LPIPS cannot be computed.*sidelight-stylegan2\[lpips\]"):
        inverted(generator, images, attrs.evolve(QUICK, perceptual="lpips"))
    with pytest.raises(UserError, match="no classifier"):
        inverted(generator, images, attrs.evolve(QUICK, perceptual="classifier"))
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "lpips", types.ModuleType("lpips"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(UserError, match=r"vgg16.*not on this machine"):
        inverted(generator, images, attrs.evolve(QUICK, perceptual="lpips"))


def test_the_features_of_each_resolution_are_compared():
    images = torch.from_numpy(ToyData().split("test").images[:3])
    distance = classifier_distance(ToyClassifier(), images)
    features = distance.features(images)
    assert [part.shape[2] for part in features] == [32, 16]
    torch.testing.assert_close(distance.between(features, features), torch.zeros(3))
    other = distance.features(images.flip(3))
    one, many = (
        distance.between(features, other)[1],
        distance.between([part[1:2] for part in features], [part[1:2] for part in other]),
    )
    assert float(many) == pytest.approx(float(one))
    assert float(one) > 0


class FakeLpips(torch.nn.Module):
    """The parts of lpips.LPIPS that are used, with a formula that can be written down."""

    def __init__(self, net, verbose):
        super().__init__()
        self.net, self.lins = types.SimpleNamespace(forward=lambda x: [x, 2 * x]), [lambda d: d, lambda d: 3 * d]

    @staticmethod
    def scaling_layer(x):
        return x


def test_lpips_is_computed_where_its_network_is(monkeypatch, tmp_path):
    fake = types.ModuleType("lpips")
    fake.LPIPS = FakeLpips
    monkeypatch.setitem(sys.modules, "lpips", fake)
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / perceptual.TRUNK).touch()
    distance = lpips_distance("cpu")
    red, blue = torch.full((2, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), 0.5)
    red[:, 0], blue[:, 2] = 1.0, 1.0
    found = distance.between(distance.features(red), distance.features(blue))
    torch.testing.assert_close(found, torch.full((2,), 4 * 2 / 3))


BROKEN_TORCHVISION = """
import torch
for name in ("nms", "qnms"):
    torch.library.register_fake(f"torchvision::{name}")(lambda *_: None)
READY = True
"""


def test_torchvision_is_imported_without_its_compiled_part(tmp_path):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(BROKEN_TORCHVISION)
    plain = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
    failed = run_process([sys.executable, "-c", plain + "import torchvision"], capture_output=True, text=True)
    assert "operator torchvision::nms does not exist" in failed.stderr
    cure = "from sidelight_stylegan2.torchvision_import import import_torchvision as i; assert i().READY and i().READY"
    done = run_process([sys.executable, "-c", plain + cure], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_weights_do_not_depend_on_the_scale_of_a_distance(generator, images):
    classifier = ToyClassifier()
    params = attrs.evolve(QUICK, steps=5, perceptual="classifier")
    projects = [Project(params, generator=generator, classifier=classifier, run=ToyRun()) for _ in range(2)]
    given = projects[0]._distance(images)
    magnified = attrs.evolve(given, between=lambda ours, theirs: 1000 * given.between(ours, theirs))
    projects[1]._distance = lambda images: magnified
    one, other = (project.invert(images).latents for project in projects)
    np.testing.assert_allclose(one, other, atol=1e-4)
