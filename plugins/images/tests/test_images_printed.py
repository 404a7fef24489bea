"""Crops of photographs with a printed character: where it is, what the class says, and who sees which photograph."""

import numpy as np
import pytest
from sidelight_images.params import PrintedParams
from sidelight_images.printed import Printed
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun


def made(split="test", **params):
    settings = {"size": 64, "height": 12, "train": 6, "test": 6, **params}
    return Printed(PrintedParams(**settings), run=ToyRun()).split(split)


def test_the_class_says_whether_the_character_is_there():
    split = made()
    assert split.class_names == ("plain", "printed")
    assert split.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert (split.masks["character"].any((1, 2)) == split.labels.astype(bool)).all()


def test_only_the_masked_pixels_differ_from_the_image_without_the_character():
    """A space prints nothing: the same crops, for they are drawn from the same stream."""
    printed, plain = made(), made(character=" ")
    differs = (printed.images != plain.images).any(axis=1)
    mask = printed.masks["character"]
    assert differs.any(axis=(1, 2)).tolist() == [False, True] * 3
    assert not (differs & ~mask).any()
    assert differs[mask].mean() > 0.9


def test_the_character_stays_in_the_upper_right_corner():
    rows, columns = np.nonzero(made(test=40).masks["character"].any(0))
    assert rows.max() < 64 / 2
    assert columns.min() > 64 / 2


def test_training_and_test_images_come_from_different_photographs():
    one, other = made("train", train_photos=("coffee",)), made("test", test_photos=("chelsea",))
    assert abs(one.images.mean((0, 2, 3)) - other.images.mean((0, 2, 3))).max() > 0.05
    with pytest.raises(UserError, match="coffee"):
        made("test", train_photos=("coffee",), test_photos=("coffee",))


def test_mistakes_are_named():
    with pytest.raises(UserError, match="validation"):
        made("validation")
    with pytest.raises(UserError, match="test_photos"):
        made(test_photos=())
