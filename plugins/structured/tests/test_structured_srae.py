"""The three terms of equation 1 against closed forms, and the network that they train."""

import numpy as np
import pytest
import torch
from sidelight_structured.xnn.srae import (
    ExplanationNetwork,
    faithfulness,
    pull_away,
    sparse_reconstruction,
    squared_cosines,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def tensor(array):
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


def test_faithfulness_is_the_squared_distance_for_each_image_and_logit(rng):
    said, wanted = rng.normal(size=(2, 6, 3))
    expected = sum(np.sum((said[i] - wanted[i]) ** 2) for i in range(6)) / 6 / 3
    assert faithfulness(tensor(said), tensor(wanted)).item() == pytest.approx(expected)


def test_reconstruction_takes_the_logarithm_of_each_dimension_apart(rng):
    rebuilt, layer = rng.normal(size=(2, 6, 4))
    expected = np.mean([np.log(1 + 100 * np.mean((rebuilt[:, k] - layer[:, k]) ** 2)) for k in range(4)])
    assert sparse_reconstruction(tensor(rebuilt), tensor(layer), 100).item() == pytest.approx(expected)


def test_giving_up_one_dimension_is_cheaper_than_spreading_the_same_error():
    layer = torch.zeros(1, 4)
    one, spread = torch.tensor([[2.0, 0, 0, 0]]), torch.ones(1, 4)
    assert one.square().sum() == spread.square().sum()
    assert sparse_reconstruction(one, layer, 100) < sparse_reconstruction(spread, layer, 100)


def test_pull_away_is_the_mean_squared_cosine_between_columns(rng):
    values = rng.uniform(0.1, 1, size=(7, 3))
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    cosines = [
        values[:, a] @ values[:, b] / np.linalg.norm(values[:, a]) / np.linalg.norm(values[:, b]) for a, b in pairs
    ]
    assert pull_away(tensor(values)).item() == pytest.approx(sum(np.square(cosines)) / (3 * 2))


def test_features_are_compared_and_not_images():
    disjoint = torch.tensor([[1.0, 0], [0, 1], [2, 0], [0, 3]])  # images 0 and 2 are parallel
    assert pull_away(disjoint).item() == 0
    assert pull_away(disjoint.T).item() > 0


def test_parallel_features_count_1_whatever_their_size():
    column = torch.rand(5, 1)
    assert pull_away(torch.cat([column, 7 * column], 1)).item() == pytest.approx(1, abs=1e-5)


def test_silencing_a_feature_does_not_lower_the_mean_over_the_others():
    values = torch.rand(9, 3) + 0.1
    silent = torch.cat([values, torch.zeros(9, 2)], 1)
    assert pull_away(silent).item() == pytest.approx(pull_away(values).item(), rel=1e-5)
    assert squared_cosines(silent)[3:].abs().max() == 0
    assert torch.isfinite(torch.autograd.grad(pull_away(silent.requires_grad_()), silent)[0]).all()


def test_one_feature_has_no_pair():
    assert pull_away(torch.rand(4, 1)).item() == 0


def test_the_loss_weighs_its_terms():
    torch.manual_seed(0)
    network = ExplanationNetwork(6, 2, 3, (5,))
    network.feature_scale.fill_(2.0)
    network.logit_scale.fill_(3.0)
    layer, logits = torch.rand(8, 6), torch.randn(8, 2)
    loss = network.loss(layer, logits, beta=0.5, eta=0.25, q=100)
    x_features = network.x_features(layer)
    rebuilt = network.decoder(x_features)
    assert loss.faithfulness.item() == pytest.approx(((network.logits(x_features) - logits) / 3).square().mean().item())
    assert loss.reconstruction.item() == pytest.approx(sparse_reconstruction(rebuilt, layer / 2, 100).item())
    assert loss.orthogonality.item() == pytest.approx(pull_away(x_features).item())
    expected = loss.faithfulness + 0.5 * loss.reconstruction + 0.25 * loss.orthogonality
    assert loss.total.item() == pytest.approx(expected.item())


def test_logits_are_the_constant_and_the_weighted_features():
    torch.manual_seed(0)
    network = ExplanationNetwork(6, 2, 3, (5,))
    network.logit_scale.fill_(3.0)
    x_features = network.x_features(torch.rand(4, 6))
    assert (x_features >= 0).all()
    assert torch.allclose(network.logits(x_features), network.constant + x_features @ network.weights.T, atol=1e-6)


def test_another_order_and_unit_leave_logits_and_reconstruction():
    torch.manual_seed(0)
    network = ExplanationNetwork(6, 2, 4, (5,))
    layer = torch.randn(20, 6)
    before = network.x_features(layer)
    order, units = torch.tensor([2, 0, 3, 1]), torch.tensor([0.5, 2.0, 3.0, 0.1])
    other = network.reorder(order, units)
    after = other.x_features(layer)
    assert torch.allclose(after, (before / units)[:, order], atol=1e-5)
    assert torch.allclose(other.logits(after), network.logits(before), atol=1e-5)
    assert torch.allclose(other.decoder(after), network.decoder(before), atol=1e-5)


def test_leaving_out_a_silent_feature_changes_nothing():
    torch.manual_seed(0)
    network = ExplanationNetwork(6, 2, 4, (5,))
    with torch.no_grad():
        network.encoder[-2].weight[1] = 0
        network.encoder[-2].bias[1] = -1
    layer = torch.randn(20, 6)
    other = network.reorder(torch.tensor([0, 2, 3]), torch.ones(4))
    assert other.sizes == (6, 5, 3)
    assert torch.allclose(other.logits(other.x_features(layer)), network.logits(network.x_features(layer)), atol=1e-5)


def test_rebuilt_dimensions_are_r_squared_of_the_decoder(rng):
    torch.manual_seed(0)
    network = ExplanationNetwork(6, 2, 4, (5,))
    network.feature_scale.fill_(2.0)
    layer = torch.randn(20, 6)
    layer[:, 3] = 7.0
    decoded = (network.decoder(network.x_features(layer)) * 2).detach().numpy()
    z = layer.numpy()
    wanted = [
        1 - ((decoded[:, k] - z[:, k]) ** 2).sum() / ((z[:, k] - z[:, k].mean()) ** 2).sum() for k in (0, 1, 2, 4, 5)
    ]
    rebuilt = network.rebuilt(layer)
    assert rebuilt[[0, 1, 2, 4, 5]].tolist() == pytest.approx(wanted, rel=1e-3)
    assert rebuilt[3] == 0


def test_without_the_term_the_decoder_learns_and_changes_nothing_else():
    torch.manual_seed(0)
    network = ExplanationNetwork(6, 2, 3, (5,))
    loss = network.loss(torch.rand(8, 6), torch.randn(8, 2), beta=0.0, eta=0.25, q=100)
    assert loss.total.item() == pytest.approx((loss.faithfulness + 0.25 * loss.orthogonality).item())
    gradient = torch.autograd.grad(loss.total, list(network.parameters()), retain_graph=True)
    without = torch.autograd.grad(loss.faithfulness + 0.25 * loss.orthogonality, [*network.encoder.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(gradient, without, strict=False))
    decoder = [*network.decoder.parameters()]
    assert all(one.abs().max() > 0 for one in gradient[-len(decoder) :])
