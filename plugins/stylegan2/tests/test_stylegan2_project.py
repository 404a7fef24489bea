import sys
import types

import attrs
import numpy as np
import pytest
import torch
from sidelight_specs import UserError
from sidelight_specs.testing import ToyClassifier, ToyData, ToyGenerator, ToyRun
from sidelight_stylegan2 import project
from sidelight_stylegan2.descent import rate_factor
from sidelight_stylegan2.files.own import save_network
from sidelight_stylegan2.networks.architecture import Architecture
from sidelight_stylegan2.networks.synthesis import Network
from sidelight_stylegan2.params import PretrainedParams, ProjectParams
from sidelight_stylegan2.pretrained import Pretrained
from sidelight_stylegan2.project import Project
from sidelight_toolkit.perceptual import Distance

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


@pytest.mark.training
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


@pytest.mark.training
def test_neighbours_and_batches_do_not_matter(generator, images):
    together = inverted(generator, images)
    alone = inverted(generator, images, attrs.evolve(QUICK, batch=1))
    np.testing.assert_allclose(together.latents, alone.latents, atol=2e-3)


def test_the_answer_is_kept(generator, images):
    run = ToyRun()
    first = inverted(generator, images, run=run)
    steps = dict(run.steps)
    again = inverted(generator, images, run=run)
    assert again.digest() == first.digest()
    assert run.steps == steps == {"projecting": 80}


def test_either_space_whatever_the_option_says(generator, images):
    quick = attrs.evolve(QUICK, steps=5)
    made = Project(quick, generator=generator, run=ToyRun())
    assert np.ptp(made.invert_into(images, "w").latents, axis=1).max() == 0
    assert np.ptp(made.invert(images).latents, axis=1).max() > 0
    shared = Project(attrs.evolve(quick, latents="w"), generator=generator, run=ToyRun())
    np.testing.assert_array_equal(shared.invert(images).latents, made.invert_into(images, "w").latents)


def test_large_images_are_optimised_few_at_a_time(generator, images, monkeypatch):
    monkeypatch.setattr(project, "DESCENT_PIXELS", 2 * 16 * 16)
    run = ToyRun()
    inverted(generator, images, attrs.evolve(QUICK, steps=4), run=run)
    assert run.steps == {"projecting": 2 * 4}, "two of the three images, then the third"


def test_answers_by_another_distance_are_not_taken(generator, images, monkeypatch):
    """`auto` takes LPIPS once it is installed."""
    run, quick = ToyRun(), attrs.evolve(QUICK, perceptual="auto", steps=2)
    for name in ("one", "other"):
        distance = Distance(name, lambda x: [x], lambda ours, theirs: (ours[0] - theirs[0]).abs().mean((1, 2, 3)))
        monkeypatch.setattr(project, "chosen_distance", lambda *_, distance=distance: distance)
        inverted(generator, images, quick, run=run)
    assert run.steps == {"projecting": 4}


def test_the_rate_rises_and_falls():
    rates = [rate_factor(share) for share in np.linspace(0, 1, 101)]
    assert rates[0] < 0.05
    assert rates[10] == rates[70] == 1
    assert rates[-1] < 1e-3
    assert rates[75:] == sorted(rates[75:], reverse=True)


def test_the_noise_ends_with_three_quarters_of_the_search(generator):
    project = Project(ProjectParams(noise=0.1), generator=generator, run=ToyRun())
    assert project._noise_scale(0.0, 2.0) == pytest.approx(0.2)
    assert project._noise_scale(0.375, 2.0) == pytest.approx(0.05)
    assert project._noise_scale(0.8, 2.0) == 0


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
    with pytest.raises(UserError, match=r"(?s)LPIPS cannot be computed.*pip install lpips torchvision"):
        inverted(generator, images, attrs.evolve(QUICK, perceptual="lpips"))
    with pytest.raises(UserError, match="no classifier"):
        inverted(generator, images, attrs.evolve(QUICK, perceptual="classifier"))
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "lpips", types.ModuleType("lpips"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(UserError, match=r"vgg16.*not on this machine"):
        inverted(generator, images, attrs.evolve(QUICK, perceptual="lpips"))


def test_weights_do_not_depend_on_the_scale_of_a_distance(generator, images):
    classifier = ToyClassifier()
    params = attrs.evolve(QUICK, steps=5, perceptual="classifier")
    projects = [Project(params, generator=generator, classifier=classifier, run=ToyRun()) for _ in range(2)]
    given = projects[0]._distance(images)
    magnified = attrs.evolve(given, between=lambda ours, theirs: 1000 * given.between(ours, theirs))
    projects[1]._distance = lambda images: magnified
    one, other = (project.invert(images).latents for project in projects)
    np.testing.assert_allclose(one, other, atol=1e-4)
