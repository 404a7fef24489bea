"""Functional Fisher information: closed forms, and few passes against one for each coordinate."""

import math

import numpy as np
import pytest
import torch
from sidelight_intervention.conformance import trained_decoder
from sidelight_intervention.decoder import fisher
from sidelight_intervention.decoder.fisher import (
    InformationSimilarity,
    PerturbationSampler,
    classifier_information,
    cosine,
    decoder_information,
    estimate_information,
    exact_information,
    gradient_information,
    mean_by_coordinate,
    perturb,
    root_of_classes,
    root_of_pixels,
)
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import SHAPE, ToyData
from torch import nn


@pytest.fixture(scope="module")
def network():
    """Twelve pixels of five coordinates."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        layers = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 12), nn.Unflatten(1, (3, 2, 2)))
    return layers.requires_grad_(False)


def by_the_definition(h, point, samples):
    """Equation 4, coordinate by coordinate, output by output, with the Gaussian's quadrature: (S,)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(samples)
    vector = []
    for i in range(len(point)):
        total = 0.0
        for node, weight in zip(nodes, weights / weights.sum(), strict=True):
            z = point.clone()
            z[i] += float(node)
            slopes = torch.autograd.functional.jacobian(lambda x: h(x[None])[0], z)[:, i]
            total += float(weight) * float((slopes**2 / h(z[None])[0]).sum())
        vector.append(total)
    return torch.tensor(vector)


def estimated(root, point, outputs, rounds, seed=0):
    """The same by `estimate_information`, every coordinate from the same few passes."""
    draw = PerturbationSampler(len(point), torch.Generator().manual_seed(seed))
    count = rounds * len(point)
    coordinates = draw.coordinates(count)
    rows = perturb(point.expand(count, -1), coordinates, draw.noise(count))
    values = estimate_information(root, rows, coordinates, draw.signs(count, outputs))
    return mean_by_coordinate(values, coordinates, len(point))[0]


def test_the_information_of_a_sigmoid_unit():
    """h = sigmoid(w z): h'^2 / h = w^2 h (1 - h)^2."""
    w, z = torch.tensor([[3.0]]), torch.tensor([[-0.4], [0.0], [1.1]])
    h = (z @ w).sigmoid()
    by_hand = 9 * h * (1 - h) ** 2
    result = exact_information(lambda rows: root_of_pixels(rows @ w), z, torch.zeros(3, dtype=torch.int64))
    torch.testing.assert_close(result, by_hand[:, 0])


def test_the_information_of_two_classes():
    """Two classes with logits (0, a z): the Fisher information of a Bernoulli variable, a^2 p (1 - p)."""
    z = torch.tensor([[-2.0], [0.3]])
    p = (1.5 * z).sigmoid()[:, 0]
    result = exact_information(
        lambda rows: root_of_classes(torch.cat([0 * rows, 1.5 * rows], 1)), z, torch.zeros(2, dtype=int)
    )
    torch.testing.assert_close(result, 1.5**2 * p * (1 - p))


@pytest.mark.training
def test_few_passes_give_the_definition_s_value(network):
    point = torch.tensor([0.2, -1.0, 0.5, 1.5, -0.3])
    wanted = by_the_definition(lambda z: network(z).flatten(1).sigmoid(), point, 40)
    result = estimated(lambda z: root_of_pixels(network(z)), point, 12, 20_000)
    torch.testing.assert_close(result, wanted, rtol=0.05, atol=0)


def test_projections_have_the_exact_columns_as_their_mean(network):
    rows = torch.randn(6, 5, generator=torch.Generator().manual_seed(1)).repeat_interleave(8000, 0)
    coordinates = torch.tensor([0, 1, 2, 3, 4, 0]).repeat_interleave(8000)
    signs = PerturbationSampler(5, torch.Generator().manual_seed(2)).signs(len(rows), 12)
    root = lambda z: root_of_pixels(network(z))  # noqa: E731
    result = estimate_information(root, rows, coordinates, signs).reshape(6, 8000).mean(1)
    torch.testing.assert_close(result, exact_information(root, rows[::8000], coordinates[::8000]), rtol=0.06, atol=0)


def test_only_the_coordinate_of_interest_is_moved():
    points = torch.zeros(3, 4)
    rows = perturb(points, torch.tensor([0, 3, 1]), torch.tensor([1.0, -2.0, 0.5]))
    assert rows.tolist() == [[1, 0, 0, 0], [0, 0, 0, -2], [0, 0.5, 0, 0]]
    assert (points == 0).all()


def test_the_gaussian_has_variance_one_and_coordinates_take_turns():
    draw = PerturbationSampler(7, torch.Generator().manual_seed(0))
    noise = draw.noise(50_000)
    assert float(noise.mean()) == pytest.approx(0, abs=0.02)
    assert float(noise.var()) == pytest.approx(1, abs=0.03)
    counts = torch.bincount(torch.cat([draw.coordinates(5) for _ in range(70)]))
    assert counts.tolist() == [50] * 7
    signs = draw.signs(100, 9)
    assert set(signs.unique().tolist()) == {-1.0, 1.0}


def test_black_pixels_have_finite_slopes():
    rows = torch.full((1, 1), -200.0)
    assert float(exact_information(root_of_pixels, rows, torch.zeros(1, dtype=torch.int64))[0]) == 0.0
    values = estimate_information(root_of_pixels, rows, torch.zeros(1, dtype=torch.int64), torch.ones(1, 1))
    assert values.isfinite().all()


def test_coordinates_nobody_looked_at_count_zero():
    means, counts = mean_by_coordinate(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([2, 2, 0]), 4)
    assert means.tolist() == [5.0, 0.0, 2.0, 0.0]
    assert counts.tolist() == [1.0, 0.0, 2.0, 0.0]


def test_the_similarity_is_the_cosine_of_the_running_means():
    shared = InformationSimilarity(torch.tensor([1.0, 0.0]), "cosine", decay=0.5)
    coordinates = torch.tensor([0, 1])
    assert float(shared(torch.tensor([1.0, 1.0]), coordinates)) == pytest.approx(1 / math.sqrt(2), rel=1e-5)
    # The second look weighs 2/3: means (1/3 + 2/3 * 4, 1) = (3, 1).
    assert float(shared(torch.tensor([4.0, 1.0]), coordinates)) == pytest.approx(3 / math.sqrt(10), rel=1e-5)
    product = InformationSimilarity(torch.tensor([2.0, 1.0]), "dot")
    assert float(product(torch.tensor([3.0, 4.0]), coordinates)) == pytest.approx(10)


def test_the_slope_of_the_similarity_is_that_of_the_step():
    shared = InformationSimilarity(torch.tensor([1.0, 0.0]), "cosine")
    values = torch.tensor([1.0, 1.0], requires_grad=True)
    (slope,) = torch.autograd.grad(shared(values, torch.tensor([0, 1])), values)
    # d cos / dv for v = (1, 1), w = (1, 0): (w - cos v / |v|) / |v|.
    torch.testing.assert_close(slope, torch.tensor([0.5, -0.5]) / math.sqrt(2))


def test_learning_by_the_similarity_turns_information_towards_the_classifier_s():
    """A linear picture of two coordinates that starts blind to the one that the classifier uses."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.Linear(2, 4)
    with torch.no_grad():
        layer.weight[:, 1] = 0.01
    shared = InformationSimilarity(torch.tensor([0.0, 1.0]), "cosine")
    draw = PerturbationSampler(2, torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(layer.parameters(), 0.05)
    similarities = []
    for _ in range(200):
        coordinates = draw.coordinates(8)
        rows = perturb(torch.zeros(8, 2), coordinates, draw.noise(8))
        signs = draw.signs(8, 4)
        values = estimate_information(lambda z: root_of_pixels(layer(z)), rows, coordinates, signs, learn=True)
        similarity = shared(values, coordinates)
        optimizer.zero_grad()
        (1 / similarity).backward()
        optimizer.step()
        similarities.append(float(similarity.detach()))
    assert similarities[0] < 0.2
    assert similarities[-1] > 0.8


def test_cosine_of_vectors():
    assert cosine(torch.tensor([1.0, 1.0]), torch.tensor([2.0, 2.0])) == pytest.approx(1)
    assert cosine(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0])) == 0
    assert math.isnan(cosine(torch.tensor([1.0, 0.0]), torch.zeros(2)))


def test_along_axes_the_information_is_that_of_a_turned_layer(network):
    """Rows z = a A: the information of z's function along A's rows is that of a's function in its coordinates."""
    axes = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(5)))[0][:2]
    point, count = torch.tensor([0.2, -1.0, 0.5, 1.5, -0.3]), 16_000
    draw = PerturbationSampler(2, torch.Generator().manual_seed(0))
    coordinates = draw.coordinates(count)
    noise, signs = draw.noise(count), draw.signs(count, 12)
    rows = perturb(point.expand(count, -1), coordinates, noise, axes)
    result = estimate_information(lambda z: root_of_pixels(network(z)), rows, coordinates, signs, axes)
    turned = perturb(torch.zeros(count, 2), coordinates, noise)
    by_hand = estimate_information(lambda a: root_of_pixels(network(point + a @ axes)), turned, coordinates, signs)
    torch.testing.assert_close(result, by_hand, rtol=1e-3, atol=1e-4)


def test_principal_axes_are_the_directions_that_the_decoded_layer_varies_along():
    random = torch.Generator().manual_seed(0)
    layer = torch.randn(400, 2, generator=random) @ torch.tensor([[3.0, 0, 0, 4.0], [0, 1.0, 0, 0]]) + 7
    axes = fisher.principal_axes(layer, ToyRun())
    torch.testing.assert_close(axes.abs(), torch.tensor([[0.6, 0, 0, 0.8], [0, 1, 0, 0]]), atol=0.05, rtol=0)


def linear(rows):
    """Pictures of one pixel whose log-odds grow by 3 along the first coordinate and by 4 along the second."""
    return rows @ torch.tensor([[3.0], [4.0]])


def test_the_share_of_the_information_that_pictures_show():
    layer = torch.zeros(8, 2)
    share = fisher.information_along(linear, layer, ToyRun(), 4, torch.tensor([[1.0, 0.0]]))
    assert share == pytest.approx(9 / 25)


def on_a_grid(root, layer, nodes=401):
    """Equation 5, every image and every coordinate, the Gaussian on a fine grid and columns in full: (S,)."""
    points = torch.linspace(-5, 5, nodes)
    weights = torch.exp(-points.square() / 2)
    vector = []
    for i in range(layer.shape[1]):
        coordinates = torch.full((nodes,), i)
        columns = torch.stack(
            [exact_information(root, perturb(row.repeat(nodes, 1), coordinates, points), coordinates) for row in layer]
        )
        vector.append((columns @ weights).mean() / weights.sum())
    return torch.stack(vector)


@pytest.mark.training
def test_the_vectors_that_are_compared_are_those_of_the_definition():
    decoder = trained_decoder(SHAPE, "multiclass")
    dvae = decoder.dvae
    layer = dvae.read(torch.from_numpy(ToyData(SHAPE).split("test").images[:4]))
    decoded = dvae.decode(dvae.encode(layer)).detach()
    with torch.no_grad():
        wanted = on_a_grid(lambda rows: root_of_classes(dvae.head(rows)), layer)
        drawn = on_a_grid(lambda rows: root_of_pixels(decoder.network(rows)), decoded)
    torch.testing.assert_close(classifier_information(dvae, layer, ToyRun()), wanted, rtol=0.1, atol=0)
    torch.testing.assert_close(decoder_information(decoder.network, decoded, ToyRun(), 3000), drawn, rtol=0.15, atol=0)


def test_gradients_of_rows_tell_the_information_of_all_coordinates(network):
    """Without noise, the mean of `exact_information` over the rows, coordinate by coordinate."""
    points = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    root = lambda z: root_of_pixels(network(z))  # noqa: E731
    rows = points.repeat_interleave(8000, 0)
    signs = PerturbationSampler(5, torch.Generator().manual_seed(2)).signs(len(rows), 12)
    columns = [exact_information(root, points, torch.full((3,), i)).mean() for i in range(5)]
    torch.testing.assert_close(gradient_information(root, rows, signs), torch.stack(columns), rtol=0.06, atol=0)


def test_two_estimates_of_a_large_layer_agree():
    """3,000 coordinates of which the classifier uses a few more than the others; noise in one at a time drowns that."""
    weights = torch.randn(3000, generator=torch.Generator().manual_seed(0)) ** 3 / 100
    layer = torch.randn(400, 3000, generator=torch.Generator().manual_seed(1))

    class Dvae:
        def head(self, rows):
            return torch.stack([torch.zeros(len(rows)), rows @ weights], 1)

    one, other = (classifier_information(Dvae(), layer, ToyRun(seed)) for seed in (1, 2))
    assert cosine(one, other) > 0.99
    assert cosine(one, weights.square()) > 0.99
