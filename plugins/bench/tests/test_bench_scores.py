"""Scores against closed forms and second implementations."""

import math

import numpy as np
import pytest
from sidelight_bench import scores
from sidelight_bench.scores import Scores


def table(value, used, *, clean=None, dose=None, effect=None, stratum=None, cluster=None, model=None):
    count = len(value)
    used = np.array(used, bool)
    return Scores(
        value=np.array(value, float),
        used=used,
        unused=~used,
        clean=~used if clean is None else np.array(clean, bool),
        dose=np.array(used, float) if dose is None else np.array(dose, float),
        effect=np.array(used, float) if effect is None else np.array(effect, float),
        stratum=np.array(stratum or ["s/f"] * count),
        cluster=np.array(cluster or [f"s/a/{row % 3}" for row in range(count)]),
        model=np.array(model or [f"m{row}" for row in range(count)]),
    )


def random_table(rng, count=40, suites=2, noise=1.0):
    used = rng.random(count) < 0.5
    return table(
        np.round(used + noise * rng.normal(size=count), 1),
        used,
        stratum=[f"s{row % suites}/f" for row in range(count)],
        cluster=[f"s{row % suites}/a/{row // suites % 6}" for row in range(count)],
    )


def test_auroc_is_that_of_scikit_learn_with_ties():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    for _ in range(20):
        labels = rng.random(30) < 0.4
        values = rng.integers(0, 6, 30) / 5
        assert scores.auroc(values[labels], values[~labels]) == pytest.approx(roc_auc_score(labels, values), abs=1e-12)
    assert scores.auroc(np.ones(3), np.ones(4)) == 0.5
    assert math.isnan(scores.auroc(np.ones(3), np.ones(0)))


def test_stratified_auroc_compares_within_strata():
    both = table(
        [1, 0, 11, 10], [1, 0, 1, 0], stratum=["a/f", "a/f", "b/f", "b/f"], cluster=["a/x/0"] * 2 + ["b/x/0"] * 2
    )
    assert scores.stratified_auroc(both).value == 1.0  # pooled it would be 3/4
    only = table([1, 2], [1, 1])
    assert math.isnan(scores.stratified_auroc(only).value)


def test_perfect_separation_of_six_models_has_a_wide_interval():
    value, low, high = scores.stratified_auroc(table([1, 2, 3, -1, -2, -3], [1, 1, 1, 0, 0, 0]))
    assert value == high == 1.0
    assert 0.45 < low < 0.75  # 20 orders of six models: a chance of 1 in 20 for this one
    many = table([*range(60)], [row >= 30 for row in range(60)])
    assert scores.stratified_auroc(many).low > 0.9


def test_three_models_against_three_prove_nothing_and_four_against_four_do():
    assert scores.stratified_auroc(table([1, 2, 3, -1, -2, -3], [1, 1, 1, 0, 0, 0])).low <= 0.5
    assert scores.stratified_auroc(table([1, 2, 3, 4, -1, -2, -3, -4], [1] * 4 + [0] * 4)).low > 0.5  # 2 of 70 orders


def test_newcombe_has_the_variance_of_hanley_and_mcneil_at_equal_sizes():
    theta = np.array([0.6, 0.75, 0.9])
    q1, q2, n = theta / (2 - theta), 2 * theta**2 / (1 + theta), 20
    closed = (theta * (1 - theta) + (n - 1) * (q1 - theta**2) + (n - 1) * (q2 - theta**2)) / n**2
    assert scores._variance(theta, n, n) == pytest.approx(closed)


def test_the_interval_holds_the_truth_nineteen_times_of_twenty():
    rng, inside, trials = np.random.default_rng(1), 0, 150
    truth = 0.5 * (1 + math.erf(1 / 2))  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2)
    for _ in range(trials):
        used = np.arange(18) % 2 == 0
        one = table(used + rng.normal(size=18), used, cluster=[f"s/a/{row // 2 % 9}" for row in range(18)])
        _, low, high = scores.stratified_auroc(one, draws=300)
        inside += low <= truth <= high
    assert inside / trials > 0.92


def test_strata_of_one_suite_do_not_narrow_the_interval():
    value, used = [3, 2, 1, 1.5, 0, -1], [1, 1, 1, 0, 0, 0]
    once = scores.stratified_auroc(table(value, used))
    twice = table(
        value * 2, used * 2, stratum=["s/f"] * 6 + ["s/g"] * 6, cluster=[f"s/a/{row % 3}" for row in range(6)] * 2
    )
    assert scores.stratified_auroc(twice) == pytest.approx(once)


def test_spearman_is_that_of_scipy_with_ties():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(2)
    for _ in range(20):
        one, other = rng.integers(0, 5, 12), rng.integers(0, 5, 12)
        assert scores.spearman(one, other) == pytest.approx(spearmanr(one, other).statistic, abs=1e-12)
    weights = rng.integers(0, 3, 12)
    repeated = np.repeat(np.arange(12), weights)
    expected = spearmanr(one[repeated], other[repeated]).statistic
    assert scores.spearman(one, other, weights) == pytest.approx(expected, abs=1e-12)
    drawn = scores._weighted_rho(scores._ordering(one), scores._ordering(other), weights[None].astype(float))
    assert drawn[0] == pytest.approx(expected, abs=1e-12)
    assert math.isnan(scores.spearman(np.ones(4), np.arange(4)))


def test_false_alarms_at_ninety_percent_recall():
    users, clean = np.arange(1, 11), [0, 1.5, 2, 20]  # nine of ten users reach 2
    one = table([*users, *clean], [1] * 10 + [0] * 4)
    assert scores.false_alarms(one).value == 2 / 4
    assert scores.false_alarms(one)[1:] == pytest.approx((0.150, 0.850), abs=5e-4)  # Wilson
    assert math.isnan(scores.false_alarms(table([1, 2], [1, 1])).value)


def test_models_that_are_neither_count_nowhere_in_the_auroc():
    one = table([2, 1, 5, 0], [1, 0, 0, 0])
    without = one._replace(unused=np.array([False, True, False, True]))
    assert scores.stratified_auroc(one).value == pytest.approx(2 / 3)
    assert scores.stratified_auroc(without).value == 1


def test_strata_of_users_alone_are_not_counted():
    one = table([2, 1, 5, 0], [1, 0, 1, 1], stratum=["s/f", "s/f", "s/g", "s/g"])
    assert scores.compared(one) == (1, 1, 1)


def test_false_alarms_leave_out_models_that_are_not_clean():
    one = table([3, 2, 5, 1], [1, 1, 0, 0], clean=[0, 0, 0, 1])
    assert scores.false_alarms(one).value == 0


def test_dose_response_needs_three_doses_and_is_per_architecture():
    doses, cluster = [0.5, 0.7, 0.9] * 2, ["s/a/0"] * 3 + ["s/b/0"] * 3
    one = table([1, 2, 3, 11, 12, 13], [0, 1, 1] * 2, dose=doses, cluster=cluster)
    assert scores.dose_response(one).value == pytest.approx(1)
    falling = table([3, 2, 1, 11, 12, 13], [0, 1, 1] * 2, dose=doses, cluster=cluster)
    assert scores.dose_response(falling).value == pytest.approx(0)
    assert math.isnan(scores.dose_response(table([1, 2, 3], [0, 1, 1], dose=[0, 1, 1])).value)


def test_profile_correlation_is_within_models():
    strata = ["s/f", "s/g", "s/h"] * 2
    one = table(
        [1, 2, 3, 30, 20, 10], [1] * 6, effect=[1, 2, 3] * 2, stratum=strata, model=["m"] * 3 + ["n"] * 3,
        cluster=["s/a/0"] * 3 + ["s/a/1"] * 3,
    )  # fmt: skip
    value, low, high = scores.profile_correlation(one)
    assert (value, low, high) == pytest.approx((0, -1, 1))


def test_methods_that_are_alike_do_not_differ_and_others_do():
    rng = np.random.default_rng(3)
    one = random_table(rng, 80, noise=0.3)
    same = one._replace(value=one.value + 0.001)
    nonsense = one._replace(value=rng.normal(size=80))
    assert not scores.auroc_differs(one, same)
    assert scores.auroc_differs(one, nonsense)
    few = table([1, 2, 3, -1, -2, -3], [1, 1, 1, 0, 0, 0])
    assert not scores.auroc_differs(few, few._replace(value=-few.value)), "three seeds cannot tell"


def test_no_difference_is_claimed_seldom_between_nonsense():
    rng, wrong = np.random.default_rng(4), 0
    for _ in range(60):
        one = random_table(rng, 48)
        first, second = (one._replace(value=rng.normal(size=48)) for _ in range(2))
        wrong += scores.auroc_differs(first, second, draws=500)
    assert wrong <= 6, "5 % of 60 are 3"


def test_stability_names_what_flips():
    stratum = np.array(["s/f"] * 8)
    used = np.array([1, 0] * 4, bool)
    group = np.array(["seed/0"] * 2 + ["seed/1"] * 2 + ["position/left"] * 2 + ["position/right"] * 2)
    value = np.array([2, 1, 2, 1, 5, 1, 0, 1], float)
    share, flipped = scores.stability(value, used, ~used, stratum, group)
    assert share == 2 / 4, "the seeds agree, left and right do not"
    assert flipped == ("position",)


def test_noise_is_as_stable_as_a_coin():
    rng = np.random.default_rng(6)
    used, stratum = np.array([1, 0] * 3, bool), np.array(["s/f"] * 6)
    group = np.repeat(["seed/1", "seed/2", "seed/3"], 2)
    shares = [scores.stability(rng.normal(size=6), used, ~used, stratum, group)[0] for _ in range(1000)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.04)


def test_clusters_without_a_known_truth_are_no_evidence():
    rng = np.random.default_rng(7)
    one = table(
        [9, 0] * 2 + rng.normal(size=8).tolist(),
        [1, 0] * 6,
        cluster=[f"s/a/{row // 2}" for row in range(12)],
    )
    undecided = np.arange(12) >= 4
    one = one._replace(used=one.used & ~undecided, unused=one.unused & ~undecided)
    assert not scores.auroc_differs(one, one._replace(value=-one.value)), "two clusters of the six are compared"


def test_dose_response_leaves_out_other_factors():
    doses, cluster = [0.5, 0.7, 0.9, *[math.nan] * 3], ["s/a/0"] * 6
    one = table([1, 2, 3, 3, 2, 1], [0, 1, 1] * 2, dose=doses, stratum=["s/f"] * 3 + ["s/g"] * 3, cluster=cluster)
    assert scores.dose_response(one).value == pytest.approx(1)


def test_the_bootstrap_is_the_same_for_all_methods_and_runs():
    rng = np.random.default_rng(5)
    one, other = random_table(rng), random_table(rng)
    assert np.array_equal(scores._multiplicities(one, 50), scores._multiplicities(one._replace(value=other.value), 50))
    assert scores.stratified_auroc(one) == scores.stratified_auroc(one)
