"""Comparison of results, and recipes that come from strangers."""

import math

import attrs
import numpy as np
import pytest
from sidelight_evidence.compare import DIFFERS, MATCHED, WITHIN, common_scales, compare, compare_claims, scales_of
from sidelight_evidence.recipe import closures, components, for_images, refuse_outside, restricted, with_values, without
from sidelight_specs import Need, UserError
from sidelight_specs.results import ClaimResult, Heatmap, Measurement, Measurements, Targets

RECIPE = {
    "recipe": 1,
    "name": "mine",
    "seed": 0,
    "explain": {"split": "test", "count": 8, "choose": "errors", "target": "second", "shard": 4},
    "data": {"use": "images/folder", "with": {"path": "photos"}},
    "classifier": {
        "classifier": {"use": "toy/net", "with": {}, "needs": {"data": "data"}},
        "judge": {"use": "toy/net", "with": {"file": "model.pt2"}},
    },
    "generator": {"use": "toy/gan", "needs": {"data": "data"}},
    "inverter": {"use": "toy/encoder", "needs": {"generator": "generator"}},
    "explainers": {
        "heat": {"use": "toy/heat", "needs": {"classifier": "classifier"}},
        "counter": {"use": "toy/counter", "needs": {"classifier": "classifier", "inverter": "inverter"}},
    },
    "metrics": {"flips": {"use": "toy/flips", "needs": {"classifier": "judge"}}},
    "renderers": {"page": {"use": "toy/page"}},
}


def heatmap(seed=0):
    return Heatmap(values=np.random.default_rng(seed).random((3, 4, 4), dtype=np.float32) * 8)


def test_the_same_bits_match():
    assert compare(heatmap(), heatmap(), 0, {}).verdict == MATCHED


@pytest.mark.parametrize(("factor", "verdict"), [(0.5, WITHIN), (2, DIFFERS)])
def test_differences_are_shares_of_the_range(factor, verdict):
    one, scales = heatmap(), scales_of(heatmap())
    values = one.values.copy()
    values[1, 2, 3] += factor * 1e-3 * scales["values"]
    result = compare(one, attrs.evolve(one, values=values), 1e-3, scales)
    assert (result.verdict, result.where) == (verdict, "values")
    assert result.share == pytest.approx(factor * 1e-3, rel=1e-2)


def test_whole_numbers_shapes_words_and_missing_numbers_have_no_tolerance():
    one = heatmap()
    broken = one.values.copy()
    broken[0, 0, 0] = np.nan
    others = [
        attrs.evolve(one, values=one.values[:, :3]),
        attrs.evolve(one, values=one.values.astype(np.float64)),
        attrs.evolve(one, values=broken),
        attrs.evolve(one, answers="probe"),
    ]
    assert [compare(one, other, 1.0, scales_of(one)).verdict for other in others] == [DIFFERS] * 4
    targets = Targets(predicted=np.arange(3), probe=np.arange(3) + 1)
    other = Targets(predicted=np.arange(3), probe=np.arange(3) + 2)
    assert math.isinf(compare(targets, other, 1.0, {}).share)


def test_a_huge_number_in_another_image_buys_no_tolerance():
    honest = heatmap()
    forged = honest.values.copy()
    forged[0] += 0.5
    forged[2, 0, 0] = 1e9  # in an image that is not drawn
    original, again = attrs.evolve(honest, values=forged), honest.take([0])
    assert compare(original.take([0]), again, 1 / 255, common_scales(original, again)).verdict == DIFFERS
    assert common_scales(honest, honest.take([0]))["values"] <= scales_of(honest)["values"]


def test_single_numbers_are_compared_by_their_magnitude():
    one = Measurement(name="auc", values=np.ones(1, np.float32), limits=(0.25, 0.75))
    pair = [Measurements(items=(attrs.evolve(one, limits=(0.25, high)),)) for high in (0.75 * (1 + 1e-4), 0.75)]
    assert compare(*pair, 1e-3, {}).verdict == WITHIN
    assert compare(*pair, 1e-5, {}).verdict == DIFFERS


def test_a_reason_counts_where_the_numbers_are_the_same():
    images = np.zeros((3, 1, 8, 8), np.float32)
    claim = ClaimResult.example(images, 2)
    effect = attrs.evolve(claim.effects["black"], low=0.8 + 1e-12)
    rounded = attrs.evolve(claim, effects={"black": effect}, reason="the whole interval lies above .5")
    assert compare_claims(rounded, claim, 1e-9).verdict == WITHIN
    forged = attrs.evolve(claim, reason="the model is fair")
    assert (compare_claims(forged, claim, 1e-9).verdict, compare_claims(forged, claim, 1e-9).where) == (
        DIFFERS,
        "reason",
    )


def test_a_constant_result_that_changes_differs():
    one = Heatmap(values=np.zeros((2, 4, 4), np.float32))
    other = Heatmap(values=np.full((2, 4, 4), 1e-9, np.float32))
    assert compare(one, other, 1.0, scales_of(one)).verdict == DIFFERS


@attrs.frozen
class Toy:
    """A descriptor, and a host that finds it for every name."""

    needs: tuple = ()
    provides: tuple = ()

    @property
    def descriptor(self):
        return self

    def find(self, use, role):
        return (self,)


def test_what_shows_is_not_computed_again():
    declared = {**RECIPE, "claims": {"claim": {"use": "toy/claim"}}}
    assert set(declared) - set(restricted(declared, explainers=True)) == {"claims", "renderers"}
    assert set(declared) - set(restricted(declared, explainers=True, claims=True)) == {"renderers"}
    assert set(restricted(RECIPE, explainers=False)) & {"explainers", "inverter"} == set()
    assert for_images(RECIPE, ["a", "b"])["explain"] == {
        "split": "test", "images": ["a", "b"], "target": "second", "shard": 4,
    }  # fmt: skip


def test_what_a_component_needs_is_followed_by_role_and_id():
    toy = Toy(needs=tuple(Need(role) for role in ("data", "generator", "inverter", "classifier")))
    found = closures(RECIPE, toy)
    assert found["explainers.heat"] == {"explainers.heat", "classifier", "data"}
    assert found["explainers.counter"] == {
        "explainers.counter", "classifier", "data", "inverter", "generator",
    }  # fmt: skip
    assert found["metrics.flips"] == {"metrics.flips", "classifier.judge"}


def test_sections_that_are_empty_go():
    left = without(RECIPE, {"generator", "inverter", "explainers.counter"})
    assert "generator" not in left
    assert list(left["explainers"]) == ["heat"]
    assert [path for path, _, _ in components(left)][:3] == ["data", "classifier", "classifier.judge"]


@pytest.mark.parametrize(
    "path", ["/etc", "~/photos", "../photos", "a/../../b", "C:\\photos", "\\\\host\\share", "file:///etc", "a\\..\\.."]
)
def test_paths_that_lead_out_of_the_bundle_have_to_be_the_auditors(path):
    recipe = with_values({**RECIPE, "data": {"use": "images/folder", "with": {}}}, {"data.path": path})
    with pytest.raises(UserError, match=r"data\.with\.path of the bundle's recipe leads out"):
        refuse_outside(recipe, ["classifier.with.path=x"])
    refuse_outside(recipe, [f"data.with.path={path}"])
    with pytest.raises(UserError):
        refuse_outside(recipe, ["data.with.pat=x"])  # the start of a name is another parameter
    nested = with_values(recipe, {"data.path": {"key": ["fine", path]}})
    with pytest.raises(UserError):
        refuse_outside(nested, [])


@pytest.mark.parametrize("path", ["photos", "inputs/data/path", "timm:resnet18", "a..b", "cats/dogs"])
def test_names_and_paths_within_the_bundle_are_fine(path):
    refuse_outside(with_values({**RECIPE, "data": {"use": "x/y", "with": {}}}, {"data.path": path}), [])
