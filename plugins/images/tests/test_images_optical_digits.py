"""Digits of another source, in MNIST's format."""

import gzip

import numpy as np
import pytest
from sidelight_images.names import DIGITS
from sidelight_images.optical_digits import OpticalDigits, enlarged, read_table
from sidelight_images.params import OpticalDigitsParams
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun


def optical(**options):
    return OpticalDigits(OpticalDigitsParams(**options), run=ToyRun())


@pytest.fixture(scope="module")
def plain():
    return {name: optical(size=32).split(name) for name in ("train", "test")}


def test_every_digit_is_in_one_split_and_every_class_in_both(plain):
    assert (len(plain["train"]), len(plain["test"])) == (1397, 400)
    assert len({*plain["train"].ids, *plain["test"].ids}) == 1797
    assert (np.bincount(plain["test"].labels) == 40).all()
    assert plain["train"].class_names == DIGITS
    assert plain["train"].images.shape[1:] == (1, 32, 32)


def test_the_labels_are_those_of_the_images(plain):
    """A nearest mean of the training images is mostly right on the test images."""
    train, test = plain["train"], plain["test"]
    means = np.stack([train.images[train.labels == label].mean(0) for label in range(10)])
    nearest = ((test.images[:, None] - means[None]) ** 2).sum((2, 3, 4)).argmin(1)
    assert (nearest == test.labels).mean() > 0.8


def test_the_digit_fills_the_middle_and_keeps_its_range(plain):
    images = plain["train"].images
    inside = np.zeros((32, 32), dtype=bool)
    inside[6:26, 6:26] = True
    assert (images[:, 0, ~inside] == 0).all()
    assert images.min() == 0
    assert images.max() == 1


def test_counts_of_ink_become_brightness():
    flat = enlarged(np.full((1, 8, 8), 8))
    assert flat.shape == (1, 28, 28)
    assert (flat[0, 4:24, 4:24] == 128).all()
    assert flat.sum() == 128 * 400


def test_options_of_digits_work_here_too():
    assert np.bincount(optical(keep={"8": 5}).split("train").labels)[8] == 5


def test_a_damaged_file_is_named_with_a_fix(tmp_path):
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress(b"1,2,3\n"))
    with pytest.raises(UserError, match=r"digits\.csv\.gz cannot be read") as caught:
        read_table(path)
    assert "scikit-learn" in caught.value.fix
