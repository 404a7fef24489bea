"""The network that draws: what it begins with, its sizes, and that what it learns is smooth."""

import pytest
import torch
from sidelight_intervention.decoder.fisher import cosine, exact_information, root_of_pixels
from sidelight_intervention.decoder.initialization import align_information, least_squares
from sidelight_intervention.decoder.network import DecoderNetwork


def fresh(shape, inputs=5, width=2, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return DecoderNetwork(inputs, shape, width)


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


def drawn_by(linear):
    """Log-odds of the pixels, from layers (N, S)."""

    def logits(layer):
        along = (layer - linear.centre) @ linear.directions.T
        return linear.bias + torch.einsum("nr,rchw->nchw", along, linear.components)

    return logits


def test_the_beginning_is_the_least_squares_picture():
    codes, layer_of, images = correlated()
    result = least_squares(layer_of, codes, images, 5)
    assert result.directions.shape == (5, 5)
    assert (result.directions[3:] == 0).all()  # three bits span three directions
    drawn = drawn_by(result)(layer_of(codes))
    change = drawn[codes[:, 0] == 1].mean(0) - drawn[codes[:, 0] == 0].mean(0)
    by_hand = (images[codes[:, 0] == 1].mean(0) - images[codes[:, 0] == 0].mean(0)) / 0.25
    torch.testing.assert_close(change, by_hand, atol=0.05, rtol=0)
    assert float(change[0, 4, 7]) == pytest.approx(1.6, abs=0.1)
    torch.testing.assert_close(drawn.mean(0).sigmoid(), images.mean(0), atol=0.01, rtol=0)


def test_a_network_begins_there():
    codes, layer_of, images = correlated()
    network = fresh((1, 16, 16))
    result = least_squares(layer_of, codes, images, network.rank)
    network.load_linear(result)
    layer = layer_of(codes)
    assert float((network(layer).detach() - drawn_by(result)(layer)).abs().mean()) < 0.15


def wider(values=12, still=4):
    """The same codes and images; three bits make `values` values of the layer, and `still` more do not move."""
    codes, _, images = correlated()
    mixing = torch.randn(3, values, generator=torch.Generator().manual_seed(4))
    return codes, lambda part: torch.cat([(part - 0.5) @ mixing, torch.zeros(len(part), still)], 1) + 0.3, images


def test_directions_are_turned_without_changing_a_picture():
    codes, layer_of, images = wider()
    result = least_squares(layer_of, codes, images, 8)
    turned = align_information(result, torch.linspace(0.1, 2.0, 16))
    assert result.span.shape == (3, 16)
    assert float((turned.directions - result.directions).abs().max()) > 0.1
    layer = layer_of(codes)
    torch.testing.assert_close(drawn_by(turned)(layer), drawn_by(result)(layer), atol=1e-4, rtol=0)


@pytest.mark.training
def test_turned_directions_take_from_each_coordinate_what_the_classifier_does():
    """By the exact Jacobian; the last four coordinates, which never move, told the pictures nothing before."""
    codes, layer_of, images = wider()
    result, wanted = least_squares(layer_of, codes, images, 8), torch.linspace(0.1, 2.0, 16)

    def information(linear):
        rows, root = linear.centre.repeat(16, 1), lambda rows: root_of_pixels(drawn_by(linear)(rows))
        return exact_information(root, rows, torch.arange(16))

    before, after = information(result), information(align_information(result, wanted))
    assert (before[12:] < 1e-9).all()
    assert cosine(before, wanted) < 0.8
    torch.testing.assert_close(after / after.sum(), wanted / wanted.sum(), atol=1e-3, rtol=0.02)


def test_nothing_is_turned_where_the_layer_varies_along_every_coordinate():
    codes, layer_of, images = correlated()
    result = least_squares(lambda part: layer_of(part)[:, :3], codes, images, 3)
    turned = align_information(result, torch.tensor([1.0, 0.0, 5.0]))
    torch.testing.assert_close(turned.directions, result.directions, atol=1e-4, rtol=0)


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
