"""Queries about occluded versions, and rules that answer them, for classifiers whose answer is a known rule."""

import attrs
import numpy as np
import pytest
import torch
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import (
    AttentionGraph,
    ComparativeQueries,
    Counterfactual,
    Graph,
    GraphNode,
    Heatmap,
    Inversion,
    Targets,
)
from sidelight_specs.roles import Classifier
from sidelight_specs.testing import ToyRun
from sidelight_structured import SimulatabilityParams
from sidelight_structured.simulatability.simulatability import Simulatability, _by_graph

SIDE, GRID = 24, 4
SETS = ((0, 5), (10, 15))  # either is enough
GUESS = 0.5


class EitherSet(Classifier):
    """Class 0 where all patches of one of `sets` are bright enough, else class 1."""

    task = "multiclass"
    class_names = ("yes", "no")
    input_shape = (1, SIDE, SIDE)

    def __init__(self, sets=SETS, slope=20.0):
        self.sets, self.slope = sets, slope

    def scores(self, images):
        patches = torch.nn.functional.avg_pool2d(images, SIDE // GRID).flatten(1)
        least = torch.stack([patches[:, list(one)].min(1).values for one in self.sets], 1).max(1).values
        logit = self.slope * (least - 0.5)
        return torch.stack([logit, -logit], 1)


def images(count=1, seed=0):
    """Bright noise: every patch is bright enough."""
    return 0.8 + 0.2 * torch.rand(count, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def targets(count=1):
    return Targets(predicted=np.zeros(count, dtype=np.int64), probe=np.ones(count, dtype=np.int64))


def graph(sets=SETS, count=1, **options):
    """The graph of roots `sets`."""
    nodes = tuple(GraphNode(patches=one, confidence=1.0, root=True) for one in sets)
    given = {"grid": (GRID, GRID), "soft": False, "baseline": np.zeros((count, 1, SIDE, SIDE), np.float32), **options}
    return AttentionGraph(graphs=(Graph(nodes=nodes, probability=1.0),) * count, **given)


def heatmap(patches=(), count=1):
    values = np.zeros((GRID, GRID), np.float32)
    values.flat[list(patches)] = 1
    return Heatmap(values=np.repeat(np.kron(values, np.ones((6, 6), np.float32))[None], count, 0), signed=False)


def measured(explanation, pictures=None, classifier=None, run=None, **options):
    """Name of each rule to the shares of right answers, and what was asked."""
    pictures = images() if pictures is None else pictures
    given = {"grid": GRID, "soft": False, "baseline": "black", "queries": 20, "sets": 40, **options}
    run = run or ToyRun()
    metric = Simulatability(SimulatabilityParams(**given), classifier=classifier or EitherSet(), run=run)
    items = metric.measure(explanation, pictures, targets(len(pictures))).items
    return {item.name.removeprefix("right from the "): item for item in items}, run.emitted["queries"]


def test_whoever_knows_the_sufficient_sets_is_always_right():
    items, queries = measured(graph())
    assert len(queries) == 20
    assert items["explanation"].value == 1
    assert items["explanation"].settings["right"] == "20 of 20 questions"
    shows = queries.visible[:, :, [list(one) for one in SETS]].all(-1).any(-1)  # (Q, 2): shows one of the sets whole
    assert shows[:, 0].all()
    assert not shows[:, 1].any()


def test_one_of_two_explanations_is_not_enough():
    """What keeps the class by the other set looks wrong: why several explanations are shown (section 4.2)."""
    assert GUESS < measured(graph(SETS[:1]))[0]["explanation"].value < 1


def test_an_explanation_of_nothing_is_a_guess():
    for empty in (graph(()), heatmap()):
        assert measured(empty)[0]["explanation"].value == GUESS
    wrong = measured(graph(((3, 6), (9, 12))))[0]["explanation"].value
    assert wrong < 0.8


def test_equal_shares_of_the_roots_are_a_tie_in_any_order():
    """.2 + .4 + .6 and .6 + .4 + .2 differ in the last bit."""
    roots = (tuple(range(5)), tuple(range(5, 10)), tuple(range(10, 15)))
    shown = [(0, 5, 6, 10, 11, 12), (0, 1, 2, 5, 6, 10)]
    visible = np.array([[np.isin(np.arange(GRID * GRID), patches) for patches in shown]])
    one = ComparativeQueries.example(images().numpy(), 2)
    pair = attrs.evolve(one, visible=visible, grid=(GRID, GRID))
    first, second = _by_graph(pair, graph(roots).graphs[0])[0]
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("soft", [True, False])
def test_the_area_gives_nothing_away(soft):
    """Equal to the last pixel: tents at the border are smaller, so equally many patches alone would not do."""
    items, queries = measured(graph(soft=soft), soft=soft)
    assert items["area"].value == GUESS
    counts = queries.visible.sum(2)
    assert (counts[:, 0] == counts[:, 1]).all()
    area = np.array(
        [[graph(soft=soft).alpha(np.flatnonzero(v), (SIDE, SIDE)).sum() for v in p] for p in queries.visible]
    )
    np.testing.assert_allclose(area[:, 0], area[:, 1], rtol=1e-6)


def test_the_visible_detail_gives_nothing_away():
    """Digits read otherwise: where more ink is left, the class stays. Here all of it is in the sufficient patches."""
    pictures = 0.1 * images()
    pictures[..., :12, :12] = torch.linspace(0.7, 1, 144).reshape(12, 12)  # patches 0, 1, 4 and 5
    items, queries = measured(graph(), pictures, EitherSet(((0, 5), (1, 4))))
    distances = queries.versions.astype(float).sum((2, 3, 4))
    assert len(queries) >= 4
    assert (distances[:, 0] > distances[:, 1]).mean() == GUESS
    assert items["detail"].value == pytest.approx(GUESS, abs=0.01)
    starts = [(measured(graph(), images(1, seed))[1].versions[0].astype(float).sum((1, 2, 3))) for seed in range(12)]
    assert {bool(first > second) for first, second in starts} == {True, False}


def test_the_answers_are_those_to_the_stored_pixels():
    _, queries = measured(graph(count=3), images(3))
    classifier = EitherSet()
    logits = classifier.class_logits(torch.from_numpy(queries.versions).flatten(0, 1).double().div(255).float())
    answers = logits.argmax(1).numpy().reshape(-1, 2)
    np.testing.assert_array_equal(answers, queries.answers)
    np.testing.assert_array_equal(answers, np.tile([0, 1], (len(queries), 1)))
    probabilities = logits.softmax(1)[:, 0].numpy().reshape(-1, 2)
    np.testing.assert_allclose(probabilities, queries.probabilities, atol=1e-6)
    queries.validate()


def test_the_versions_are_the_image_where_patches_show_and_the_baseline_elsewhere():
    """Against the mask of attention graphs, by which pages draw them."""
    pictures = images(2)
    _, queries = measured(graph(soft=True, count=2), pictures, soft=True)
    for row, picture in enumerate(pictures):
        (pairs,) = (queries.of(picture.numpy()),)
        assert len(pairs)
        levels = np.rint(picture.numpy() * 255)
        for pair in pairs:
            for version, visible in zip(queries.versions[pair], queries.visible[pair], strict=True):
                mask = graph(soft=True).alpha(np.flatnonzero(visible), (SIDE, SIDE))
                assert np.abs(version - levels * mask).max() <= 0.51, row  # half a level, and float32


def test_every_explanation_of_an_image_is_asked_the_same():
    """Neither the explanation nor the row of an image changes the questions about it."""
    run, pictures = ToyRun(), images(3)
    _, first = measured(graph(count=3), pictures, run=run)
    _, other = measured(heatmap((0, 5), count=3), pictures, run=ToyRun())
    assert first.digest() == other.digest()
    _, last = measured(graph(count=1), pictures[2:], run=ToyRun())
    assert last.digest() == first.select(first.of(pictures[2].numpy())).digest()
    _, seed = measured(graph(count=3), pictures, run=ToyRun(seed=1))
    assert seed.digest() != first.digest()


def test_heatmaps_and_changes_are_read_by_how_much_of_them_is_visible():
    both = heatmap((0, 5, 10, 15))
    items, queries = measured(both)
    sums = queries.visible[:, :, [0, 5, 10, 15]].sum(-1)
    expected = np.where(sums[:, 0] == sums[:, 1], GUESS, sums[:, 0] > sums[:, 1]).mean()
    assert items["explanation"].value == pytest.approx(expected)
    pictures = images()
    changed = Counterfactual(
        images=(pictures.numpy() - 0.5 * both.values[:, None]).astype(np.float32),
        logits_before=np.zeros((1, 2), np.float32),
        logits_after=np.zeros((1, 2), np.float32),
        converged=np.ones(1, bool),
    )
    assert measured(changed)[0]["explanation"].value == pytest.approx(expected)


def test_a_pair_is_clear():
    _, queries = measured(graph(), margin=0.9)
    gap = queries.probabilities[:, 0] - queries.probabilities[:, 1]
    assert (gap >= 0.9 * queries.probability - 1e-4).all()


def test_an_image_about_which_nothing_can_be_asked_is_left_out_with_a_word():
    run, pictures = ToyRun(), images(3)
    pictures[1] = 0.1  # class 1 whatever is visible, although the question says 0
    items, queries = measured(graph(count=3), pictures, run=run)
    assert np.isnan(items["explanation"].values).tolist() == [False, True, False]
    assert len(queries.of(pictures[1].numpy())) == 0
    assert any("nothing is asked about image 1" in text for text in run.warnings)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="no image has two versions") as caught:
        measured(graph(), torch.zeros(1, 1, SIDE, SIDE))
    assert "raise `sets`" in caught.value.fix
    with pytest.raises(UserError, match="the graph has 2 by 2 patches, the queries have 4 by 4"):
        measured(graph((), grid=(2, 2)))
    with pytest.raises(UserError, match="as tents and as squares"):
        measured(graph(soft=True))
    with pytest.raises(UserError, match="about the class asked about"):
        measured(attrs.evolve(heatmap(), answers="probe"))
    inversion = Inversion(
        latents=np.zeros((1, 2), np.float32), reconstructions=images().numpy(), error=np.zeros(1, np.float32)
    )
    with pytest.raises(SidelightError, match="reads attention-graph, heatmap, counterfactual"):
        measured(inversion)


def test_unbalanced_queries_are_refused():
    _, queries = measured(graph())
    for field, value, message in [
        ("answers", queries.answers[:, ::-1], "answers: the first version of a pair keeps"),
        ("visible", np.concatenate([queries.visible[:, :1], ~queries.visible[:, :1]], 1), "different numbers"),
        ("versions", queries.versions.astype(np.int64), "versions holds int64"),
        ("image", queries.image[1:], "versions has shape"),
    ]:
        with pytest.raises(SidelightError, match=message):
            attrs.evolve(queries, **{field: value}).validate()
    assert isinstance(ComparativeQueries.joined([queries, queries]), ComparativeQueries)
