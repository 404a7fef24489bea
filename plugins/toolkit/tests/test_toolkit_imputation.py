"""Noisy linear imputation against a direct solution of the sparse system, closed forms, and other rows."""

import numpy as np
import pytest
import torch
from scipy.sparse import lil_array
from scipy.sparse.linalg import spsolve
from sidelight_toolkit.imputation import NOISE, noisy_linear

WEIGHTS = {(y, x): (1 / 6 if 0 in (y, x) else 1 / 12) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)}


def solved(image, visible):
    """Pixel after pixel: the row of the matrix, and a sparse direct solver."""
    height, width = visible.shape
    number = {place: at for at, place in enumerate(zip(*np.nonzero(~visible), strict=True))}
    matrix, right = lil_array((len(number), len(number))), np.zeros((len(number), len(image)))
    for (y, x), at in number.items():
        for (dy, dx), weight in WEIGHTS.items():
            place = (y + dy, x + dx)
            if not (0 <= place[0] < height and 0 <= place[1] < width):
                continue
            matrix[at, at] += weight
            if place in number:
                matrix[at, number[place]] -= weight
            else:
                right[at] += weight * image[:, place[0], place[1]]
    filled = image.astype(np.float64).copy()
    filled[:, ~visible] = spsolve(matrix.tocsr(), right).reshape(len(number), len(image)).T
    return filled


@pytest.mark.parametrize("hidden", [0.05, 0.5, 0.95])
def test_a_direct_solver_agrees(hidden):
    rng = np.random.default_rng(0)
    image = np.linspace(0, 1, 21)[None, :, None] * rng.random((3, 21, 18))
    visible = rng.random((21, 18)) >= hidden
    ours = noisy_linear(torch.from_numpy(image).float()[None], torch.from_numpy(visible)[None, None])[0].numpy()
    assert np.abs(ours - solved(image, visible)).max() <= 2e-3
    assert np.array_equal(ours[:, visible], image[:, visible].astype(np.float32))


def test_an_image_that_is_linear_inside_stays_as_it_is():
    image = (torch.arange(16.0)[:, None] / 32 + torch.arange(12.0) / 48).expand(1, 1, 16, 12)
    visible = torch.ones(1, 1, 16, 12, dtype=torch.bool)
    visible[:, :, 4:12, 3:9] = False
    assert (noisy_linear(image, visible) - image).abs().max() <= 1e-3


def test_nothing_visible_leaves_the_mean_colour_and_all_visible_the_image():
    image = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    none, every = (torch.full((1, 1, 9, 7), value) for value in (False, True))
    assert torch.allclose(noisy_linear(image, none), image.mean((2, 3), keepdim=True).expand_as(image))
    assert torch.equal(noisy_linear(image, every, torch.ones(3, 9, 7)), image)


def test_noise_comes_to_hidden_pixels_only():
    image, visible = torch.full((1, 1, 8, 8), 0.5), torch.ones(1, 1, 8, 8, dtype=torch.bool)
    visible[:, :, 2:5] = False
    changed = noisy_linear(image, visible, torch.ones(1, 8, 8)) - image
    assert torch.allclose(changed, ~visible * NOISE, atol=1e-5)


def test_a_row_does_not_depend_on_its_neighbours():
    generator = torch.Generator().manual_seed(1)
    images, visible = torch.rand(4, 3, 16, 16, generator=generator), torch.rand(4, 1, 16, 16, generator=generator) > 0.7
    visible[2] = True
    together = noisy_linear(images, visible)
    for row in range(4):
        alone = noisy_linear(images[row : row + 1], visible[row : row + 1])
        assert (alone - together[row : row + 1]).abs().max() <= 1e-6
