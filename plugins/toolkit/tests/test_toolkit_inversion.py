import numpy as np
import pytest
import torch
from sidelight_specs.results import Inversion
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.inversion import inverted_once


class Counting:
    """Inverts an image to its first pixel, and remembers what it was given."""

    def __init__(self, fails_at=None):
        self.batches, self.fails_at = [], fails_at

    def __call__(self, images):
        if len(self.batches) == self.fails_at:
            raise RuntimeError("killed")
        self.batches.append(images[:, 0, 0, 0].tolist())
        first = images[:, 0, 0, :1].numpy()
        return Inversion(latents=first, reconstructions=images.numpy(), error=first[:, 0])


def images(*values):
    return torch.tensor(values)[:, None, None, None].expand(-1, 1, 2, 2).contiguous()


def test_an_image_is_inverted_once_whatever_it_is_asked_with():
    run, invert = ToyRun(), Counting()
    inverted_once(run, "a", images(0.1, 0.2, 0.3), 2, invert)
    found = inverted_once(run, "a", images(0.4, 0.3, 0.1, 0.5), 2, invert)
    np.testing.assert_allclose(invert.batches[0] + invert.batches[1], [0.1, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(invert.batches[2], [0.4, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found.error, [0.4, 0.3, 0.1, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found.latents[:, 0], found.error)
    np.testing.assert_array_equal(found.reconstructions, images(0.4, 0.3, 0.1, 0.5).numpy())


def test_a_killed_run_loses_one_batch():
    run, killed, invert = ToyRun(), Counting(fails_at=1), Counting()
    with pytest.raises(RuntimeError, match="killed"):
        inverted_once(run, "a", images(0.1, 0.2, 0.3), 2, killed)
    inverted_once(run, "a", images(0.1, 0.2, 0.3), 2, invert)
    np.testing.assert_allclose(invert.batches, [[0.3]], rtol=1e-6)


def test_ways_to_invert_do_not_share_answers():
    run, invert = ToyRun(), Counting()
    inverted_once(run, "a", images(0.1), 2, invert)
    inverted_once(run, "b", images(0.1), 2, invert)
    assert len(invert.batches) == 2


def test_the_same_image_twice_has_one_answer():
    found = inverted_once(ToyRun(), "a", images(0.1, 0.1), 1, Counting())
    np.testing.assert_array_equal(found.latents[0], found.latents[1])


def test_images_that_do_not_fit_together_are_inverted_in_halves():
    run, counting = ToyRun(), Counting()

    def scarce(part):
        if len(part) > 2:
            raise torch.OutOfMemoryError(f"{len(part)} images")
        return counting(part)

    found = inverted_once(run, "a", images(0.1, 0.2, 0.3), 8, scarce)
    expected = inverted_once(ToyRun(), "a", images(0.1, 0.2, 0.3), 1, Counting())
    assert np.array_equal(found.latents, expected.latents)
    assert run.warnings == [f"a: {size} rows at once do not fit into the memory of cpu; halved" for size in (8, 4)]
