"""The network that draws: what it begins with, its sizes, and that what it learns is smooth."""

import pytest
import torch
from sidelight_intervention.pictures import PictureNetwork


def fresh(shape, inputs=5, width=2, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return PictureNetwork(inputs, shape, width)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (1, 32, 40), (3, 30, 33), (1, 5, 9), (2, 100, 50)])
def test_pictures_have_the_images_size(shape):
    assert fresh(shape)(torch.zeros(3, 5)).shape == (3, *shape)


def test_a_fresh_network_draws_the_mean_image():
    usual = torch.linspace(0, 1, 32 * 32).reshape(1, 32, 32)
    network = fresh((1, 32, 32))
    network.begin(torch.ones(5), torch.tensor(2.0), usual)
    layer = 1 + 2 * torch.randn(50, 5, generator=torch.Generator().manual_seed(1))
    drawn = network(layer).detach().sigmoid().mean(0)
    assert float((drawn - usual).abs().mean()) < 0.03
    assert drawn.isfinite().all()


def test_the_layer_is_centred_and_scaled():
    one, other = fresh((1, 16, 16)), fresh((1, 16, 16))
    other.begin(torch.full((5,), 3.0), torch.tensor(2.0), torch.full((1, 16, 16), 0.5))
    layer = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(other(3 + 2 * layer), one(layer))


def roughness(images):
    """The share of the images' variance that is between neighbouring pixels: 1 for white noise."""
    differences = (images[..., 1:] - images[..., :-1]).square().mean() / 2
    return float(differences / images.var())


def test_random_weights_leave_no_grain():
    drawn = fresh((1, 64, 64), width=8)(torch.randn(8, 5, generator=torch.Generator().manual_seed(1))).detach()
    assert roughness(torch.randn(8, 1, 64, 64, generator=torch.Generator().manual_seed(2))) > 0.9
    assert roughness(drawn) < 0.2
