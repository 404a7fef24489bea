"""Use of a factor: closed forms of every family, and what leaves it unchanged."""

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sidelight_metrics.factors.use.factor_use import FactorUse
from sidelight_metrics.factors.use.place import concept_use, excess_mass, heatmap_mass
from sidelight_metrics.params import FactorUseParams
from sidelight_metrics.segments import first_rows_of, rows_of
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import (
    AttentionGraph,
    Attribute,
    Attributes,
    Concepts,
    Counterfactual,
    Graph,
    GraphNode,
    Heatmap,
    ImageAttributes,
    Intervention,
    Inversion,
)
from sidelight_specs.testing import ToyData, ToyRun, patterns

DATA = ToyData(task="binary")
SPLIT = DATA.split("test")
IMAGES, COUNT, SIDE = SPLIT.images, 12, 32
REGION = patterns.region(0, SIDE)  # of the factor `rows`, which has a mask
AREA = REGION.mean()
RUN = ToyRun()  # keeps the regressor of all tests that have these data


def use(explanation, images=IMAGES, data=DATA, **options):
    """The metric's items by name, by a regressor of which nothing is asked but to be the same."""
    params = FactorUseParams(**{"images": 512, "steps": 60, "batch": 32, "least_quality": 0.0, **options})
    metric = FactorUse(params, data=data, run=RUN if data is DATA else ToyRun())
    return {item.name: item for item in metric.measure(explanation, torch.from_numpy(images), None).items}


def repeated(map_):
    return np.repeat(np.float32(map_)[None], COUNT, 0)


# By place


def test_the_mask_itself_has_the_highest_use_a_uniform_map_none():
    items = use(Heatmap(values=repeated(REGION)))
    np.testing.assert_allclose(items["use of rows"].values, 1, atol=1e-6)
    assert max(items[f"use of {name}"].value for name in ("columns", "checks", "broad")) < 0
    assert items["use of rows"].settings == {"by": "mass", "region": "mask rows"}
    for map_ in (np.ones((SIDE, SIDE)), np.zeros((SIDE, SIDE)), -3 * np.ones((SIDE, SIDE))):
        np.testing.assert_allclose(use(Heatmap(values=repeated(map_)))["use of rows"].values, 0, atol=1e-6)


def test_a_map_that_avoids_the_region_has_the_lowest():
    items = use(Heatmap(values=repeated(~REGION)))
    np.testing.assert_allclose(items["use of rows"].values, -AREA / (1 - AREA), atol=1e-6)
    large = use(Heatmap(values=repeated(REGION)), regions={"broad": "cause"}, factors=("broad",), data=Inverted())
    np.testing.assert_allclose(large["use of broad"].values, -1, atol=1e-6)


def test_masks_are_listed_once_for_all_explanations_of_the_same_images():
    class Counted(ToyData):
        listed = 0

        def split(self, name):
            Counted.listed += 1
            return super().split(name)

    run, first = ToyRun(), []
    for map_ in (REGION, ~REGION, REGION):
        metric = FactorUse(FactorUseParams(factors=("rows",)), data=Counted(task="binary"), run=run)
        (item,) = metric.measure(Heatmap(values=repeated(map_)), torch.from_numpy(IMAGES), None).items
        first.append(item.value)
    assert Counted.listed == 1
    assert first[0] == first[2] != first[1]


class Inverted(ToyData):
    """The mask `cause` is all but the region of `rows`."""

    def __init__(self):
        super().__init__(task="binary")

    def split(self, name):
        split = super().split(name)
        return attrs.evolve(split, masks={**split.masks, "cause": np.repeat(~REGION[None], len(split), 0)})


def test_half_of_the_mass():
    map_ = REGION / REGION.sum() + ~REGION / (~REGION).sum()
    np.testing.assert_allclose(
        use(Heatmap(values=repeated(map_)))["use of rows"].values, (0.5 - AREA) / (1 - AREA), rtol=1e-5
    )


MAPS = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(size=(1, 8, 8)))
WHERE = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((1, 8, 8)) < 0.3)


@given(MAPS, WHERE, st.floats(1e-6, 1e6))
def test_scale_and_sign_change_nothing_and_no_map_beats_the_mask(map_, region, scale):
    if region.all() or not region.any():
        assert np.isnan(excess_mass(np.abs(map_), region)).all()
        return
    scores = [excess_mass(heatmap_mass(Heatmap(values=values)), region)[0] for values in (map_, scale * map_, -map_)]
    np.testing.assert_allclose(scores, scores[0], rtol=1e-9)
    assert excess_mass(~region, region)[0] - 1e-9 <= scores[0] <= excess_mass(region, region)[0] + 1e-9


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_noise_has_no_use_on_average(share):
    """Also in the smallest and largest regions, where noise may fall far to one side of the area."""
    rng = np.random.default_rng(0)
    maps, regions = np.abs(rng.normal(size=(20_000, 8, 8))) ** 4, rng.random((20_000, 8, 8)) < share
    scores = excess_mass(maps, regions)
    scores = scores[np.isfinite(scores)]
    assert abs(scores.mean()) < 4 * scores.std() / np.sqrt(len(scores))
    assert np.abs(scores).max() <= 1


def test_a_map_that_only_ranks_has_no_zero():
    ranking = Heatmap(values=repeated(REGION + 7.0), signed=False)
    np.testing.assert_allclose(use(ranking)["use of rows"].values, 1, atol=1e-6)
    signed = attrs.evolve(ranking, signed=True)
    assert use(signed)["use of rows"].value < 0.2


def test_a_factor_without_a_mask_is_where_drawing_it_anew_changes_pixels():
    place = np.abs(patterns.basis(SIDE)[3]) > 0
    items = use(Heatmap(values=repeated(place)))
    assert items["use of broad"].settings["region"] == "pixels that change with it"
    np.testing.assert_allclose(items["use of broad"].values, 1, atol=1e-5)
    np.testing.assert_array_equal(
        use(Heatmap(values=repeated(place)[2:5]), IMAGES[2:5])["use of broad"].values, items["use of broad"].values[2:5]
    )


def test_a_mask_of_another_name():
    items = use(Heatmap(values=repeated(REGION)), regions={"broad": "rows"}, factors=("broad",))
    np.testing.assert_allclose(items["use of broad"].values, 1, atol=1e-6)


def test_of_a_factor_of_the_whole_image_no_place_speaks():
    for explanation in (Heatmap(values=repeated(REGION)), graphs([(0,)])):
        item = use(explanation)["use of shade-x"]
        assert np.isnan(item.values).all()
        assert item.settings["cannot"] == "shade-x has no region: it changes 100% of the pixels"


def graphs(roots, soft=False):
    nodes = tuple(GraphNode(patches=patches, confidence=1.0, root=True) for patches in roots)
    leaf = GraphNode(patches=(3,), confidence=0.1)
    return AttentionGraph(graphs=(Graph(nodes=(*nodes, leaf), probability=0.9),) * COUNT, grid=(2, 2), soft=soft)


def test_roots_of_an_attention_graph():
    quarter = np.zeros((SIDE, SIDE))
    quarter[:16, :16] = 1  # patch 0, which holds the region
    expected = (REGION.sum() / 256 - AREA) / (1 - AREA)
    items = use(graphs([(0,)]))
    np.testing.assert_allclose(items["use of rows"].values, expected, rtol=1e-5)
    assert items["use of rows"].settings["by"] == "patches"
    np.testing.assert_allclose(use(graphs([(0, 1, 2, 3)]))["use of rows"].values, 0, atol=1e-6)
    half = (0.5 * REGION.sum() / 256 - AREA) / (1 - AREA)  # the other root shows another patch
    np.testing.assert_allclose(use(graphs([(0,), (1,)]))["use of rows"].values, half, rtol=1e-5)


def concepts(contributions, maps):
    shape = (COUNT, len(maps))
    return Concepts(
        names=tuple("abc"[: len(maps)]),
        activations=np.ones(shape, np.float32),
        contributions=np.broadcast_to(np.float32(contributions), shape).copy(),
        heatmaps=None if maps[0] is None else np.repeat(np.float32(maps)[None], COUNT, 0),
    )


def test_concepts_count_by_what_their_ablation_takes():
    maps = [REGION, np.ones((SIDE, SIDE))]
    np.testing.assert_allclose(use(concepts([-3, 1], maps))["use of rows"].values, 0.75, atol=1e-6)
    np.testing.assert_allclose(use(concepts([0, 1], maps))["use of rows"].values, 0, atol=1e-6)
    np.testing.assert_allclose(concept_use(concepts([0, 0], maps), repeated(REGION)), 0)
    item = use(concepts([1], [None]))["use of rows"]
    assert np.isnan(item.values).all()
    assert item.settings["cannot"] == "the concepts have no place in the image"


# By edits

LOGITS = np.zeros((COUNT, 2), np.float32)


def redrawn(name, value):
    return DATA.render({**SPLIT.factors, name: np.full(COUNT, value, np.float32)})


def counterfactual(images, converged=None):
    converged = np.ones(COUNT, bool) if converged is None else converged
    return Counterfactual(images=images, logits_before=LOGITS, logits_after=LOGITS, converged=converged)


@pytest.fixture(scope="module")
def readings():
    from sidelight_toolkit.factors import factor_regressor

    return factor_regressor(DATA, RUN, 512, 60, 32)


pytestmark = pytest.mark.training


def test_an_identity_uses_nothing():
    items = use(counterfactual(IMAGES.copy()))
    assert {name: abs(item.values).max() for name, item in items.items()} == dict.fromkeys(items, 0)
    assert {"use of rows", "change in the region of rows"} <= set(items)


def test_a_counterfactual_uses_what_it_changes(readings):
    changed = redrawn("rows", 0.2)
    items = use(counterfactual(changed, np.arange(COUNT) > 3))
    expected = np.abs(readings.half_ranges(IMAGES, changed))[:, readings.names.index("rows")]
    np.testing.assert_allclose(items["use of rows"].values[4:], expected[4:], rtol=1e-5)
    assert np.isnan(items["use of rows"].values[:4]).all()
    place = items["change in the region of rows"]
    assert np.isnan(place.values[:4]).all()
    assert (place.values[4:] > 0.6).all()
    assert (items["change in the region of columns"].values[4:] < 0).all()
    assert items["use of rows"].settings["by"] == "change"
    assert "change in the region of shade-x" not in items


def test_a_factor_that_cannot_be_read_is_not_scored(readings):
    items = use(counterfactual(1 - IMAGES), least_quality=0.99)
    quality = readings.r_squared[0]
    assert np.isnan(items["use of rows"].values).all()
    assert items["use of rows"].settings["cannot"] == f"rows is read with an R2 of {quality:.2f}, less than 0.99"
    assert np.isfinite(items["change in the region of rows"].values).all()


def test_levels_are_read_by_their_probabilities(monkeypatch):
    """Two of three levels are known to training images; where none is, nothing is said."""
    from sidelight_toolkit.factors import FactorRegressor

    logits = torch.tensor([[0.0, 0.0, 9.0, 0.0], [0.0, 9.0, 0.0, 0.0]])  # a measure, and three levels
    reader = FactorRegressor(
        names=("columns", "rows", "checks"),
        ranges=np.float32([[0, 1]] * 3),
        levels=(0, 3, -1),
        r_squared=np.float32([0.9, 0.8, np.nan]),
        accuracy=np.float32([np.nan, 0.95, np.nan]),
        network=lambda images: logits[(images.mean((1, 2, 3)) > 0.5).long()],
        run=RUN,
    )
    monkeypatch.setattr("sidelight_metrics.factors.use.factor_use.factor_regressor", lambda *_: reader)
    dark = counterfactual(np.full_like(IMAGES, 0.1))
    items = use(dark, np.full_like(IMAGES, 0.9), factors=("columns", "rows", "checks"))
    np.testing.assert_allclose(items["use of rows"].values, 2, atol=1e-3)
    assert items["use of rows"].settings["reader"] == "accuracy 0.95"
    assert items["use of columns"].settings["reader"] == "R2 0.90"
    assert "show other levels" in items["use of checks"].settings["cannot"]


def test_a_flip_counts_by_the_fall_of_the_probability(readings):
    before, after = IMAGES, redrawn("rows", 0.2)
    codes = np.zeros((COUNT, 3), bool)

    def flipped(logits_after):
        return Intervention(
            codes=codes,
            flipped=codes,
            before=before,
            after=after,
            logits=LOGITS,
            logits_before=np.float32([[2, 0]] * COUNT),
            logits_after=np.float32([logits_after] * COUNT),
            changed=np.ones(COUNT, bool),
            singles=np.zeros((COUNT, 3), np.float32),
        )

    change = np.abs(readings.half_ranges(before, after))[:, 0]
    p = 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(use(flipped([0, 2]))["use of rows"].values, (2 * p - 1) * change, rtol=1e-4)
    assert (use(flipped([2, 0]))["use of rows"].values == 0).all()
    assert (use(flipped([4, 0]))["use of rows"].values == 0).all()  # it raises the probability
    assert use(flipped([0, 2]))["use of rows"].settings["by"] == "effect"


def attribute(name, target):
    return Attribute(name=name, coordinate=0, target=target)


def test_attributes_count_by_their_effect(readings):
    """Of three, the first raises its class three times as much as the second; the third place is empty."""
    changed = np.stack([redrawn("rows", 0.2), redrawn("columns", 0.2), IMAGES], 1)
    logits_after = np.float32([[1.5, -1.5], [-0.5, 0.5], [9, -9]])  # log-odds of classes 0 and 1: 3, 1
    result = ImageAttributes(
        attributes=(attribute("one", 0), attribute("other", 1)),
        chosen=np.repeat([[0, 1, -1]], COUNT, 0),
        before=IMAGES,
        after=changed,
        logits=LOGITS,
        logits_before=LOGITS,
        logits_after=np.repeat(logits_after[None], COUNT, 0),
    )
    items = use(result)
    change = [np.abs(readings.half_ranges(IMAGES, changed[:, place])) for place in (0, 1)]
    for column, name in enumerate(("rows", "columns")):
        expected = 0.75 * change[0][:, column] + 0.25 * change[1][:, column]
        np.testing.assert_allclose(items[f"use of {name}"].values, expected, rtol=1e-3, atol=1e-4)
    place = [items[f"change in the region of {name}"].value for name in ("rows", "columns")]
    assert place[0] > place[1]
    idle = attrs.evolve(result, logits_after=np.zeros((COUNT, 3, 2), np.float32))
    assert (use(idle)["use of rows"].values == 0).all()
    none = attrs.evolve(result, chosen=np.full((COUNT, 3), -1))
    assert (use(none)["use of rows"].values == 0).all()


def test_attributes_of_a_whole_set_have_one_number(readings):
    pairs = [IMAGES[:8].reshape(2, 4, *IMAGES.shape[1:]), np.stack([redrawn("rows", 0.2)[:4], IMAGES[4:8]])]
    one, other = (attrs.evolve(attribute(name, 1), effect=effect) for name, effect in (("one", -3.0), ("other", 1.0)))
    result = Attributes(attributes=(one, other), before=pairs[0], after=pairs[1])
    item = use(result)["use of rows"]
    expected = 0.75 * np.abs(readings.half_ranges(pairs[0][0], pairs[1][0]))[:, 0].mean()
    np.testing.assert_allclose(item.values, [expected], rtol=1e-4)
    bare = use(attrs.evolve(result, before=None, after=None))["use of rows"]
    assert bare.settings["cannot"] == "no images of the attributes were kept"


# What is refused


def test_mistakes_are_named():
    with pytest.raises(UserError, match="no factor hat"):
        use(Heatmap(values=repeated(REGION)), factors=("hat",))
    with pytest.raises(UserError, match="lacks image 0 of those explained"):
        use(Heatmap(values=repeated(REGION)), 1 - IMAGES)
    with pytest.raises(SidelightError, match=r"maps of shape \(12, 8, 8\) do not fit"):
        use(Heatmap(values=np.zeros((COUNT, 8, 8), np.float32)))
    inversion = Inversion(latents=np.zeros((COUNT, 1)), reconstructions=IMAGES, error=np.zeros(COUNT, np.float32))
    with pytest.raises(SidelightError, match='does not measure "inversion"'):
        use(inversion)


def test_rows_are_found_a_few_at_a_time():
    images = IMAGES[[7, 2, 7]]
    assert first_rows_of(SPLIT, images, size=5) == rows_of(SPLIT, images) == [7, 2, 7]
    assert first_rows_of(SPLIT, 1 - images, size=5) == [-1, -1, -1]
