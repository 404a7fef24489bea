import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight_classifiers.trained.augmentation import random_flip, random_shift


@given(st.integers(1, 5), st.integers(0, 4), st.integers(3, 9), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_shift_moves_each_image_as_a_whole(count, most, side, seed):
    images = torch.rand(count, 2, side, side + 1)
    found = random_shift(images, most, np.random.default_rng(seed))
    padded = torch.nn.functional.pad(images, (most,) * 4)
    assert found.shape == images.shape
    for image, result in zip(padded, found, strict=True):
        windows = [
            image[:, top : top + side, left : left + side + 1]
            for top in range(2 * most + 1)
            for left in range(2 * most + 1)
        ]
        assert any(torch.equal(window, result) for window in windows)


def test_all_shifts_occur_and_images_move_independently():
    images = torch.zeros(500, 1, 5, 5)
    images[:, 0, 2, 2] = 1
    places = random_shift(images, 1, np.random.default_rng(0)).flatten(1).argmax(1)
    assert set(places.tolist()) == {row * 5 + column for row in (1, 2, 3) for column in (1, 2, 3)}


def test_about_half_is_mirrored():
    images = torch.rand(400, 1, 3, 4)
    found = random_flip(images, np.random.default_rng(0))
    same = (found == images).flatten(1).all(1)
    mirrored = (found == images.flip(-1)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 150 < mirrored.sum() < 250
