"""Adaptive discriminator augmentation against closed forms."""

import math

import pytest
import torch
from sidelight_stylegan2.training.augmentation import HIGHEST, INTERVAL, AdaptiveProbability, augment
from torch.nn import functional

EVERYTHING = ("blit", "geometric", "colour")


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count=64, channels=1, side=16):
    return torch.rand(count, channels, side, side, generator=stream(1)) * 2 - 1


@pytest.mark.parametrize(("p", "transforms"), [(0.0, EVERYTHING), (0.5, ())])
def test_nothing_to_apply_is_the_same_tensor_and_draws_nothing(p, transforms):
    images, random = pictures(), stream()
    before = random.get_state()
    assert augment(images, p, transforms, random) is images
    assert torch.equal(random.get_state(), before)


def test_images_that_no_transform_chose_keep_their_bits():
    images = pictures(400)
    result = augment(images, 0.1, EVERYTHING, stream())
    kept = (result == images).flatten(1).all(1)
    # mirroring and turning do nothing in 1/2 and 1/4 of the cases, a shift of under half a pixel, an inversion in 1/2
    geometric = (1 - 0.1) ** 4 * (1 - 0.1)  # scale, stretch, two shifts; both rotations together
    colours = (1 - 0.1) ** 2 * (1 - 0.05)
    shift = 1 - 0.1 * (1 - 1 / 4)  # round(u), u in (-2, 2), is 0 for a quarter
    expected = geometric * colours * (1 - 0.05) * (1 - 0.075) * shift**2
    assert float(kept.float().mean()) == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 400))


def test_transforms_of_places_leave_plain_images_alone():
    plain = torch.linspace(-1, 1, 32)[:, None, None, None].expand(-1, 3, 16, 16)
    torch.testing.assert_close(augment(plain, 0.8, ("blit", "geometric"), stream()), plain, atol=1e-5, rtol=0)


def test_blits_move_whole_pixels():
    side = 16
    image = torch.arange(side * side, dtype=torch.float32).reshape(1, 1, side, side)
    result = augment(image.expand(20, -1, -1, -1), 0.8, ("blit",), stream())
    torch.testing.assert_close(result, result.round(), atol=2e-3, rtol=0)
    turned = {
        tuple(torch.rot90(one, turns).flatten().tolist())
        for one in (image[0, 0], image[0, 0].flip(1))
        for turns in range(4)
    }
    # pixels far from the border: each result is one of the eight turned images, moved by at most 2 pixels
    for one in result[:, 0].round():
        inner = one[4:12, 4:12]
        moved = [
            torch.tensor(other).reshape(side, side)[4 + y : 12 + y, 4 + x : 12 + x]
            for other in turned
            for y in range(-2, 3)
            for x in range(-2, 3)
        ]
        assert any(torch.equal(inner, candidate) for candidate in moved)


def test_the_expected_grey_image_after_colour_transforms():
    """E of contrast * (+-1) * (x + brightness): brightness has mean 0, the inversion takes p of x away."""
    p, value, count = 0.6, 0.5, 20_000
    images = torch.full((count, 1, 1, 1), value)
    result = augment(images, p, ("colour",), stream())
    contrast = 1 - p + p * math.exp((0.5 * math.log(2)) ** 2 / 2)  # mean of a log-normal
    assert float(result.mean()) == pytest.approx(
        contrast * (1 - p) * value, abs=4 * float(result.std()) / math.sqrt(count)
    )


def test_hue_and_saturation_keep_the_brightness():
    images = pictures(1, 3, 4).expand(50, -1, -1, -1)
    result = augment(images, 0.8, ("colour",), stream())
    grey = augment(images.mean(1, keepdim=True).expand(-1, 3, -1, -1), 0.8, ("colour",), stream())
    torch.testing.assert_close(result.mean(1), grey.mean(1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(grey, grey[:, :1].expand(-1, 3, -1, -1), atol=1e-5, rtol=1e-5)
    assert (result - result.mean(1, keepdim=True)).abs().mean() > 0.1


def test_a_rotation_turns_the_picture():
    """A second implementation: of a smooth blob the centre of mass turns about the middle."""
    side = 32
    axis = torch.linspace(-1, 1, side)
    blob = torch.exp(-((axis[None, :] - 0.3) ** 2 + axis[:, None] ** 2) / 0.02)[None, None]
    result = augment(blob.expand(300, -1, -1, -1), 0.3, ("geometric",), stream())
    weight = result.clamp(min=0).sum((1, 2, 3))
    x, y = ((result.clamp(min=0) * part).sum((1, 2, 3)) / weight for part in (axis[None, :], axis[:, None]))
    assert (y.abs() > 0.1).any()
    assert float(y.mean()) == pytest.approx(0, abs=0.06)
    assert float(x.mean()) < 0.3


def test_gradients_reach_the_images_and_agree_with_differences():
    images = pictures(3, 3, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: augment(x, 0.7, EVERYTHING, stream(3)), images, atol=1e-3)


def test_the_draw_is_that_of_the_stream():
    first, second, other = (augment(pictures(), 0.7, EVERYTHING, stream(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_the_probability_follows_the_signs():
    adaptive = AdaptiveProbability(target=0.6, ramp=1000)
    for _ in range(2 * INTERVAL):
        adaptive.update(torch.ones(10, 1))  # r_t = 1: overfits
    assert adaptive.p == pytest.approx(2 * INTERVAL * 10 / 1000)
    for _ in range(INTERVAL):
        adaptive.update(torch.tensor([[1.0], [-1.0]] * 5))  # r_t = 0
    assert adaptive.p == pytest.approx(INTERVAL * 10 / 1000)
    for _ in range(5 * INTERVAL):
        adaptive.update(-torch.ones(10, 1))
    assert adaptive.p == 0
    for _ in range(1000):
        adaptive.update(torch.ones(10, 1))
    assert adaptive.p == HIGHEST


def test_a_probability_that_was_kept_goes_on_with_the_same_bits():
    logits = [torch.randn(7, 1, generator=stream(seed)) + 0.7 for seed in range(11)]
    whole, first, second = (AdaptiveProbability(target=0.6, ramp=333) for _ in range(3))
    for one in logits:
        whole.update(one)
    for one in logits[:6]:
        first.update(one)
    second.load_state_dict(first.state_dict())
    for one in logits[6:]:
        second.update(one)
    assert whole.state_dict() == second.state_dict()


def test_augmented_images_can_be_told_from_others_only_by_the_transforms():
    """A discriminator's view: two sets of the same images, augmented by different draws, have the same mean picture."""
    images = functional.avg_pool2d(pictures(1, 1, 32), 4).expand(3000, -1, -1, -1)
    first, second = (augment(images, 0.8, ("blit", "geometric"), stream(seed)).mean(0) for seed in (5, 6))
    error = augment(images, 0.8, ("blit", "geometric"), stream(7)).std(0) / math.sqrt(3000)
    assert float(((first - second).abs() / (error * math.sqrt(2))).max()) < 5
