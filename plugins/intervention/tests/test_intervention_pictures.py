"""The network that draws: what it begins with, its sizes, and that what it learns is smooth."""

import pytest
import torch
from sidelight_intervention.beginning import linear_beginning
from sidelight_intervention.pictures import PictureNetwork


def fresh(shape, inputs=5, width=2, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return PictureNetwork(inputs, shape, width)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (1, 32, 40), (3, 30, 33), (1, 5, 9), (2, 100, 50)])
def test_pictures_have_the_images_size(shape):
    assert fresh(shape)(torch.zeros(3, 5)).shape == (3, *shape)


def correlated(count=600):
    """Codes of three bits, a layer of five values that they make, and images of which the first bit moves one pixel."""
    random = torch.Generator().manual_seed(1)
    codes = torch.randint(0, 2, (count, 3), generator=random).float()
    mixing = torch.randn(3, 5, generator=random)
    images = torch.full((count, 1, 16, 16), 0.5) + 0.2 * torch.randn(count, 1, 1, 1, generator=random).clamp(-1, 1)
    images[:, 0, 4, 7] += 0.2 * (2 * codes[:, 0] - 1)
    return codes, lambda part: (part - 0.5) @ mixing + 0.3, images


def test_the_beginning_is_the_least_squares_picture():
    codes, layer_of, images = correlated()
    found = linear_beginning(layer_of, codes, images, 5)
    assert found.directions.shape == (5, 5)
    assert (found.directions[3:] == 0).all()  # three bits span three directions
    drawn = found.usual + torch.einsum("nr,rchw->nchw", layer_of(codes) @ found.directions.T, found.pictures)
    change = drawn[codes[:, 0] == 1].mean(0) - drawn[codes[:, 0] == 0].mean(0)
    by_hand = (images[codes[:, 0] == 1].mean(0) - images[codes[:, 0] == 0].mean(0)) / 0.25
    torch.testing.assert_close(change, by_hand, atol=0.05, rtol=0)
    assert float(change[0, 4, 7]) == pytest.approx(1.6, abs=0.1)
    torch.testing.assert_close(drawn.mean(0).sigmoid(), images.mean(0), atol=0.01, rtol=0)


def test_a_network_begins_there():
    codes, layer_of, images = correlated()
    network = fresh((1, 16, 16))
    found = linear_beginning(layer_of, codes, images, network.rank)
    network.begin(found)
    layer = layer_of(codes)
    wanted = found.usual + torch.einsum("nr,rchw->nchw", layer @ found.directions.T, found.pictures)
    assert float((network(layer).detach() - wanted).abs().mean()) < 0.15


def test_the_layer_is_centred_and_scaled():
    one, other = fresh((1, 16, 16)), fresh((1, 16, 16))
    other.mean.fill_(3.0)
    other.scale.fill_(2.0)
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
