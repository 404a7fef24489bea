import numpy as np
import pytest
import torch
from sidelight_cdeepex.generators.networks import CriticNetwork, GeneratorNetwork
from sidelight_cdeepex.generators.wgan import Critic, WassersteinGan, clip_weights, gradient_penalty, update_average
from sidelight_cdeepex.params import GanParams
from sidelight_specs import NotFittedError
from sidelight_specs.testing import ToyData, ToyRun
from torch import nn

pytestmark = pytest.mark.training

DATA = ToyData((1, 16, 16))
SMALL = {"latent": 6, "width": 8, "critic_width": 8, "batch": 24, "rate": 0.003, "critic_rate": 0.003, "average": 0.9}


@pytest.fixture(scope="module")
def trained():
    run = ToyRun()
    gan = WassersteinGan(GanParams(steps=150, **SMALL), run=run)
    gan.fit(DATA)
    return gan, run


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 28, 28), (2, 9, 37), (3, 64, 48)])
def test_any_size_and_number_of_channels(shape):
    images = GeneratorNetwork(shape, 5, 2)(torch.randn(2, 5))
    assert images.shape == (2, *shape)
    assert 0 <= images.min() <= images.max() <= 1
    assert CriticNetwork(shape, 2)(images).shape == (2,)


def test_the_generator_has_the_papers_shape():
    parts = list(GeneratorNetwork((1, 64, 64), 100, 4).modules())
    assert sum(isinstance(part, nn.ConvTranspose2d) for part in parts) == 5
    assert sum(isinstance(part, nn.BatchNorm2d) for part in parts) == 4


def test_the_penalty_of_a_linear_critic_is_that_of_its_weights():
    weights = torch.randn(1, 2, 3, 3)
    result = gradient_penalty(lambda images: (images * weights).sum((1, 2, 3)), torch.rand(5, 2, 3, 3))
    torch.testing.assert_close(result, (weights.norm() - 1).square())


def test_the_penalty_of_a_quadratic_critic_is_that_of_its_images():
    images = torch.randn(5, 1, 4, 4)
    result = gradient_penalty(lambda images: images.square().sum((1, 2, 3)) / 2, images)
    torch.testing.assert_close(result, (images.flatten(1).norm(dim=1) - 1).square().mean())


def test_the_penalty_teaches_the_weights():
    weight = torch.tensor(3.0, requires_grad=True)
    result = gradient_penalty(lambda images: weight * images.flatten(1).sum(1), torch.rand(2, 1, 1, 1))
    (gradient,) = torch.autograd.grad(result, weight)
    torch.testing.assert_close(gradient, torch.tensor(4.0))  # of (w - 1)^2


def critic_of(network, seed=0, **options):
    return Critic(network, GanParams(**options), torch.Generator().manual_seed(seed))


def test_between_two_points_the_critic_finds_their_distance():
    """Two point masses lie d apart: slope s gains d s and costs 10 (s - 1)^2, so that s = 1 + d / 20 is best."""
    torch.manual_seed(0)
    real, made = torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8)
    critic = critic_of(CriticNetwork((1, 8, 8), 8), critic_rate=0.003)
    for _ in range(300):
        critic.step(real.expand(16, -1, -1, -1), made.expand(16, -1, -1, -1))
    distance, found = (real - made).norm().item(), critic.distances.arrays()["distance"]
    assert np.mean(found[-50:]) == pytest.approx(distance * (1 + distance / 20), rel=0.02)


def test_clipped_weights_stay_within_the_limit():
    network = CriticNetwork((1, 8, 8), 4)
    critic = critic_of(network, lipschitz="clipping", clip=0.02)
    critic.step(torch.rand(4, 1, 8, 8), torch.rand(4, 1, 8, 8))
    assert max(weight.abs().max().item() for weight in network.parameters()) <= 0.02
    clip_weights(network, 0.005)
    assert max(weight.abs().max().item() for weight in network.parameters()) == pytest.approx(0.005)


def test_the_average_follows_weights_and_running_statistics():
    average, network = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    nn.init.constant_(network.weight, 5.0)
    network.running_mean.fill_(8.0)
    network.num_batches_tracked.fill_(7)
    for _ in range(2):
        update_average(average, network, 0.75)
    torch.testing.assert_close(average.weight.detach(), torch.full((2,), 5 - 4 * 0.75**2))
    torch.testing.assert_close(average.running_mean, torch.full((2,), 8 - 8 * 0.75**2))
    assert average.num_batches_tracked == 7


def test_samples_come_to_look_like_the_training_images(trained):
    gan, _ = trained
    real = torch.from_numpy(DATA.split("train").images)
    fresh = WassersteinGan(GanParams(steps=1, **SMALL), run=ToyRun())
    fresh.fit(DATA)
    latents = gan.sample(64, np.random.default_rng(0))
    before, after = ((made.synthesize(latents).mean(0) - real.mean(0)).square().mean() for made in (fresh, gan))
    assert after < 0.3 * before


def test_training_leaves_its_traces(trained):
    gan, run = trained
    state = gan.state()
    assert state.settings["lipschitz"] == "penalty"
    assert {name: len(curve) for name, curve in state.curves.items()} == {"loss": 150, "distance": 300}
    assert run.steps == {"training gan": 150}
    assert list(run.emitted) == ["training images", "samples"]


def test_the_network_is_frozen_after_training(trained):
    gan, _ = trained
    latents = torch.zeros(1, 6, requires_grad=True)
    (gradient,) = torch.autograd.grad(gan.synthesize(latents).sum(), latents)
    assert gradient.abs().sum() > 0
    assert not any(module.training for module in gan._networks.modules())
    assert not any(weight.requires_grad for weight in gan._networks.parameters())


def test_untrained_is_an_error():
    gan = WassersteinGan(GanParams(), run=ToyRun())
    for use in (lambda: gan.image_shape, lambda: gan.synthesize(torch.zeros(1, 100)), gan.state):
        with pytest.raises(NotFittedError, match="gan"):
            use()
