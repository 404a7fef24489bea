"""Spread of measurements over images and over the conditions they depend on."""

import attrs
import numpy as np
import pytest
from scipy import stats
from sidelight_specs import SidelightError
from sidelight_specs.results import Measurement, Measurements, order_flips


def number(values, **variants):
    arrays = {name: np.asarray(part, np.float32) for name, part in variants.items()}
    return Measurement(name="deletion", values=np.asarray(values, np.float32), variants=arrays, varied="baseline")


@pytest.mark.parametrize("count", [3, 4, 8, 30, 500])
def test_the_interval_of_a_mean_is_students(count):
    values = np.random.default_rng(count).normal(2, 3, count)
    low, high = number(values).interval
    expected = stats.t.interval(0.95, count - 1, loc=values.mean(), scale=stats.sem(values))
    assert (low, high) == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize(("turned", "count"), [(0, 8), (5, 8), (8, 8), (46, 100)])
def test_the_interval_of_a_share_is_wilsons(turned, count):
    expected = stats.binomtest(turned, count).proportion_ci(method="wilson")
    assert number([1] * turned + [0] * (count - turned)).interval == pytest.approx(
        (expected.low, expected.high), abs=1e-5
    )


def test_images_to_which_a_number_does_not_apply_are_left_out():
    values = [1.0, np.nan, 2.0, 4.0, np.nan]
    assert number(values).interval == number([1.0, 2.0, 4.0]).interval
    assert number([1.0, 2.0, np.nan]).interval is None


def test_an_order_that_turns_with_the_baseline_is_named():
    first = number([0.3, 0.3, 0.3], blur=[0.5, 0.5, 0.6], black=[0.0, 0.1, 0.1])
    second = number([0.3, 0.3, 0.3], blur=[0.2, 0.3, 0.2], black=[0.4, 0.4, 0.3])
    third = number([0.9, 0.9, 0.9], blur=[0.9, 0.9, 0.8], black=[0.9, 0.8, 0.9])
    assert order_flips({"a": first, "b": second, "c": third}) == (("a", "b"),)
    assert first.variant_means["black"] == pytest.approx(0.0667, abs=1e-3)


def test_an_order_that_the_images_cannot_tell_is_no_flip():
    first = number([0.3] * 3, blur=[0.5, 0.1, 0.6], black=[0.0, 0.1, 0.1])
    second = number([0.3] * 3, blur=[0.1, 0.5, 0.4], black=[0.4, 0.4, 0.3])
    assert order_flips({"a": first, "b": second}) == ()


def test_an_interval_of_differences_of_probabilities_has_no_end_at_0():
    values = np.array([-0.9, -0.1, -0.2, -0.1], np.float32)
    low, high = Measurement(name="m", values=values, unit="probability").interval
    assert low < values.mean() < high


def test_an_interval_of_probabilities_ends_at_0_and_1():
    values = np.array([0.0, 0.9, 0.95], np.float32)
    assert Measurement(name="m", values=values, unit="probability").interval == (0.0, 1.0)
    assert Measurement(name="m", values=values, unit="logits").interval[1] > 1


@pytest.mark.parametrize("rows", [[1, 3], [2]])
def test_numbers_of_some_images_do_not_apply_to_the_others(rows):
    count = len(rows)
    curves = {"curve_x": np.arange(3, dtype=np.float32), "curve_y": np.ones((count, 3), np.float32)}
    values, blur = np.arange(count, dtype=np.float32), np.ones(count, np.float32)
    item = Measurement(name="m", values=values, variants={"blur": blur}, **curves)
    whole = Measurement(name="all", values=np.ones(1, np.float32), limits=(0, 2))
    some, same = Measurements(items=(item, whole)).scattered(rows, 4).items
    outside = [row not in rows for row in range(4)]
    for array in (some.values, some.variants["blur"], some.curve_y[:, 0]):
        assert np.isnan(array).tolist() == outside
    assert some.values[rows].tolist() == values.tolist()
    assert some.value == item.value
    assert same.value == 1
    assert count == 1 or len(same.values) == 1


@pytest.mark.parametrize("count", range(3, 60))
def test_the_interval_of_none_and_of_all_has_exact_ends(count):
    none, every = (Measurement(name="turned", values=np.full(count, hit, np.float32)).interval for hit in (0, 1))
    assert none[0] == 0.0
    assert every[1] == 1.0
    assert none[1] == pytest.approx(1 - every[0])


def test_a_number_of_the_whole_set_is_none_of_its_only_image():
    whole = Measurement(name="R2", values=np.ones(1, np.float32), whole=True)
    each = Measurement(name="error", values=np.full(1, 2, np.float32))
    table = Measurements(items=(whole, each))
    assert table.of_all(1) == "R2"
    assert [item.is_of_each(1) for item in table.items] == [False, True]
    scattered = table.scattered([1], 3)
    np.testing.assert_array_equal(scattered.items[0].values, [1])
    np.testing.assert_array_equal(scattered.items[1].values, [np.nan, 2, np.nan])
    assert [len(item.values) for item in table.take([]).items] == [1, 0]
    assert Measurement(name="recall", values=np.ones(1, np.float32), limits=(0.5, 1.0)).whole
    with pytest.raises(ValueError, match="whole set"):
        Measurements.concat([Measurements(items=(whole,)), Measurements(items=(whole,))])
    with pytest.raises(SidelightError, match=r"R2.values has 2 rows, not 1: it is of the whole set"):
        Measurements(items=(attrs.evolve(whole, values=np.ones(2, np.float32)),)).validate()


def test_numbers_above_a_limit_are_doubted_together():
    values = np.array([0.2, 0.7, np.nan, 0.9], np.float32)
    item = Measurement(name="tint share", values=values, doubt_above=0.5, doubt="the change is one colour")
    table = Measurements(items=(item, attrs.evolve(item, name="other", doubt_above=0.95)))
    assert table.doubts() == ["tint share is above 0.5 for 2 of 3 images: the change is one colour"]
