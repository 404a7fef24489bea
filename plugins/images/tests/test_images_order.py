import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sidelight_images.order import interleaved, uniform

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array)


def keys_of(labels, seed=0):
    return uniform(seed, [f"image-{number}" for number in range(len(labels))])


@given(LABELS, st.integers(0, 99))
def test_every_row_comes_once(labels, seed):
    assert sorted(interleaved(labels, keys_of(labels, seed))) == list(range(len(labels)))


@given(LABELS, st.integers(0, 99))
def test_every_prefix_is_balanced_as_long_as_classes_last(labels, seed):
    order = interleaved(labels, keys_of(labels, seed))
    left = np.bincount(labels, minlength=5)
    seen = np.zeros(5, dtype=int)
    for row in order:
        seen[labels[row]] += 1
        unfinished = seen[seen < left]
        assert seen.max() - min(unfinished, default=seen.max()) <= 1


@given(st.lists(st.text(), min_size=1, unique=True), st.integers(0, 2**31 - 1))
def test_a_name_keeps_its_number_whatever_its_neighbours(names, seed):
    alone = [uniform(seed, [name])[0] for name in names]
    np.testing.assert_array_equal(uniform(seed, names), alone)


def test_numbers_are_uniform_and_depend_on_the_seed():
    names = [str(number) for number in range(20_000)]
    values = uniform(3, names)
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.histogram(values, bins=10, range=(0, 1))[0]
    assert abs(counts - 2000).max() < 200
    assert not np.isin(values, uniform(4, names)).any()


def test_the_numbers_never_change():
    np.testing.assert_allclose(uniform(0, ["digit-0", "cat/1.png"]), PINNED, rtol=0, atol=1e-15)


PINNED = [0.33763800720844317, 0.03791165999925317]
