"""Lazy images: numpy's answers, and no more reading than was asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidelight_specs import Artifact, SidelightError, UserError
from sidelight_specs.digests import digest_of
from sidelight_specs.lazy import BrokenImageError, LazyImages
from sidelight_specs.results import Split

WHOLE = np.random.default_rng(0).random((7, 3, 4, 5), dtype=np.float32)


class Source:
    """Counts what is read; some rows are broken."""

    def __init__(self, broken=()):
        self.rows, self.broken, self.left_out = [], set(broken), []

    def __call__(self, row):
        self.rows.append(row)
        if row in self.broken:
            raise BrokenImageError(f"photos: {row}.png cannot be read", "mend it")
        return WHOLE[row]

    def images(self):
        return LazyImages(WHOLE.shape, self, left_out=lambda errors: self.left_out.extend(map(str, errors)))

    def split(self):
        labels, ids = np.arange(7), tuple(f"{row}.png" for row in range(7))
        return Split(images=self.images(), labels=labels, class_names=tuple("abcdefg"), ids=ids)


KEYS = [
    (2, 1),
    (-1, 1),
    (np.int64(3), 1),
    (slice(1, 4), 3),
    (slice(None, None, -3), 3),
    ([3, 1, 3], 3),
    (np.array([True, False] * 3 + [False]), 3),
    (np.array([[0, 1], [5, 2]]), 4),
    ((slice(0, 2), 0), 2),
    (([1, 2], 0, slice(1, 3)), 2),
    ((2, 0, 1), 1),
    ((slice(0, 2), ..., 3), 2),
    ((..., 0), 7),
    (([0, 1], [0, 1]), 7),
    ([], 0),
]


@pytest.mark.parametrize(("key", "read"), KEYS, ids=str)
def test_indexing_is_that_of_the_array_and_reads_what_it_names(key, read):
    source = Source()
    answer = source.images()[key]
    np.testing.assert_array_equal(answer, WHOLE[key])
    assert answer.dtype == np.float32
    assert len(source.rows) == read


@given(st.lists(st.integers(-7, 6), max_size=9), st.slices(9))
def test_rows_of_rows_are_those_of_the_array(rows, part):
    images = Source().images().pick(rows)
    np.testing.assert_array_equal(images[part], WHOLE[np.array(rows, dtype=int)][part])
    assert images.shape == (len(rows), 3, 4, 5)


def test_it_stands_for_its_array():
    source = Source()
    images = source.images()
    assert (images.shape, images.ndim, images.size, images.dtype, len(images)) == (
        WHOLE.shape,
        WHOLE.ndim,
        WHOLE.size,
        WHOLE.dtype,
        7,
    )
    assert source.rows == []
    np.testing.assert_array_equal(np.asarray(images), WHOLE)
    np.testing.assert_array_equal(np.stack(list(images)), WHOLE)
    assert np.asarray(images, dtype=np.float64).dtype == np.float64
    with pytest.raises(IndexError):
        images[7]
    with pytest.raises(ValueError, match="new array"):
        images.__array__(copy=False)  # as numpy 2 asks for np.asarray(images, copy=False)


def test_the_digest_follows_the_content():
    assert digest_of(Source().images()) == digest_of(Source().images())
    assert digest_of(Source().images()) != digest_of(Source().images().pick([1, 0, 2, 3, 4, 5, 6]))


def test_a_split_is_read_by_the_rows_asked_for():
    source = Source()
    split = source.split()
    split.validate()
    later = split.take([4, 2])
    assert source.rows == []
    assert (len(later), later.ids, later.labels.tolist()) == (2, ("4.png", "2.png"), [4, 2])
    read = split.read([5, 3, 1], count=2)
    assert source.rows == [5, 3]
    assert isinstance(read.images, np.ndarray)
    np.testing.assert_array_equal(read.images, WHOLE[[5, 3]])
    assert read.ids == ("5.png", "3.png")
    np.testing.assert_array_equal(later.read().images, WHOLE[[4, 2]])


def test_an_array_is_taken_as_it_is():
    split = Split(images=WHOLE)
    assert split.read() is split
    assert split.read(count=7) is split
    np.testing.assert_array_equal(split.read([2, 1, 0], count=2).images, WHOLE[[2, 1]])
    np.testing.assert_array_equal(split.read(count=2).images, WHOLE[:2])


def test_broken_images_are_left_out_and_told_once():
    source = Source(broken={1, 3})
    read = source.split().read()
    assert read.ids == ("0.png", "2.png", "4.png", "5.png", "6.png")
    np.testing.assert_array_equal(read.images, WHOLE[[0, 2, 4, 5, 6]])
    assert [text.splitlines()[0] for text in source.left_out] == [f"photos: {row}.png cannot be read" for row in (1, 3)]


def test_the_next_image_takes_the_place_of_a_broken_one():
    source = Source(broken={1})
    assert source.split().read(count=3).ids == ("0.png", "2.png", "3.png")
    assert source.rows == [0, 1, 2, 3]


def test_batches_hold_all_readable_images_once():
    source = Source(broken={0, 1, 4})
    batches = list(source.split().batches(2))  # of the first, none can be read
    assert [batch.ids for batch in batches] == [("2.png", "3.png"), ("5.png",), ("6.png",)]
    np.testing.assert_array_equal(np.concatenate([batch.images for batch in batches]), WHOLE[[2, 3, 5, 6]])
    assert len(source.left_out) == 3
    assert [len(batch) for batch in Split(images=WHOLE).batches(3)] == [3, 3, 1]
    with pytest.raises(UserError, match="no image could be read"):
        list(Source(broken=range(7)).split().batches(3))


def test_a_broken_image_that_is_indexed_is_an_error():
    images = Source(broken={1}).images()
    with pytest.raises(UserError, match=r"1\.png cannot be read"):
        images[0:3]
    with pytest.raises(UserError, match=r"1\.png cannot be read"):
        list(images)


def test_only_broken_images_are_an_error():
    with pytest.raises(UserError, match=r"no image could be read; photos: 2\.png") as caught:
        Source(broken=range(7)).split().read([2, 1])
    assert caught.value.fix == "mend it"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((3, 4, 5), 1.5, np.float32), "values from 1.5 to 1.5"),
        (np.full((3, 4, 5), np.nan, np.float32), "values from nan"),
        (np.zeros((3, 4, 5)), "float64"),
        (np.zeros((1, 4, 5), np.float32), r"\(1, 4, 5\), not"),
    ],
)
def test_a_wrong_image_is_named_when_it_is_read(image, message):
    with pytest.raises(SidelightError, match=message):
        LazyImages(WHOLE.shape, lambda _: image)[2]


def test_a_saved_split_holds_its_images(tmp_path):
    split = Source().split()
    split.save(tmp_path)
    loaded = Artifact.load(tmp_path)
    np.testing.assert_array_equal(loaded.images, WHOLE)
    assert loaded.digest() == split.digest() == split.read().digest()


def test_shards_of_lazy_images_are_joined():
    split = Source().split()
    joined = Split.concat([split.take([0, 1]), split.take([2])])
    np.testing.assert_array_equal(joined.images, WHOLE[:3])


def test_a_lazy_split_of_another_form_is_refused():
    with pytest.raises(SidelightError, match=r"labels has shape \(3,\), not \(7,\)"):
        Split(images=Source().images(), labels=np.arange(3)).validate()
