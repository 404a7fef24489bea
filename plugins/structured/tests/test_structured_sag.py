"""Structured attention graphs of images whose class is a known function of their patches."""

import numpy as np
import pytest
import torch
from sidelight_specs import Cancelled, SidelightError
from sidelight_specs.results import AttentionGraph, Graph, GraphNode, Heatmap, Targets
from sidelight_specs.roles import Classifier
from sidelight_specs.testing import ToyRun
from sidelight_structured import ExplanationsParams, SagParams
from sidelight_structured.class_probability import ClassProbability
from sidelight_structured.sag.patches import PatchScores
from sidelight_structured.sag.sag import Sag
from sidelight_structured.sag.verification import Explanations

SIDE, GRID = 24, 4
ONE = Targets(predicted=np.array([0]), probe=np.array([1]))


class Bright(Classifier):
    """Class 0 needs brightness in enough of some patches of a 4x4 grid; counts and remembers what it is asked."""

    task = "multiclass"
    class_names = ("yes", "no")
    input_shape = (1, SIDE, SIDE)

    def __init__(self, needed, slope=9.0):
        self.weights = torch.zeros(1, 1, GRID, GRID)
        for patch, weight in needed.items():
            self.weights.view(-1)[patch] = weight
        self.slope = slope
        self.batches = []

    def scores(self, images):
        self.batches.append(len(images))
        patches = torch.nn.functional.avg_pool2d(images, SIDE // GRID)
        logit = self.slope * ((patches * self.weights).sum((1, 2, 3)) - 0.5)
        return torch.stack([logit, torch.zeros_like(logit)], 1)


def explained(classifier, **options):
    given = {"grid": GRID, "baseline": "black", "soft": False, "width": 4, "candidates": 16, **options}
    return Sag(SagParams(**given), classifier=classifier, run=ToyRun()).explain(torch.ones(1, 1, SIDE, SIDE), ONE)


NEEDED = {0: 0.5, 5: 0.5, 6: 0.5, 9: 0.5, 15: 0.25}


def test_the_sets_that_a_sum_of_patches_needs_are_found():
    """With f = sigmoid(9 (sum - 1/2)) two halves reach 0.9 of the full 1, and no single one does."""
    result = explained(Bright(NEEDED), passes=600).graphs[0]
    halves = (0, 5, 6, 9)
    pairs = {(a, b) for a in halves for b in halves if a < b}
    assert pairs <= set(result.sufficient)
    assert all(len(one) == 2 or 15 in one for one in result.sufficient)


@pytest.mark.parametrize("baseline", ["blur", "grey", "black"])
def test_the_baseline_is_the_one_that_was_named(baseline):
    image = torch.ones(1, 1, SIDE, SIDE)
    params = SagParams(grid=GRID, baseline=baseline, baseline_limit=1.0)
    result = Sag(params, classifier=Bright(NEEDED), run=ToyRun()).explain(image, ONE)
    assert result.baseline == pytest.approx({"blur": 1.0, "grey": 0.5, "black": 0.0}[baseline], abs=0.5001 / 255)


@pytest.mark.parametrize(
    ("grid", "size"), [((4, 4), (24, 24)), ((7, 7), (224, 224)), ((3, 5), (20, 31)), ((6, 6), (6, 6))]
)
@pytest.mark.parametrize("soft", [True, False])
def test_what_the_graph_says_is_visible_is_what_is_scored(grid, size, soft):
    """I M + I0 (1 - M) with the contract's M is the image that the search shows to the classifier."""
    image, hidden = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    classifier = Bright(NEEDED)
    classifier.scores = lambda images: images.flatten(1)[:, :2]
    scores = PatchScores(image, hidden, grid, ClassProbability(classifier, torch.tensor([0]), 4), 0, soft)
    sets = [frozenset({0, 5}), frozenset({grid[0] * grid[1] - 1}), frozenset({1, 2, grid[1]})]
    graph = AttentionGraph(graphs=(), grid=grid, soft=soft)
    for patches, shown in zip(sets, scores.visible(sets), strict=True):
        mask = torch.from_numpy(graph.alpha(sorted(patches), size))
        assert torch.allclose(image * mask + hidden * (1 - mask), shown, atol=1.01 / 255)
        assert torch.allclose((shown * 255).round() / 255, shown)
        assert graph.lit_area(sorted(patches), size) == pytest.approx(float((mask > 0.05).float().mean()))


def test_a_baseline_that_speaks_for_the_class_is_told():
    run = ToyRun()
    params = SagParams(grid=GRID, baseline="grey")
    Sag(params, classifier=Bright({0: 2.0}), run=run).explain(torch.ones(1, 1, SIDE, SIDE), ONE)
    assert "grey alone keeps more than 20% of the class's probability in image 0" in run.warnings[0]
    assert run.emitted["baseline"].items[0].values[0] > 0.9
    black = ToyRun()
    Sag(SagParams(grid=GRID, baseline="black"), classifier=Bright({0: 2.0}), run=black).explain(
        torch.ones(1, 1, SIDE, SIDE), ONE
    )
    assert not black.warnings


def test_memory_follows_the_batch_and_not_the_candidates():
    few, many = Bright(NEEDED), Bright(NEEDED)
    explained(few, batch=3, width=1, candidates=4, passes=20)
    explained(many, batch=3, width=16, candidates=16, passes=1000)
    assert sum(many.batches) > 2 * sum(few.batches)
    assert max(many.batches) == max(few.batches) == 3


def test_no_set_is_scored_twice():
    classifier = Bright(NEEDED)
    score = ClassProbability(classifier, torch.tensor([0]), 4)
    image = torch.ones(1, SIDE, SIDE)
    confidence = PatchScores(image, torch.zeros_like(image), (GRID, GRID), score, 0, False)
    result = confidence([frozenset({0}), frozenset({0, 5}), frozenset({0})])
    assert sum(classifier.batches) == 3  # the whole image and two sets
    assert confidence([frozenset({0, 5})])[frozenset({0, 5})] == result[frozenset({0, 5})]
    assert sum(classifier.batches) == 3


def test_progress_counts_the_passes_of_the_search():
    run = ToyRun()
    params = SagParams(grid=GRID, baseline="black", soft=False, passes=30, candidates=16)
    images = torch.ones(2, 1, SIDE, SIDE)
    both = Targets(predicted=np.zeros(2, dtype=np.int64), probe=np.ones(2, dtype=np.int64))
    Sag(params, classifier=Bright(NEEDED), run=run).explain(images, both)
    assert run.steps == {**run.steps, "photographs": 2, "searching": 30}  # two alike are searched once
    with pytest.raises(Cancelled):  # between two passes, not only between images
        Sag(params, classifier=Bright(NEEDED), run=ToyRun(cancel_after=10)).explain(images, both)


def test_too_few_passes_are_told():
    run = ToyRun()
    params = SagParams(grid=GRID, baseline="black", soft=False, passes=2)
    result = Sag(params, classifier=Bright(NEEDED), run=run).explain(torch.ones(1, 1, SIDE, SIDE), ONE)
    assert result.graphs[0].nodes == ()
    assert run.warnings == ["sag: 2 passes were too few to find an explanation of image 0: raise `passes`"]


def test_the_passes_of_the_search_are_a_limit():
    few, many = explained(Bright(NEEDED), passes=30), explained(Bright(NEEDED), passes=300)
    order = 2 * 3 * 10  # deletion and insertion, forward and backward, at ten points
    assert few.passes[0] <= order + 30 + 30  # and the whole image, its baseline, and the sets of the graph
    assert few.passes[0] < many.passes[0] <= order + 300 + 30
    assert len(few.graphs[0].sufficient) < len(many.graphs[0].sufficient)


def graph_of(*sets):
    nodes = (GraphNode(patches=sets[0], confidence=1.0, root=True),)
    return AttentionGraph(
        graphs=(Graph(nodes=nodes, probability=1.0, sufficient=sets),),
        grid=(GRID, GRID),
        baseline=np.zeros((1, 1, SIDE, SIDE), dtype=np.float32),
        soft=False,
        answers="predicted",
    )


def measured(explanation, **options):
    metric = Explanations(ExplanationsParams(**options), classifier=Bright(NEEDED), run=ToyRun())
    return {item.name: item for item in metric.measure(explanation, torch.ones(1, 1, SIDE, SIDE), ONE).items}


def test_the_metric_finds_what_is_not_sufficient_or_not_minimal():
    result = measured(graph_of((0, 5), (6, 9), (0,), (0, 5, 6)))
    assert result["explanations found"].value == 4
    assert result["sufficient"].value == 0.75
    assert result["minimal"].value == 0.75


def test_diverse_explanations_are_counted_for_each_overlap():
    result = measured(graph_of((0, 5), (0, 6), (6, 9)), overlaps=(0, 1))
    none, one = (item for name, item in result.items() if name.startswith("several explanations"))
    assert none.curve_y.tolist() == [[1, 1, 0, 0, 0, 0]]
    assert one.curve_y.tolist() == [[1, 1, 1, 0, 0, 0]]
    assert one.curve_x.tolist() == [1, 2, 3, 4, 5, 6]


def test_the_search_passes_the_independent_check():
    for soft in (True, False):
        result = measured(explained(Bright(NEEDED), soft=soft))
        assert result["sufficient"].value == result["minimal"].value == 1


def test_only_graphs_that_say_what_hides_a_patch_are_measured():
    metric = Explanations(ExplanationsParams(), classifier=Bright(NEEDED), run=ToyRun())
    for wrong in (Heatmap(values=np.zeros((1, SIDE, SIDE), np.float32)), AttentionGraph(graphs=(), grid=(2, 2))):
        with pytest.raises(SidelightError, match="attention graphs"):
            metric.measure(wrong, torch.ones(1, 1, SIDE, SIDE), ONE)


def test_an_image_that_no_blur_hides_gets_no_graph_and_costs_the_others_nothing():
    images = torch.ones(2, 1, SIDE, SIDE)
    images[1] = 0
    images[1, :, : SIDE // GRID, : SIDE // GRID] = 1
    both = Targets(predicted=np.zeros(2, dtype=np.int64), probe=np.ones(2, dtype=np.int64))
    run = ToyRun()
    made = Sag(SagParams(grid=GRID, soft=False, baseline_limit=0.5), classifier=Bright({0: 1.0}, slope=20), run=run)
    result = made.explain(images, both)
    result.validate(tuple(images.shape), 2)
    assert result.answered.tolist() == [False, True]
    assert result.graphs[0].nodes == ()
    assert result.graphs[0].probability > 0.9
    assert result.passes[0] < 10  # the image and its baselines
    assert result.passes[1] > 20
    assert (0,) in result.graphs[1].sufficient
    alone = made.explain(images[1:], both.take([1]))
    assert alone.graphs == result.graphs[1:]
    assert alone.passes.tolist() == result.passes[1:].tolist()
    assert made.explain(images[:1], both.take([0])).answered.tolist() == [False]
    assert result.view(0)[0].text.startswith("no answer: blurred to one colour")
    assert result.doubts() == [f"1 of 2 images has no answer: {result.no_answer}"]
