"""Factors drawn anew, the causal profile by them, and its intervals, against values derived by hand."""

import attrs
import numpy as np
import pytest
from sidelight_metrics.factors import causal_profile
from sidelight_metrics.factors.causal_profile import CausalProfile, is_used
from sidelight_metrics.factors.redraw import other_values, with_factor
from sidelight_metrics.params import CausalProfileParams
from sidelight_metrics.statistics import bootstrap_interval
from sidelight_specs.intervals import wilson_interval
from sidelight_specs.results import Measurement
from sidelight_specs.testing import ToyData, ToyRun, patterns

DATA = ToyData(task="binary")
SPLIT = DATA.split("test")
ROWS = patterns.basis(32)[0]


def test_values_of_other_images_are_drawn_and_never_the_images_own():
    values = other_values(DATA, SPLIT, "rows", 50, range(12))
    assert values.shape == (12, 50)
    assert np.isin(values, SPLIT.factors["rows"]).all()
    assert (values != SPLIT.factors["rows"][:, None]).all()
    assert len(np.unique(values[0])) > 5


def test_what_is_drawn_depends_on_row_and_factor_alone():
    values = other_values(DATA, SPLIT, "rows", 4, range(12))
    np.testing.assert_array_equal(other_values(DATA, SPLIT, "rows", 4, [7, 2]), values[[7, 2]])
    assert (other_values(DATA, SPLIT, "columns", 4, range(12)) != values).any()


@pytest.mark.parametrize("value", [0.2, 1.0, 0.5])
def test_of_a_factor_that_does_not_vary_the_ends_are_drawn(value):
    same = attrs.evolve(SPLIT, factors={**SPLIT.factors, "rows": np.full(12, value, np.float32)})
    drawn = set(np.unique(other_values(DATA, same, "rows", 20, range(12))))
    assert drawn == {np.float32(0.2), np.float32(1.0)} - {np.float32(value)}


def test_a_category_of_two_is_always_exchanged():
    halves = attrs.evolve(SPLIT, factors={**SPLIT.factors, "rows": np.float32(np.arange(12) % 2)})
    np.testing.assert_array_equal(
        other_values(DATA, halves, "rows", 3, range(12)), np.repeat((np.arange(12)[:, None] + 1) % 2, 3, 1)
    )


def test_each_image_has_a_value_of_its_own():
    drawn = with_factor(DATA, SPLIT, "rows", SPLIT.factors["rows"])
    np.testing.assert_array_equal(drawn, DATA.render(SPLIT.factors))


def profile(classifier, **options):
    params = CausalProfileParams(**{"count": 12, "change": "redraw", "draws": 5, **options})
    parts = CausalProfile(params, classifier=classifier, data=DATA, run=ToyRun()).profile()
    return [{item.name: item for item in part.items} for part in parts]


def test_the_effect_of_a_factor_drawn_anew(linear):
    """Logits 0 and w * (strength of rows - 0.6): the class changes where the draw crosses 0.6."""
    weights = np.stack([np.zeros((1, 32, 32)), ROWS[None] / (ROWS**2).sum()])
    effects, flips = profile(linear(weights))
    drawn, own = other_values(DATA, SPLIT, "rows", 5, range(12)), SPLIT.factors["rows"][:, None]
    np.testing.assert_allclose(effects["rows"].values, np.abs(drawn - own).mean(1), rtol=1e-3)
    np.testing.assert_allclose(effects["broad"].values, 0, atol=1e-5)
    assert effects["rows"].settings["draws"] == "5"
    assert flips["rows"].value == 0  # the logit is always above 0


def test_the_share_of_draws_that_flip(linear):
    weights = np.stack([ROWS[None], -ROWS[None]]) / (ROWS**2).sum()
    classifier = linear(weights)
    bias = 0.6  # between the images with the pattern of their class and those without
    scores = classifier.scores
    classifier.scores = lambda images: scores(images) - bias * scores(images).new_tensor([1.0, -1.0])
    _, flips = profile(classifier)
    drawn, own = other_values(DATA, SPLIT, "rows", 5, range(12)), SPLIT.factors["rows"][:, None]
    expected = ((drawn > bias) != (own > bias)).mean(1)
    assert 0 < expected.mean() < 1
    np.testing.assert_allclose(flips["rows"].values, expected, rtol=1e-5)
    assert flips["rows"].interval == pytest.approx(wilson_interval(expected.sum(), 12))
    assert is_used(flips["rows"])
    assert not is_used(flips["broad"])


@pytest.mark.parametrize("change", ["ends", "redraw"])
def test_images_are_drawn_a_batch_at_a_time(linear, monkeypatch, change):
    sizes = []

    class Counted(ToyData):
        def render(self, factors):
            sizes.append(len(factors["rows"]))
            return super().render(factors)

    monkeypatch.setattr(causal_profile, "SMALL_ON_CPU", 5)
    params = CausalProfileParams(count=12, change=change, draws=2)
    data = Counted(task="binary")
    CausalProfile(params, classifier=linear(ROWS[None, None] * [[[[1]]], [[[2]]]]), data=data, run=ToyRun()).profile()
    assert max(sizes) == 5


def test_the_bootstrap_of_a_mean():
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / 20
    assert (low, high) == (pytest.approx(values.mean() - half, abs=0.04), pytest.approx(values.mean() + half, abs=0.04))
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval(np.full(5, 2.0)) == (2, 2)
    assert bootstrap_interval(np.ones(2)) is None


def flips(hits, count):
    values = np.float32(np.arange(count) < hits)
    return Measurement(name="flips", values=values, limits=wilson_interval(hits, count))


@pytest.mark.parametrize(
    ("hits", "floor", "used"),
    [(0, 0.0, False), (3, 0.0, False), (16, 0.0, True), (16, 0.3, False), (60, 0.3, True)],
)
def test_a_factor_is_used_where_the_lower_limit_of_its_flips_is_above_the_floor(hits, floor, used):
    assert is_used(flips(hits, 64), floor) is used
