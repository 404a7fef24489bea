"""Seeding, arrays and images."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.images import gaussian_blur, gaussian_kernel, resize
from sidelight_toolkit.seeding import generator, seeded


def draw(run, label):
    return torch.rand(4, generator=generator(run, label))


def test_a_generator_follows_seed_component_and_label():
    same = draw(ToyRun(), "a")
    assert torch.equal(draw(ToyRun(), "a"), same)
    for other in (draw(ToyRun(), "b"), draw(ToyRun(seed=1), "a"), draw(ToyRun(component="x"), "a")):
        assert not torch.equal(other, same)


def test_a_generator_leaves_the_global_stream_alone():
    before = torch.random.get_rng_state()
    draw(ToyRun(), "a")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_seeded_code_repeats_whatever_came_before():
    found = []
    for burnt in (0, 5):
        torch.rand(burnt)
        with seeded(ToyRun(), "weights"):
            found.append(torch.nn.Linear(3, 3).weight)
    assert torch.equal(*found)


def test_seeding_ends_with_its_context_also_after_an_error():
    before = torch.random.get_rng_state()
    with pytest.raises(RuntimeError), seeded(ToyRun(), "weights"):
        torch.rand(3).reshape(2, 2)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.zeros(3, np.float64), torch.float32),
        (np.zeros(3, np.float16), torch.float32),
        (np.zeros(3, np.int64), torch.int64),
        (np.zeros(3, bool), torch.bool),
    ],
)
def test_tensors_have_the_runs_dtype_and_memory_of_their_own(array, dtype):
    tensor = to_tensor(array, ToyRun())
    assert tensor.dtype == dtype
    tensor[0] = 1
    assert not array.any()


def test_read_only_and_reversed_arrays_become_tensors():
    array = np.arange(6.0).reshape(2, 3)[:, ::-1]
    array.flags.writeable = False
    assert to_tensor(array, ToyRun()).tolist() == [[2, 1, 0], [5, 4, 3]]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(torch.float64, np.float32), (torch.bfloat16, np.float32), (torch.int64, np.int64), (torch.bool, np.bool_)],
)
def test_arrays_are_detached_copies(dtype, expected):
    tensor = torch.ones(2, 2, dtype=dtype)
    array = to_array(tensor)
    assert array.dtype == expected
    array[:] = 0
    assert tensor.bool().all()
    assert to_array(torch.ones(1, requires_grad=True)) == 1


def test_resizing_to_the_same_size_gives_the_images_themselves():
    images = torch.rand(1, 1, 5, 7)
    assert resize(images, (5, 7)) is images


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_resizing_keeps_a_constant_and_its_range(height, width, side, value):
    found = resize(torch.full((1, 2, height, width), value), (side, side))
    assert found.shape == (1, 2, side, side)
    torch.testing.assert_close(found, torch.full_like(found, value))


def test_shrinking_averages_what_it_leaves_out():
    stripes = torch.zeros(1, 1, 32, 32)
    stripes[..., ::2] = 1
    inner = resize(stripes, (8, 8))[..., 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.5), rtol=0, atol=0.02)


@given(st.integers(0, 20).map(lambda half: 2 * half + 1), st.floats(0.3, 30))
@settings(deadline=None)
def test_kernels_sum_to_one_and_are_symmetric(size, sigma):
    weights = gaussian_kernel(size, sigma)
    assert weights.sum().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(weights, weights.flip(0))
    assert weights.argmax() == size // 2


def test_blurring_a_point_gives_the_kernel():
    image = torch.zeros(1, 1, 21, 21)
    image[0, 0, 10, 10] = 1
    weights = gaussian_kernel(7, 1.5)
    found = gaussian_blur(image, 7, 1.5)[0, 0]
    torch.testing.assert_close(found[7:14, 7:14], weights[:, None] * weights)
    assert found.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("side", [4, 6, 40])
def test_blurring_keeps_a_constant_also_where_the_image_is_smaller_than_the_kernel(side):
    images = torch.full((2, 3, side, side), 0.3)
    torch.testing.assert_close(gaussian_blur(images, 13, 3.0), images)


def test_channels_are_blurred_apart():
    images = torch.rand(1, 3, 12, 12)
    alone = torch.cat([gaussian_blur(images[:, [channel]], 5, 1.0) for channel in range(3)], 1)
    torch.testing.assert_close(gaussian_blur(images, 5, 1.0), alone)


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="must be odd, got 4"):
        gaussian_blur(torch.rand(1, 1, 8, 8), 4, 1.0)
