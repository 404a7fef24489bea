import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight_stylex.losses import divergence, edge_loss, pixel_loss, square_loss, w_loss
from sidelight_stylex.networks import Condition, WPrior, centred, root_mean_square
from torch.nn import functional

seeds = st.integers(0, 2**16)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_pixels_are_compared_at_three_sizes(seed):
    one, other = normal(seed, 2, 3, 8, 8), normal(seed + 1, 2, 3, 8, 8)
    sizes = [(functional.avg_pool2d(one, k) - functional.avg_pool2d(other, k)).abs().mean() for k in (1, 2, 4)]
    torch.testing.assert_close(pixel_loss(one, other), sum(sizes) / 3)


def test_a_uniform_change_moves_pixels_and_no_edges():
    images = normal(0, 2, 1, 8, 8)
    assert pixel_loss(images + 0.25, images) == pytest.approx(0.25)
    assert edge_loss(images + 0.25, images) == pytest.approx(0)


def test_a_step_of_height_h_is_an_edge_of_one_column_in_seven():
    images, step = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    step[..., 4:] = 0.5
    assert edge_loss(step, images) == pytest.approx(0.5 / 7)


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(-50, 50))
def test_divergence_is_that_of_torch_and_knows_no_constant(seed, constant):
    p, q = normal(seed, 5, 4), normal(seed + 1, 5, 4)
    expected = functional.kl_div(q.log_softmax(1), p.log_softmax(1), reduction="batchmean", log_target=True)
    torch.testing.assert_close(divergence(p, q), expected)
    torch.testing.assert_close(divergence(p + constant, q), expected, rtol=1e-6, atol=1e-9)
    assert divergence(p, p) == pytest.approx(0, abs=1e-12)


def test_the_difference_of_w_is_absolute():
    assert w_loss(torch.tensor([[1.0, -3.0]]), torch.zeros(1, 2)) == 2


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(2, 6))
def test_conditions_are_what_they_are_called(seed, classes):
    logits = 7 * normal(seed, 50, classes)
    told = Condition("logits", classes, root_mean_square(logits)).of(logits)
    assert told.square().mean() == pytest.approx(1)
    torch.testing.assert_close(told.sum(1), torch.zeros(50, dtype=torch.float64))
    torch.testing.assert_close(Condition("probabilities", classes).of(logits), logits.softmax(1))
    torch.testing.assert_close(centred(logits).softmax(1), logits.softmax(1))
    assert Condition("none", classes).of(logits).shape == (50, Condition("none", classes).length) == (50, 0)


def test_logits_that_never_differ_are_not_divided_by_nothing():
    assert torch.isfinite(Condition("logits", 2, root_mean_square(torch.ones(4, 2))).of(torch.ones(4, 2))).all()


def test_the_prior_has_the_mean_and_the_covariance_of_the_data():
    mixing = normal(1, 5, 5)
    data = normal(2, 4000, 5) @ mixing.T + torch.arange(5)
    prior = WPrior(0, 5)
    prior.fit(data.float())
    samples = prior(normal(3, 200_000, 5).float(), 1.0)
    torch.testing.assert_close(samples.mean(0), data.float().mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(samples.T.cov(), data.float().T.cov(), atol=0.2, rtol=0.05)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_what_the_encoder_would_give_has_unit_scale_in_samples_too(seed):
    prior = WPrior(4, 6)
    prior.fit(normal(seed, 30, 6).float())
    samples = prior(normal(seed + 1, 10, 6).float(), 0.7)
    torch.testing.assert_close(samples[:, :4].square().mean(1), torch.ones(10), rtol=1e-3, atol=0)


def test_a_small_strong_difference_weighs_more_than_a_faint_one_everywhere_only_when_squared():
    images = torch.zeros(1, 1, 8, 8)
    spot = images.clone()
    spot[0, 0, :2, :2] = 1
    veil = images + 1 / 16
    assert pixel_loss(spot, images) == pytest.approx(float(pixel_loss(veil, images)))
    assert square_loss(spot, images) == pytest.approx(16 * float(square_loss(veil, images)))
