"""A run whose queries can be answered: the class follows from two of the sixteen patches."""

import json

import attrs
import numpy as np
import pytest
from sidelight_report import StudyParams
from sidelight_report.user_study.study import UserStudy
from sidelight_specs.digests import digest_of
from sidelight_specs.results import (
    AttentionGraph,
    ComparativeQueries,
    Counterfactual,
    Graph,
    GraphNode,
    Heatmap,
    Predictions,
    Results,
    Split,
    Targets,
)
from sidelight_specs.results.run import ComponentRecord
from sidelight_specs.testing import ToyRun

SIDE, GRID, PAIRS = 24, 4, 4
SUFFICIENT = (5, 6)


def make_graph(count, **options):
    """The root that suffices, what remains without either patch, and without both."""
    nodes = (
        GraphNode(patches=SUFFICIENT, confidence=0.97, root=True, children=(1, 2)),
        GraphNode(patches=(5,), confidence=0.3, children=(3,)),
        GraphNode(patches=(6,), confidence=0.2, children=(3,)),
        GraphNode(patches=(0,), confidence=0.01),
    )
    one = Graph(nodes=nodes, probability=0.9, sufficient=(SUFFICIENT,))
    baseline = np.full((count, 3, SIDE, SIDE), 0.5, np.float32)
    return AttentionGraph(graphs=(one,) * count, grid=(GRID, GRID), baseline=baseline, eight_bit=True, **options)


def make_queries(images, graph, pairs=PAIRS):
    """Pairs of sets of eight patches, of which the first shows both sufficient patches."""
    rng = np.random.default_rng(3)
    others = [patch for patch in range(GRID * GRID) if patch not in SUFFICIENT]
    versions, visible = [], []
    for image in images:
        for _ in range(pairs):
            chosen = [[*SUFFICIENT, *rng.permutation(others)[:6]], [5, *rng.permutation(others)[:7]]]
            masks = [graph.alpha(patches, (SIDE, SIDE)) for patches in chosen]
            versions.append([np.rint(255 * (image * mask + 0.5 * (1 - mask))).astype(np.uint8) for mask in masks])
            visible.append([np.isin(np.arange(GRID * GRID), patches) for patches in chosen])
    count = len(images) * pairs
    return ComparativeQueries(
        image=tuple(digest_of(image) for image in images for _ in range(pairs)),
        versions=np.array(versions),
        visible=np.array(visible),
        grid=(GRID, GRID),
        baseline="grey",
        predicted=np.zeros(count, np.int64),
        answers=np.tile([0, 1], (count, 1)),
        probability=np.full(count, 0.9, np.float32),
        probabilities=np.tile(np.float32([0.8, 0.1]), (count, 1)),
    )


def make_quiz(count=3):
    """Results with a graph, a heatmap and a counterfactual of each image."""
    rng = np.random.default_rng(0)
    images = (rng.integers(0, 256, (count, 3, SIDE, SIDE)) / 255).astype(np.float32)
    graph = make_graph(count)
    logits = np.tile(np.float32([2, 0]), (count, 1))
    weights = np.repeat(graph.alpha(SUFFICIENT, (SIDE, SIDE))[None], count, 0)
    changed = np.clip(images + 0.4 * weights[:, None], 0, 1).astype(np.float32)
    explanations = {
        "sag": graph,
        "grad-cam": Heatmap(values=weights, signed=False),
        "xgems": Counterfactual(
            images=changed, logits_before=logits, logits_after=logits[:, ::-1], converged=np.ones(count, bool)
        ),
    }
    record = ComponentRecord(id="sag", role="explainer", use="structured/sag", paper="Li Fuxin et al. 2021")
    return Results(
        name="noise",
        split=Split(images=images, ids=("first", "second", "third")[:count]),
        predictions=Predictions(logits=logits),
        targets=Targets(predicted=np.zeros(count, np.int64), probe=np.ones(count, np.int64)),
        class_names=("cat", "dog"),
        explanations=explanations,
        emitted={"quiz/queries": make_queries(images, graph)},
        components=(record,),
        recipe={"recipe": 1, "name": "noise"},
    )


def written(results, folder, run=None, **options):
    """The page of a study, and what it asks."""
    (page,) = UserStudy(StudyParams(**options), run=run or ToyRun()).render(results, folder)
    return page, json.loads(page.read_text().split('id="document">')[1].split("</script>")[0])


@pytest.fixture(scope="session")
def write():
    """The function `written`."""
    return written


@pytest.fixture(scope="session")
def quiz_results():
    return make_quiz()


@pytest.fixture(scope="session")
def unanswered(quiz_results):
    """The same, without a graph of the first image and a counterfactual of the second."""
    given = dict(quiz_results.explanations)
    bare = Graph(nodes=(), probability=0.9)
    given["sag"] = attrs.evolve(
        given["sag"],
        graphs=(bare, *given["sag"].graphs[1:]),
        answered=np.array([False, True, True]),
        no_answer="its baseline keeps the class",
    )
    given["xgems"] = attrs.evolve(given["xgems"], converged=np.array([True, False, True]))
    return attrs.evolve(quiz_results, explanations=given)
