"""Metrics that know the true factors, on the kit's toy data and classifier, whose answers can be derived by hand."""

import attrs
import numpy as np
import pytest
import torch
from sidelight_metrics.factors.causal_profile import CausalProfile
from sidelight_metrics.factors.factor_change import FactorChange
from sidelight_metrics.factors.factor_recovery import FactorRecovery, _correlation
from sidelight_metrics.params import CausalProfileParams, FactorChangeParams, FactorRecoveryParams
from sidelight_metrics.statistics import ranks, spearman
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Counterfactual, Heatmap, Inversion
from sidelight_specs.testing import ToyClassifier, ToyData, ToyRun, patterns
from sidelight_toolkit.factors import factor_regressor, independent

pytestmark = pytest.mark.training

DATA = ToyData(task="binary")


def profile_of(classifier=None, **options):
    metric = CausalProfile(
        CausalProfileParams(**{"count": 12, **options}),
        classifier=classifier or ToyClassifier(task="binary"),
        data=DATA,
        run=ToyRun(),
    )
    return metric, *({item.name: item for item in part.items} for part in metric.profile())


def test_the_profile_names_what_the_classifier_uses_and_nothing_else():
    _, effects, flips = profile_of()
    assert list(effects)[:2] in (["rows", "columns"], ["columns", "rows"])
    assert min(effects[name].value for name in ("rows", "columns")) > 1
    assert max(effects[name].value for name in ("checks", "broad", "shade-x", "shade-y")) < 0.01
    assert flips["rows"].value == flips["columns"].value == 1
    assert flips["shade-x"].value == 0
    assert effects["rows"].settings["high end"].startswith("-")
    assert effects["columns"].settings["high end"].startswith("+")


def test_the_profile_that_is_kept_is_valid():
    """A run validates what is kept; effects and flips are kept together."""
    run = ToyRun()
    params, classifier = CausalProfileParams(count=12), ToyClassifier(task="binary")
    effects, flips = CausalProfile(params, classifier=classifier, data=DATA, run=run).profile()
    for artifact in (*run.store.values(), effects, flips):
        artifact.validate()
    assert [item.name for item in effects.items] == [item.name for item in flips.items]


def test_the_effect_is_the_change_of_the_log_odds(linear):
    rows = patterns.basis(32)[0]
    weights = np.stack([np.zeros((1, 32, 32)), rows[None], -2 * rows[None]])
    _, effects, _ = profile_of(linear(weights))
    low, high = DATA.factor_ranges["rows"]
    strength = float((rows**2).sum()) * np.array([low, high])
    # class 2 is never predicted; class 1 is, on every image, since the pattern is always there
    logits = np.stack([0 * strength, strength, -2 * strength], axis=1)
    odds = logits[:, 1] - np.log(np.exp(logits[:, [0, 2]]).sum(axis=1))
    np.testing.assert_allclose(effects["rows"].values, odds[1] - odds[0], rtol=1e-4)
    np.testing.assert_allclose(effects["broad"].values, 0, atol=1e-4)


def test_a_regression_is_profiled_by_its_value(linear):
    _, effects, flips = profile_of(linear(patterns.basis(32)[3][None, None].copy(), "regression"))
    low, high = DATA.factor_ranges["broad"]
    expected = (high - low) * float((patterns.basis(32)[3] ** 2).sum())
    assert effects["broad"].value == pytest.approx(expected, rel=1e-4)
    assert effects["broad"].unit == "value"
    assert flips["broad"].value == 0


def agreement(explanation, images):
    metric, _, _ = profile_of()
    (found,) = metric.measure(explanation, torch.from_numpy(images), None).items
    return found.values


def test_heatmaps_are_held_against_the_profile():
    split = DATA.split("test")
    used = patterns.region(0, 32) | patterns.region(1, 32)
    right = Heatmap(values=np.repeat(used[None].astype(np.float32), 12, 0))
    wrong = Heatmap(values=np.repeat(~used[None], 12, 0).astype(np.float32))
    assert (agreement(right, split.images) > 0.8).all()
    assert (agreement(wrong, split.images) < 0).all()
    np.testing.assert_array_equal(
        agreement(Heatmap(values=-right.values), split.images), agreement(right, split.images)
    )


def test_counterfactuals_mark_what_they_change():
    split = DATA.split("test")
    changed = DATA.render({**split.factors, "rows": np.full(12, 0.2, np.float32)})
    assert (agreement(counterfactual_of(changed), split.images) > 0).all()


def test_nothing_is_said_of_strange_images_or_of_what_marks_no_pixels():
    split = DATA.split("test")
    marks = Heatmap(values=np.ones((12, 32, 32), np.float32))
    assert np.isnan(agreement(marks, 1 - split.images)).all()
    latents = Inversion(latents=np.zeros((12, 2)), reconstructions=split.images, error=np.zeros(12, np.float32))
    assert np.isnan(agreement(latents, split.images)).all()


def test_a_split_that_is_too_small_is_named():
    with pytest.raises(UserError, match='"test" has 12 images and count is 13'):
        profile_of(count=13)


def counterfactual_of(images, converged=None):
    logits = np.zeros((len(images), 2), np.float32)
    converged = np.ones(len(images), bool) if converged is None else converged
    return Counterfactual(images=images, logits_before=logits, logits_after=logits, converged=converged)


@pytest.fixture(scope="module")
def change():
    """`measure` of one metric with one regressor, trained once."""
    run = ToyRun()
    params = FactorChangeParams(images=64, steps=4, batch=32)

    def measure(explanation, images, **options):
        chosen = FactorChangeParams(**{**_options(params), **options})
        metric = FactorChange(chosen, data=DATA, run=run)
        found = metric.measure(explanation, torch.from_numpy(images), None)
        return {item.name: item for item in found.items}, run

    return measure


def _options(params):
    return {"images": params.images, "steps": params.steps, "batch": params.batch}


def test_every_factor_is_reported_with_the_quality_of_its_reading(change):
    images = DATA.split("test").images
    items, run = change(counterfactual_of(1 - images), images)
    assert list(items) == [f"change of {name}" for name in DATA.factor_ranges]
    quality = {item.name: item.value for item in run.emitted["regressor"].items}
    assert set(quality) == set(DATA.factor_ranges)
    reader = factor_regressor(DATA, run, 64, 4, 32)
    expected = reader.half_ranges(images, 1 - images)
    np.testing.assert_allclose(np.stack([item.values for item in items.values()], axis=1), expected, rtol=1e-5)
    assert (expected != 0).any()


def test_failed_searches_and_unchosen_factors_are_left_out(change):
    images = DATA.split("test").images
    found = counterfactual_of(images, np.arange(12) > 3)
    items, _ = change(found, images, factors=("rows",))
    assert list(items) == ["change of rows"]
    np.testing.assert_array_equal(np.isnan(items["change of rows"].values), np.arange(12) <= 3)
    np.testing.assert_array_equal(items["change of rows"].values[4:], 0)


def test_an_unknown_factor_and_another_kind_are_refused(change):
    images = DATA.split("test").images
    with pytest.raises(UserError, match="no factor hat"):
        change(counterfactual_of(images), images, factors=("hat",))
    with pytest.raises(SidelightError, match="heatmap"):
        change(Heatmap(values=images[:, 0]), images)


class Redrawing:
    """An inverter whose reconstructions are what a function makes of the images."""

    def __init__(self, made):
        self.made = made

    def invert(self, images):
        again = np.ascontiguousarray(self.made(images.numpy()))
        return Inversion(latents=np.zeros((len(again), 1)), reconstructions=again, error=np.zeros(len(again)))


def recovery(made):
    split = DATA.split("test")
    params = FactorRecoveryParams(count=12, images=512, steps=60, batch=32)
    metric = FactorRecovery(params, inverter=Redrawing(made), data=DATA, run=ToyRun())
    inversion = Redrawing(made).invert(torch.from_numpy(split.images))
    found = {item.name: item.value for item in metric.measure(inversion, None, None).items}
    assert set(found) == {f"recovery of {name}" for name in DATA.factor_ranges}
    return found


def test_a_factor_is_recovered_as_far_as_both_readings_agree():
    assert min(recovery(lambda images: images).values()) == pytest.approx(1)
    assert np.isnan(list(recovery(lambda images: 0 * images + 0.5).values())).all()


def test_a_factor_that_reconstructions_lose_is_not_recovered():
    factors = dict(DATA.split("test").factors)
    factors["rows"] = np.full_like(factors["rows"], factors["rows"].mean())
    found = recovery(lambda images: DATA.render(factors))
    assert abs(found["recovery of rows"]) < 0.7
    assert found["recovery of columns"] > 0.9


def test_recovery_measures_inversions_only():
    metric = FactorRecovery(FactorRecoveryParams(), inverter=Redrawing(None), data=DATA, run=ToyRun())
    with pytest.raises(SidelightError, match="heatmap"):
        metric.measure(Heatmap(values=np.zeros((1, 2, 2), np.float32)), None, None)


def test_the_regressor_learns_from_independent_factors():
    labels = np.arange(1000) % 2
    confounded = {"one": labels.astype(np.float32), "other": labels.astype(np.float32)}
    ranges = np.array([[-1, 2], [0, 1]], np.float32)
    drawn = independent(confounded, ranges, 4000, np.random.default_rng(0))
    assert abs(np.corrcoef(drawn["one"], drawn["other"])[0, 1]) < 0.06
    assert drawn["one"].min() < -0.9
    assert drawn["one"].max() > 1.9
    assert np.isin(drawn["one"], [0, 1]).mean() == pytest.approx(0.5, abs=0.04)


def test_a_factor_of_one_value_can_be_read():
    """As the rotation of cut-outs that are not turned."""

    class Fixed(ToyData):
        @property
        def factor_ranges(self):
            return super().factor_ranges | {"rows": (0.0, 0.0)}

        def render(self, factors):
            return super().render(factors | {"rows": np.zeros_like(factors["rows"])})

    reader = factor_regressor(Fixed(task="binary"), ToyRun(), 64, 4, 32)
    column = reader.names.index("rows")
    images = Fixed(task="binary").split("test").images
    changes = reader.half_ranges(images, 1 - images)
    assert np.isfinite(changes).all()
    assert (changes[:, column] == 0).all()
    assert (changes != 0).any(axis=0).sum() == len(reader.names) - 1


class Levels(ToyData):
    """`rows` has three levels, in `test` the first alone; `shade-x` counts images, of which no splits share any."""

    splits = ("train", "test", "test-mixed")

    @property
    def factor_levels(self):
        return {"rows": ("weak", "middling", "strong"), "shade-x": tuple(map(str, range(60)))}

    @property
    def factor_ranges(self):
        return super().factor_ranges | {"rows": (0.0, 2.0), "shade-x": (0.0, 59.0)}

    def split(self, name):
        split = super().split(name.split("-")[0])
        count, first = len(split), 0 if name == "train" else 48
        factors = {
            "rows": np.arange(count) % (1.0 if name == "test" else 3.0),
            "shade-x": np.arange(first, first + count),
        }
        return attrs.evolve(split, factors=split.factors | {name: v.astype(np.float32) for name, v in factors.items()})

    def render(self, factors):
        return super().render(factors | {"rows": 0.2 + 0.4 * factors["rows"], "shade-x": 0 * factors["shade-x"]})


def test_levels_are_classified_and_those_that_test_images_lack_are_not_read():
    data = Levels(task="binary")
    reader = factor_regressor(data, ToyRun(), 600, 120, 32)
    rows, shade = (reader.names.index(name) for name in ("rows", "shade-x"))
    assert reader.accuracy[rows] > 0.9
    assert reader.r_squared[rows] > 0.7
    assert np.isnan(reader.r_squared[shade])
    assert np.isnan(np.delete(reader.accuracy, rows)).all()
    split = data.split("test")
    weak, strong = (data.render(split.factors | {"rows": np.full(12, end, np.float32)}) for end in (0, 2))
    assert (reader.read(strong)[:, rows] == 2).mean() > 0.8
    change = reader.half_ranges(weak, strong)
    assert change[:, rows].mean() > 1.5  # twice the total variation distance, at most 2
    assert change.max(axis=0)[rows] <= 2
    np.testing.assert_allclose(reader.half_ranges(strong, weak)[:, rows], change[:, rows], rtol=1e-5)
    assert (change[:, shade] == 0).all()


def test_a_level_that_test_images_do_not_vary_is_held_out_as_in_training():
    """As the square of digits, which no plain test image has."""

    class Plain(Levels):
        def split(self, name):
            split = super().split(name)
            rows = split.factors["rows"] * (name != "test")
            return attrs.evolve(split, factors=split.factors | {"rows": rows})

    reader = factor_regressor(Plain(task="binary"), ToyRun(), 600, 120, 32)
    assert reader.accuracy[reader.names.index("rows")] > 0.9
    assert reader.r_squared[reader.names.index("rows")] > 0.7


def test_recovery_of_levels_has_no_order():
    assert _correlation(np.array([0, 1, 2, 0]), np.array([0, 1, 2, 0]), 3) == pytest.approx(1)
    renamed = np.array([2, 0, 1])  # the same two mistaken for each other, whatever their numbers
    one, other = np.array([0, 1, 2, 0, 1]), np.array([0, 1, 2, 0, 2])
    assert _correlation(one, other, 3) == pytest.approx(_correlation(renamed[one], renamed[other], 3))


def test_data_without_a_renderer_has_no_regressor():
    class Photographs(ToyData):
        @property
        def factor_ranges(self):
            return {}

    with pytest.raises(SidelightError, match="cannot be drawn from factors"):
        factor_regressor(Photographs(), ToyRun())


def test_rank_correlation():
    np.testing.assert_array_equal(ranks(np.array([3.0, 1.0, 3.0, 2.0])), [2.5, 0, 2.5, 1])
    rising = np.array([1.0, 2.0, 5.0, 100.0])
    assert spearman(rising, np.exp(-rising)) == pytest.approx(-1)
    assert spearman(rising, np.array([1.0, np.nan, 2.0, 3.0])) == pytest.approx(1)
    # four places, d = (1, -1, 0, 0): 1 - 6 * 2 / (4 * 15)
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 3, 4])) == pytest.approx(0.8)
    assert np.isnan(spearman(rising, np.ones(4)))
