import pytest
import torch
from sidelight_toolkit.batching import at_once, in_batches, slices
from sidelight_toolkit.images import shrunk
from torch import nn


def test_slices_cover_the_range_once():
    assert [list(range(7))[part] for part in slices(7, 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(slices(0, 3)) == []


def test_batches_are_bounded_joined_and_without_gradients():
    sizes, inputs = [], torch.arange(10.0, requires_grad=True)

    def double(part):
        sizes.append(len(part))
        return 2 * part

    found = in_batches(double, inputs, 4)
    assert torch.equal(found, 2 * inputs)
    assert not found.requires_grad
    assert sizes == [4, 4, 2]


def test_weights_loaded_at_the_first_use_can_still_be_differentiated_through():
    """As EfficientNet-Lite's are, when a metric is the first to ask it."""
    network = []

    def lazy(images):
        if not network:
            network.append(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1)).requires_grad_(False))
        return network[0](images)

    in_batches(lazy, torch.rand(2, 3), 1)
    pixels = torch.rand(1, 3, requires_grad=True)
    assert torch.autograd.grad(lazy(pixels).sum(), pixels)[0].any()


@pytest.mark.parametrize(("side", "count"), [(64, 32), (256, 8), (512, 2), (1024, 1), (4096, 1)])
def test_fewer_large_images_are_drawn_at_a_time(side, count):
    assert at_once(32, (3, side, side)) == count


def test_images_are_shrunk_in_their_proportions_and_never_enlarged():
    images = torch.linspace(0, 1, 2 * 8 * 16).reshape(1, 2, 8, 16)
    assert shrunk(images, 16) is images
    assert shrunk(images, 4).shape == (1, 2, 2, 4)
    torch.testing.assert_close(shrunk(images, 4).mean(), images.mean(), atol=1e-3, rtol=0)
