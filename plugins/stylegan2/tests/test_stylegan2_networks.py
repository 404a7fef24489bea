import attrs
import pytest
import torch
from sidelight_specs import UserError
from sidelight_stylegan2.networks.architecture import Architecture, default_widths, levels_for
from sidelight_stylegan2.networks.discriminator import Discriminator, with_deviation
from sidelight_stylegan2.networks.filtering import (
    downsampling_convolution,
    kernel,
    upsample,
    upsampling_convolution,
)
from sidelight_stylegan2.networks.layers import Linear
from sidelight_stylegan2.networks.mapping import truncate
from sidelight_stylegan2.networks.modulation import modulate_features, modulate_weights
from sidelight_stylegan2.networks.pixels import clip
from sidelight_stylegan2.networks.synthesis import Network
from torch.nn import functional

SMALL = Architecture(image_channels=3, widths=(6, 5, 4), z=7, w=8, mapping=2)
LIGHT = Architecture(image_channels=3, widths=(64, 64, 64, 48), z=49, w=49, mapping=0, noise=False, shuffle=2)
TAPS = kernel((1, 3, 3, 1))


@pytest.fixture(autouse=True)
def fixed_stream():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize(
    ("taps", "demodulate", "size"), [(None, True, 3), (None, False, 1), (TAPS, True, 3), (TAPS, False, 3)]
)
def test_scaling_features_is_scaling_weights(taps, demodulate, size):
    x, weight, style = torch.randn(3, 5, 6, 6), torch.randn(4, 5, size, size), torch.randn(3, 5)
    arguments = (x, weight, style, demodulate, taps)
    torch.testing.assert_close(modulate_features(*arguments), modulate_weights(*arguments), atol=1e-4, rtol=1e-4)


def test_demodulated_features_have_unit_variance():
    x, weight, style = torch.randn(2, 64, 32, 32), torch.randn(8, 64, 3, 3), 5 * torch.rand(2, 64)
    inner = modulate_features(x, weight, style, True)[:, :, 1:-1, 1:-1]
    assert inner.std((0, 2, 3)).sub(1).abs().max() < 0.15


def spread(x):
    """Zeros between the pixels."""
    wide = torch.zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    wide[:, :, ::2, ::2] = x
    return wide


def test_the_upsampling_convolution_is_convolving_zeros_then_filtering():
    x, weight = torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3)
    wide = functional.conv2d(functional.pad(spread(x), (2, 2, 2, 2)), weight.flip(2, 3))[:, :, :11, :11]
    expected = functional.conv2d(functional.pad(wide, (1, 1, 1, 1)), (4 * TAPS).expand(4, 1, 4, 4), groups=4)
    torch.testing.assert_close(upsampling_convolution(x, weight, TAPS), expected, atol=1e-4, rtol=1e-4)


def test_upsampling_is_bilinear_inside():
    x = torch.rand(1, 2, 6, 6)
    expected = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsample(x, TAPS)[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1])
    torch.testing.assert_close(upsample(x, kernel((1, 1))), functional.interpolate(x, scale_factor=2))


def downsampled(x, taps):
    """Every channel filtered, at every second place."""
    channels = x.shape[1]
    weight = taps.expand(channels, 1, *taps.shape)
    return functional.conv2d(x, weight, stride=2, padding=(len(taps) - 2) // 2, groups=channels)


def test_a_downsampling_1x1_convolution_is_downsampling_first():
    x, weight = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 1, 1)
    expected = functional.conv2d(downsampled(x, TAPS), weight)
    torch.testing.assert_close(downsampling_convolution(x, weight, TAPS), expected, atol=1e-5, rtol=1e-4)


def test_downsampling_with_two_taps_is_the_mean_of_four_pixels():
    x, identity = torch.rand(2, 3, 8, 8), torch.eye(3)[:, :, None, None]
    found = downsampling_convolution(x, identity, kernel((1, 1)))
    torch.testing.assert_close(found, functional.avg_pool2d(x, 2))


@pytest.mark.parametrize("taps", [(), (1.0,), (1, 2, 1), (1, 2, 3, 4), (0, 0)])
def test_a_filter_that_would_shift_the_image_is_refused(taps):
    with pytest.raises(UserError, match="symmetric"):
        kernel(taps)


def test_a_slow_layer_gives_the_same_from_larger_weights():
    torch.manual_seed(1)
    plain = Linear(4, 3, bias=0.5)
    torch.manual_seed(1)
    slow = Linear(4, 3, bias=0.5, rate=0.01)
    x = torch.randn(2, 4)
    torch.testing.assert_close(slow(x), plain(x))
    torch.testing.assert_close(slow.weight, 100 * plain.weight)


def test_truncation():
    w, center = torch.randn(2, 6, 8), torch.randn(8)
    torch.testing.assert_close(truncate(w, center, 0.0), center.expand(2, 6, 8))
    torch.testing.assert_close(truncate(w, center, 1.0), w)
    cut = truncate(w, center, 0.5, 2)
    torch.testing.assert_close(cut[:, :2], (w[:, :2] + center) / 2)
    assert torch.equal(cut[:, 2:], w[:, 2:])


def test_fresh_noise_follows_its_stream_and_its_strength():
    network = Network(SMALL)
    w = network.map(torch.randn(1, 7))

    def drawn(seed):
        return network(w, torch.Generator().manual_seed(seed))

    assert torch.equal(drawn(0), network(w, "none"))  # strengths start from zero
    for layer in network.synthesis.stack:
        if hasattr(layer, "strength"):
            layer.strength.data.fill_(1.0)
    assert torch.equal(drawn(0), drawn(0))
    assert not torch.allclose(drawn(0), drawn(1))
    assert not torch.allclose(network(w), network(w, "none"))


def test_the_light_architecture_has_the_672_coordinates_that_were_measured_with_it():
    network = Network(LIGHT)
    assert sum(network.synthesis.channels) == 672
    assert "noise" not in " ".join(network.state_dict())
    with torch.no_grad():
        assert network(network.map(torch.randn(2, 49))).shape == (2, 3, 64, 64)


def test_without_a_mapping_network_w_is_the_normalised_z():
    w = Network(LIGHT).map(torch.randn(3, 49))
    assert w.shape == (3, 8, 49)
    torch.testing.assert_close(w.square().mean(2), torch.ones(3, 8))


@pytest.mark.parametrize(
    "architecture", [SMALL, LIGHT, attrs.evolve(SMALL, widths=(4,)), attrs.evolve(SMALL, classes=3)]
)
def test_discriminator_and_encoder_take_the_generators_images(architecture):
    images, labels = torch.randn(4, *architecture.image_shape), torch.tensor([0, 1, 2, 0])
    with torch.no_grad():
        assert Discriminator(architecture)(images, labels).shape == (4, 1)
        assert Discriminator(architecture, outputs=48, compare=False)(images).shape == (4, 48)


def test_an_encoder_does_not_compare_the_images_of_a_batch():
    encoder, images = Discriminator(SMALL, 5, compare=False), torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(encoder(images)[1:2], encoder(images[1:2]), atol=1e-5, rtol=1e-4)


def test_without_the_minibatch_deviation_images_are_judged_one_by_one():
    images = torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        for deviation in (True, False):
            judge = Discriminator(SMALL, deviation=deviation)
            assert torch.allclose(judge(images)[1:2], judge(images[1:2]), atol=1e-5, rtol=1e-4) != deviation


def test_classes_change_images_and_judgements():
    architecture = attrs.evolve(SMALL, classes=3)
    network, judge = Network(architecture), Discriminator(architecture)
    z, images = torch.randn(1, 7).repeat(2, 1), torch.randn(1, 3, 16, 16).repeat(2, 1, 1, 1)
    one, other = network.map(z, torch.tensor([0, 2]))
    assert not torch.allclose(one, other)
    one, other = judge(images, torch.tensor([0, 2]))
    assert not torch.allclose(one, other)
    torch.testing.assert_close(network.map(z, torch.tensor([2, 2])), network.map(z, torch.eye(3)[[2, 2]]))


def test_the_minibatch_deviation():
    x = torch.zeros(6, 2, 3, 3)
    assert with_deviation(x).shape == (6, 3, 3, 3)
    assert with_deviation(x)[:, 2].max() < 1e-3
    x[:3] = 2.0  # six images make two groups of three: 0, 2, 4 and 1, 3, 5; each holds 0 and 2
    groups = torch.tensor([[2.0, 2.0, 0.0], [2.0, 0.0, 0.0]]).std(1, correction=0)
    torch.testing.assert_close(with_deviation(x)[:, 2, 0, 0], groups.repeat(3), atol=1e-5, rtol=1e-4)


def test_descent_through_the_clip_leads_pixels_no_further_out_than_its_margin():
    x = torch.tensor([-2.0, -2.0, -1.1, -1.0, 0.5, 1.1, 2.0, 2.0], requires_grad=True)
    slopes = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0])
    clipped = clip(x)
    assert clipped.tolist() == [-1.0, -1.0, -1.0, -1.0, 0.5, 1.0, 1.0, 1.0]
    (gradient,) = torch.autograd.grad((clipped * slopes).sum(), x)
    assert gradient.tolist() == [0.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 0.0]


def test_sizes_of_levels():
    assert levels_for((3, 64, 64), 1) == 5
    assert levels_for((1, 64, 64), 2) == 4
    assert default_widths(5, 16384, 512) == (512, 512, 512, 512, 256)
    for shape, shuffle in [((1, 28, 28), 1), ((3, 64, 32), 1), ((1, 4, 4), 2)]:
        with pytest.raises(UserError, match="square images"):
            levels_for(shape, shuffle)


def test_settings_rebuild_the_architecture():
    architecture = attrs.evolve(LIGHT, clamp=256.0, classes=4)
    assert Architecture.from_settings(architecture.settings()) == architecture
