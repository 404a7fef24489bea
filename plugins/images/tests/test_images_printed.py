"""Crops of photographs with a printed character: where it is, what the class says, and who sees which photograph."""

import numpy as np
import pytest
from PIL import Image
from sidelight_images.params import PrintedParams
from sidelight_images.printed import Printed, half
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


def by_photograph(split="test", **params):
    return made(split, first_photos=("coffee",), second_photos=("chelsea",), test=80, **params)


def test_the_character_goes_with_the_class_of_the_photograph_or_is_independent_of_it():
    bound, free = by_photograph(), by_photograph(agreement=0.5)
    assert bound.class_names == ("first kind", "second kind")
    assert (bound.masks["character"].any((1, 2)) == bound.labels.astype(bool)).all()
    printed = free.masks["character"].any((1, 2))
    for label in (0, 1):  # 40 images each: 4 standard deviations of a fair coin are 12.6
        assert 7 < printed[free.labels == label].sum() < 33
    both = ~(printed | bound.masks["character"].any((1, 2)))  # images without a character in either
    assert (free.images[both] == bound.images[both]).all()


def test_training_and_test_images_come_from_different_halves():
    left = Image.new("RGB", (8, 4), "white")
    left.paste("black", (4, 0, 8, 4))
    assert np.asarray(half(left, left=True)).min() == 255
    assert np.asarray(half(left, left=False)).max() == 0


def test_mistakes_are_named():
    with pytest.raises(UserError, match="coffee: in first_photos and in second_photos"):
        made(first_photos=("coffee",), second_photos=("coffee",))
    with pytest.raises(UserError, match="no photograph is named"):
        made(first_photos=("coffee",))
    with pytest.raises(UserError, match="agrees with it"):
        made(agreement=0.5)
    with pytest.raises(UserError, match="validation"):
        made("validation")
    with pytest.raises(UserError, match="no photograph is named"):
        made(test_photos=())
