import numpy as np
import pytest
import torch
from sidelight_cdeepex.generators.networks import DecoderNetwork, EncoderNetwork
from sidelight_cdeepex.generators.vae import Vae, divergence
from sidelight_cdeepex.params import VaeParams
from sidelight_specs import NotFittedError, SidelightError
from sidelight_specs.testing import ToyData, ToyRun
from torch.distributions import Normal, kl_divergence

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def trained():
    run = ToyRun()
    vae = Vae(VaeParams(latent=6, width=8, steps=150, batch=24, rate=0.01, variance=0.002), run=run)
    vae.fit(ToyData())
    return vae, run


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 28, 28), (2, 9, 37), (3, 64, 48)])
def test_any_size_and_number_of_channels(shape):
    mean, log_variance = EncoderNetwork(shape, 5, 2)(torch.rand(2, *shape))
    assert mean.shape == log_variance.shape == (2, 5)
    images = DecoderNetwork(shape, 5, 2)(mean)
    assert images.shape == (2, *shape)
    assert 0 <= images.min() <= images.max() <= 1


def test_the_encoder_has_the_papers_shape():
    network = EncoderNetwork((1, 64, 64), 400, 8)
    assert sum(isinstance(part, torch.nn.Conv2d) for part in network.modules()) == 4
    assert [part.out_features for part in network.modules() if isinstance(part, torch.nn.Linear)] == [400, 400]


def test_the_divergence_is_that_of_normal_distributions():
    mean, log_variance = torch.randn(4, 3), torch.randn(4, 3)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence(mean, log_variance), expected)


def test_unseen_images_are_reproduced_better_than_by_their_mean(trained):
    vae, _ = trained
    train, test = (torch.from_numpy(ToyData().split(name).images) for name in ("train", "test"))
    error = (vae.synthesize(vae.encode(test)) - test).square().mean()
    assert error < 0.6 * (train.mean(0) - test).square().mean()


def test_training_lowers_the_loss_and_leaves_its_traces(trained):
    vae, run = trained
    losses = vae.state().curves["loss"]
    assert losses[-20:].mean() < 0.5 * losses[:5].mean()
    assert set(run.emitted) == {"training images", "reconstructions", "samples"}
    assert run.emitted["samples"].images.shape == run.emitted["reconstructions"].images.shape == (16, 1, 32, 32)


def test_networks_are_frozen_after_training(trained):
    vae, _ = trained
    latents = torch.zeros(1, 6, requires_grad=True)
    (gradient,) = torch.autograd.grad(vae.synthesize(latents).sum(), latents)
    assert gradient.abs().sum() > 0
    assert not any(weight.requires_grad for weight in vae._networks.parameters())


def test_untrained_is_an_error():
    vae = Vae(VaeParams(), run=ToyRun())
    for use in (lambda: vae.image_shape, lambda: vae.synthesize(torch.zeros(1, 32)), vae.state):
        with pytest.raises(NotFittedError):
            use()


def test_a_rate_that_is_too_high_is_named():
    vae = Vae(VaeParams(latent=2, width=2, steps=60, rate=1.0, variance=1e-6), run=ToyRun())

    class Broken(ToyData):
        def split(self, name):
            split = super().split(name)
            split.images[:] = np.nan
            return split

    with pytest.raises(SidelightError, match="the loss is nan"):
        vae.fit(Broken())
