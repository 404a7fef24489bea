"""The rule of a test: statistics against scipy and closed forms, and what must hold for any numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sidelight_explorer.hypothesis import Control, by_group, judge, mean_interval, turned_interval

SCORES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=5, max_size=40)
CHANGES = st.lists(st.floats(-1, 1), min_size=0, max_size=40)
LEAST = st.floats(0, 0.5)


def controls(changes, size="image"):
    return [Control(size, change) for change in changes]


def steady(change, count=20, noise=0.01):
    """`count` images whose score changes by about `change`."""
    wobble = noise * np.where(np.arange(count) % 2, 1, -1)
    return np.full(count, 0.4), 0.4 + change + wobble


@pytest.mark.parametrize("count", [5, 12, 200])
def test_intervals_are_those_of_scipy(count):
    values = np.random.default_rng(count).normal(0.1, 0.3, count)
    mean, low, high = mean_interval(values)
    expected = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(expected, abs=2e-3 if count < 10 else 1e-5)
    assert mean == pytest.approx(values.mean())
    hits, low, high = turned_interval(values > 0.2)
    proportion = stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((proportion.low, proportion.high), abs=1e-5)


def test_one_value_has_no_interval_and_none_has_no_mean():
    mean, low, high = mean_interval([0.5])
    assert mean == 0.5
    assert math.isnan(low)
    assert math.isnan(high)
    assert mean_interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)
    assert turned_interval([]) == (0, 0.0, 1.0)
    with pytest.raises(ValueError, match="no values"):
        mean_interval([])


WEAK = [0.01 * (-1) ** row for row in range(19)]


@pytest.mark.parametrize(
    ("change", "others", "expected", "verdict", "reason"),
    [
        (0.3, WEAK, "up", "supported", "rises by more than 0.05"),
        (-0.3, WEAK, "down", "supported", "falls by more than 0.05"),
        (0.3, WEAK, "down", "contradicted", "the score rises instead"),
        (-0.3, WEAK, "up", "contradicted", "the score falls instead"),
        (0.01, WEAK, "up", "contradicted", "does not rise by 0.05"),
        (-0.01, WEAK, "down", "contradicted", "does not fall by 0.05"),
        (0.05, WEAK, "up", "not established", "below and above"),
        (0.3, [*WEAK[1:], -0.31], "up", "not established", "random edits of equal size do as much"),
        (0.3, WEAK[1:], "up", "not established", "fewer than 19 random edits"),
        (0.3, [], "up", "not established", "fewer than 19 random edits"),
        (0.01, [], "none", "supported", "changes by less than 0.05"),
        (0.05, WEAK, "none", "not established", "below and above"),
        (0.3, WEAK, "none", "contradicted", "rises by more than 0.05"),
        (-0.3, WEAK, "none", "contradicted", "falls by more than 0.05"),
        (-0.3, [0.5] * 19, "none", "not established", "random edits of equal size do as much"),
    ],
)
def test_the_rule(change, others, expected, verdict, reason):
    before, after = steady(change)
    outcome = judge(before, after, controls(others), expected, 0.05)
    assert outcome.verdict == verdict
    assert reason in outcome.reason
    assert str(outcome).startswith(verdict.capitalize())
    assert "20 images" in str(outcome)


def test_every_kind_of_equal_size_counts_and_few_images_say_nothing():
    before, after = steady(0.3)
    both = controls(WEAK, "w") + controls([0.5] * 19, "image")
    outcome = judge(before, after, both, "up", 0.05)
    assert outcome.verdict == "not established"
    assert [(one.size, one.as_large, one.count) for one in outcome.compared] == [("w", 0, 19), ("image", 19, 19)]
    assert [one.rank for one in outcome.compared] == [0.05, 1.0]
    assert judge(before[:4], after[:4], controls(WEAK), "up", 0.05).reason.startswith("fewer than 5 images")


@given(SCORES, CHANGES, LEAST)
def test_up_of_the_scores_is_down_of_their_negatives(scores, others, least):
    before, after = np.array(scores).T
    one = judge(before, after, controls(others), "up", least)
    other = judge(-before, -after, controls([-change for change in others]), "down", least)
    assert one.verdict == other.verdict


@given(SCORES, CHANGES, LEAST)
def test_the_order_of_the_images_says_nothing_and_opposites_are_not_both_supported(scores, others, least):
    before, after = np.array(scores).T
    order = np.random.default_rng(0).permutation(len(before))
    verdicts = {}
    for expected in ("up", "down", "none"):
        one = judge(before, after, controls(others), expected, least)
        other = judge(before[order], after[order], controls(others[::-1]), expected, least)
        assert one.mean == pytest.approx(other.mean, abs=1e-12)
        assert one.compared == other.compared or math.isclose(
            one.mean, max((abs(change) for change in others), default=0), abs_tol=1e-12
        )
        verdicts[expected] = one.verdict
    assert list(verdicts.values()).count("supported") <= 1
    if verdicts["none"] == "supported":
        assert verdicts["up"] == verdicts["down"] == "contradicted"


@given(SCORES, CHANGES, LEAST, st.floats(0, 1))
def test_a_further_random_edit_that_does_as_much_never_helps(scores, others, least, more):
    before, after = np.array(scores).T
    outcome = judge(before, after, controls(others), "up", least)
    rival = controls([*others, abs(outcome.mean) + more])
    if outcome.verdict != "supported":
        assert judge(before, after, rival, "up", least).verdict == outcome.verdict


def test_groups_have_intervals_of_their_own():
    before, after = np.zeros(6), np.array([0.1, 0.2, 0.3, -0.1, -0.2, 0.5])
    turned = [True, False, False, True, True, False]
    first, second = by_group(before, after, turned, ["b", "b", "b", "a", "a", None])
    assert (first.name, first.count, first.turned) == ("a", 2, 2)
    assert (second.name, second.count, second.turned) == ("b", 3, 1)
    assert (second.mean, second.low, second.high) == pytest.approx(mean_interval(after[:3]))
    assert by_group(before, after, [], [None] * 6) == ()


@pytest.mark.parametrize(
    ("least", "shown"),
    [(0.05, "0.05"), (0.00042, "0.00042"), (0.125, "0.125"), (123.456, "123.456"), (0, "0"), (250, "250")],
)
def test_the_smallest_change_is_shown_as_it_is_compared(least, shown):
    outcome = judge(np.zeros(9), np.full(9, 1e4), controls([0.0] * 19), "up", least)
    assert outcome.verdict == "supported"
    assert f"rises by more than {shown}, and" in outcome.reason
