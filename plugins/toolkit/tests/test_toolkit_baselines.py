import pytest
import torch
from sidelight_toolkit.baselines import baseline, blur_of


@pytest.fixture
def images():
    return torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(0))


def test_the_blur_is_the_papers_at_its_size():
    assert blur_of(224, 224) == (51, 50)


def test_the_blur_scales_with_the_shorter_side_and_stays_odd():
    for side in range(8, 600, 7):
        size, sigma = blur_of(side, 2 * side)
        assert size % 2 == 1
        assert sigma == pytest.approx(50 * side / 224)
        assert abs(size - 51 * side / 224) <= 1


@pytest.mark.parametrize(("kind", "value"), [("black", 0.0), ("grey", 0.5), ("white", 1.0)])
def test_constant_baselines(images, kind, value):
    assert torch.equal(baseline(images, kind), torch.full_like(images, value))


def test_the_mean_is_each_images_own_colour(images):
    found = baseline(images, "mean")
    assert found.shape == images.shape
    for row in range(2):
        for channel in range(3):
            assert torch.allclose(found[row, channel], images[row, channel].mean())


def test_blurring_takes_most_of_the_contrast_and_does_not_touch_the_neighbours(images):
    found = baseline(images, "blur")
    assert found.std() < 0.2 * images.std()
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.allclose(found[1:], baseline(images[1:], "blur"), atol=1e-6)
