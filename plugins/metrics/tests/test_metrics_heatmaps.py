"""Cells, published conventions, the area of the minimal explanation and planted regions, against naive numpy."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from sidelight_metrics.heatmaps.insertion_deletion import InsertionDeletion
from sidelight_metrics.heatmaps.insertion_deletion_presets import area_igos
from sidelight_metrics.heatmaps.minimal_area import MinimalArea, smallest
from sidelight_metrics.heatmaps.ranking import ranked_values
from sidelight_metrics.heatmaps.relevance_rank import RelevanceRank, covering, importance, precision
from sidelight_metrics.params import InsertionDeletionParams, MinimalAreaParams, RegionCoverParams
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import AttentionGraph, Heatmap, Split, Targets
from sidelight_specs.results.graph import Graph, GraphNode
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.curves import area, counts_in_chunks
from sidelight_toolkit.images import gaussian_blur, upsample_cells

ONE = Targets(predicted=np.array([0]), probe=np.array([1]))


def tent(cell, cells, side):
    """How much each of `side` pixels shows one cell of a row of cells, by hand."""
    places = np.arange(side) * (cells - 1) / (side - 1)
    return np.maximum(0, 1 - np.abs(places - cell))


def by_hand(values, image, absent, chunk):
    """Insertion and deletion curves of a linear sum of pixels, one soft cell after the other."""
    cells, side = values.shape[0], image.shape[-1]
    order = sorted(np.ndindex(values.shape), key=lambda place: (-values[place], place))
    shown, inserted, deleted = np.zeros((side, side)), [], []
    for done, (row, column) in enumerate([*order, (None, None)]):
        if done % chunk == 0 or done == len(order):
            inserted.append((absent + shown * (image - absent)).sum())
            deleted.append((image + shown * (absent - image)).sum())
        if done < len(order):
            shown = shown + np.outer(tent(row, cells, side), tent(column, cells, side))
    return np.array(inserted), np.array(deleted)


def test_soft_cells_come_and_go_one_after_the_other(linear):
    rng = np.random.default_rng(0)
    image, values = rng.random((1, 1, 12, 12), dtype=np.float32), rng.random((1, 4, 4), dtype=np.float32)
    pixels = upsample_cells(torch.from_numpy(values)[:, None], (12, 12))[:, 0].numpy()
    metric = InsertionDeletion(
        InsertionDeletionParams(baselines=("black",), step=2 / 16, score="logit", cells=4),
        classifier=linear(np.stack([np.ones((1, 12, 12)), np.zeros((1, 12, 12))])),
        run=ToyRun(),
    )
    heatmap = Heatmap(values=pixels, resolution=(4, 4))
    found = metric.measure(heatmap, torch.from_numpy(image), ONE).items
    for item, expected in zip(found, by_hand(values[0], image[0, 0], 0.0, 2), strict=True):
        assert np.allclose(item.curve_y[0], expected, atol=1e-4)
        assert item.values[0] == pytest.approx(trapezoid(expected, np.linspace(0, 1, 9)), abs=1e-4)
    assert found[0].settings["cells"] == "4 x 4"


def test_a_heatmap_of_the_grid_gives_its_own_cells_back_and_others_their_means():
    values = torch.rand(2, 1, 7, 7, generator=torch.Generator().manual_seed(0))
    pixels = upsample_cells(values, (50, 50))[:, 0].numpy()
    own = ranked_values(Heatmap(values=pixels, resolution=(7, 7)), 7)
    assert np.allclose(own, values[:, 0].numpy(), atol=1e-5)
    other = ranked_values(Heatmap(values=pixels, resolution=None), 5)
    weights = np.stack([tent(cell, 5, 50) for cell in range(5)])
    weights /= weights.sum(1, keepdims=True)
    assert np.allclose(other, np.einsum("ai,nij,bj->nab", weights, pixels, weights), atol=1e-5)


@pytest.mark.parametrize("cells", [None, 50, 80])
def test_pixels_are_ranked_where_the_grid_is_not_coarser(cells):
    values = np.random.default_rng(0).random((1, 50, 60), dtype=np.float32)
    assert ranked_values(Heatmap(values=values), cells) is values


def test_the_sum_of_the_code_of_igos_counts_the_score_after_each_chunk_and_the_last_as_one():
    x, y = np.array([0, 0.4, 0.8, 1.0]), np.array([0.1, 0.2, 0.3, 0.9])
    assert area_igos(x, y) == pytest.approx(0.4 * 0.2 + 0.4 * 0.3 + 0.2 * 1)
    whole = np.array([0, 0.5, 1.0])
    assert area_igos(whole, np.array([0.1, 0.2, 0.9])) == pytest.approx(0.5 * 0.2 + 0.5 * 1)


@pytest.mark.parametrize(
    ("cells", "official", "exact"),
    [
        (49, (0.682, 0.432), (0.670, 0.420)),
        (784, (0.644, 0.266), (0.635, 0.269)),
        (50176, (0.619, 0.045), (0.611, 0.053)),
    ],
)
def test_the_sum_is_as_far_from_the_trapezoid_as_in_figures_of_that_code(cells, official, exact):
    """The code's own figures for one photograph at probability 0.8, beside trapezoids over the same curves."""
    x = counts_in_chunks(cells, max(1, cells // 50)) / cells
    for found, reference, ends in zip(official, exact, ((0.0, 0.8), (0.8, 0.0)), strict=True):
        y = np.interp(x, (0, 1), ends)  # the two sums differ by the ends of the curve alone
        assert area_igos(x, y) - area(x, y, "trapezoid") == pytest.approx(found - reference, abs=0.0015)


def test_the_convention_of_igos_takes_fiftieths_rounded_down(linear):
    """11x11 cells: chunks of 2, the last one a single cell, which counts as 1."""
    image = np.random.default_rng(3).random((1, 1, 22, 22), dtype=np.float32) * 0.01
    values = np.random.default_rng(4).random((1, 22, 22), dtype=np.float32)
    metric = InsertionDeletion(
        InsertionDeletionParams(convention="igos", score="logit", cells=11),
        classifier=linear(np.stack([np.ones((1, 22, 22)), np.zeros((1, 22, 22))])),
        run=ToyRun(),
    )
    heatmap = Heatmap(values=values, resolution=None)
    cells = ranked_values(heatmap, 11)[0]
    insertion, deletion = metric.measure(heatmap, torch.from_numpy(image), ONE).items
    blurred = gaussian_blur(torch.from_numpy(image), 5, 50 * 22 / 224)[0, 0].numpy()
    for item, expected in zip((insertion, deletion), by_hand(cells, image[0, 0], blurred, 2), strict=True):
        assert np.allclose(item.curve_y[0], expected, atol=1e-4)
        assert item.values[0] == pytest.approx(expected[1:-1].sum() * 2 / 121 + 1 / 121, abs=1e-5)


def test_the_convention_of_rise_takes_rows_of_pixels_from_a_light_blur_to_grey(linear):
    image = torch.rand(1, 1, 16, 12, generator=torch.Generator().manual_seed(0))
    weights = torch.rand(1, 16, 12, generator=torch.Generator().manual_seed(1))
    metric = InsertionDeletion(
        InsertionDeletionParams(convention="rise", score="logit"),
        classifier=linear(torch.stack([weights, torch.zeros_like(weights)])),
        run=ToyRun(),
    )
    values = np.random.default_rng(0).random((1, 16, 12), dtype=np.float32)
    insertion, deletion = metric.measure(Heatmap(values=values), image, ONE).items
    order = np.argsort(-values[0].ravel(), kind="stable")
    ways = ((gaussian_blur(image, 11, 5.0), image), (image, torch.full_like(image, 0.5)))
    for item, (start, end) in zip((insertion, deletion), ways, strict=True):
        picture, scores = start.flatten().clone(), []
        for row in range(17):
            picture[order[: row * 12]] = end.flatten()[order[: row * 12]]
            scores.append(float((picture * weights.flatten()).sum()))
        # Petsiuk's formula: the sum less half of both ends, over the number of steps
        assert item.values[0] == pytest.approx((sum(scores) - scores[0] / 2 - scores[-1] / 2) / 16, abs=1e-3)


def test_the_minimal_area_of_a_sigmoid_is_where_it_reaches_nine_tenths(linear):
    """The logit rises from 0 by 8 over all pixels: p reaches 0.9 p(8) at a share known in closed form."""
    classifier = linear(np.full((1, 1, 40, 40), 8 / 1600), "binary")
    targets = Targets(predicted=np.array([1]), probe=np.array([0]))
    metric = MinimalArea(MinimalAreaParams(baseline="black"), classifier=classifier, run=ToyRun())
    item = metric.measure(Heatmap(values=np.zeros((1, 40, 40), np.float32)), torch.ones(1, 1, 40, 40), targets).items[0]
    goal = 0.9 / (1 + math.exp(-8))
    assert item.values[0] == pytest.approx(math.log(goal / (1 - goal)) / 8, abs=0.002)
    assert item.better == "lower"


def test_the_smallest_number_is_found_in_a_step_and_is_enough():
    def inserted(taken):
        return (taken >= 137).astype(float)

    assert smallest(inserted, 1000, 0.1, 0.9) in range(137, 143)
    assert smallest(inserted, 1000, 0.001, 0.9) == 137
    assert smallest(lambda taken: np.ones(len(taken)), 1000, 0.1, 0.9) == 0
    assert smallest(lambda taken: (taken == 1000).astype(float), 1000, 0.1, 0.9) in range(995, 1001)


def test_a_better_ranking_has_a_smaller_area(linear):
    weights = np.zeros((2, 1, 10, 10))
    weights[0, :, 2:4, 2:4] = 2
    metric = MinimalArea(MinimalAreaParams(baseline="black"), classifier=linear(weights), run=ToyRun())
    good, bad = weights[:1, 0].astype(np.float32), -weights[:1, 0].astype(np.float32)
    areas = [
        metric.measure(Heatmap(values=map_), torch.ones(1, 1, 10, 10), ONE).items[0].values[0] for map_ in (good, bad)
    ]
    assert areas[0] <= 0.04
    assert areas[1] > 0.96


def test_the_area_of_a_graph_is_its_smallest_set_and_the_curve_counts_images(linear):
    graphs = tuple(
        Graph(nodes=(GraphNode(patches=(0,), confidence=0.9, root=True),), probability=0.9, sufficient=sets)
        for sets in (((0,), (1, 2)), ((0, 1, 2, 3),), ())
    )
    metric = MinimalArea(MinimalAreaParams(share=0.25), classifier=linear(np.ones((2, 1, 4, 4))), run=ToyRun())
    three = Targets(predicted=np.zeros(3, dtype=np.int64), probe=np.ones(3, dtype=np.int64))
    explanation = AttentionGraph(graphs=graphs, grid=(2, 2))
    area, within, *_ = metric.measure(explanation, torch.ones(3, 1, 4, 4), three).items
    assert area.values.tolist() == [0.25, 1, 1]
    assert within.name == "explained by 25% of the image"
    assert within.values.tolist() == [1, 0, 0]
    assert within.curve_x.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert within.curve_y.mean(axis=0) == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 1])


def test_the_lit_area_of_soft_patches_and_cells_is_larger_than_their_squares(linear):
    """One of 2 x 2 cells on 4 x 4 pixels: as a tent with aligned corners it reaches 3 x 3 of them."""
    weights = np.zeros((2, 1, 4, 4))
    weights[0, 0, :2, :2] = 9.0
    params = MinimalAreaParams(baseline="black", share=0.25, cells=2)
    metric = MinimalArea(params, classifier=linear(weights), run=ToyRun())
    graph = Graph(nodes=(), probability=0.9, sufficient=((0,), (1, 2)))
    hard, soft = (AttentionGraph(graphs=(graph,), grid=(2, 2), soft=soft) for soft in (False, True))
    for explanation, lit in ((hard, 1 / 4), (soft, 9 / 16), (Heatmap(values=weights[:1, 0]), 9 / 16)):
        found = metric.measure(explanation, torch.ones(1, 1, 4, 4), ONE).items
        assert [item.value for item in found] == [1 / 4, 1, lit, float(lit <= 1 / 4)]


REGION = np.zeros((6, 6), dtype=bool)
REGION[1:3, 1:4] = True


def test_precision_counts_the_largest_values_inside_and_ties_in_part():
    assert precision(REGION.astype(float), REGION) == 1
    assert precision(-REGION.astype(float), REGION) == 0
    assert precision(np.zeros((6, 6)), REGION) == pytest.approx(6 / 36)
    half = np.zeros((6, 6))
    half[1, :] = 1  # a row of six, three of them in the region
    assert precision(half, REGION) == pytest.approx(3 / 6)


def test_covering_is_the_area_down_to_the_last_needed_pixel_of_the_region():
    assert covering(REGION.astype(float), REGION, 1.0) == pytest.approx(6 / 36)
    assert covering(np.zeros((6, 6)), REGION, 0.9) == 1
    rising = np.arange(36.0).reshape(6, 6)
    assert covering(rising, REGION, 1.0) == pytest.approx((36 - 7) / 36)
    assert covering(rising, REGION, 0.5) == pytest.approx((36 - 13) / 36)
    assert np.isnan(covering(rising, np.zeros((6, 6), bool), 0.9))


def test_a_graph_ranks_pixels_by_the_roots_that_show_them():
    nodes = (GraphNode((0, 3), 1.0, root=True), GraphNode((0,), 1.0, root=True), GraphNode((1, 2), 0.5))
    graph = AttentionGraph(graphs=(Graph(nodes, 0.9),), grid=(2, 2))
    expected = np.array([[2, 2, 0, 0], [2, 2, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    assert np.array_equal(importance(graph, (1, 4, 4))[0], expected)


class Stamped:
    """Data whose test split has one image and its region."""

    splits = ("test",)

    def split(self, name):
        return Split(images=np.ones((1, 1, 6, 6), np.float32), masks={"mark": REGION[None]})


def test_region_cover_looks_the_region_up_and_says_where_it_looked():
    heatmap, images = Heatmap(values=REGION[None].astype(np.float32)), torch.ones(1, 1, 6, 6)
    metric = RelevanceRank(RegionCoverParams(region="mark"), data=Stamped(), run=ToyRun())
    inside, area = metric.measure(heatmap, images, ONE).items
    assert inside.values.tolist() == [1]
    assert area.values[0] == pytest.approx(6 / 36)
    with pytest.raises(UserError, match=r'"square"|mark'):
        RelevanceRank(RegionCoverParams(region="square"), data=Stamped(), run=ToyRun()).measure(heatmap, images, ONE)
    with pytest.raises(SidelightError, match="shape"):
        metric.measure(Heatmap(values=np.zeros((1, 5, 6), np.float32)), images, ONE)
