"""Minimal sufficient explanations against brute force."""

from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight_structured.sag.beam_search import BeamSearch
from sidelight_structured.sag.sag import attention_graph, diverse

PATCHES = range(9)
EVERY_SET = [frozenset(chosen) for size in range(10) for chosen in combinations(PATCHES, size)]


class Table:
    """Confidences from a table, which counts what it is asked."""

    full = 1.0

    def __init__(self, values):
        self.values = values
        self.asked = []

    def __call__(self, sets):
        sets = list(sets)
        self.asked += sets
        return {patches: self.values[patches] for patches in sets}


def brute_force(values, threshold):
    sufficient = [patches for patches in EVERY_SET if patches and values[patches] >= threshold]
    return {patches for patches in sufficient if not any(other < patches for other in sufficient)}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.91, 3.0), st.permutations(PATCHES))
def test_a_full_beam_finds_exactly_the_minimal_sets(seed, highest, order):
    random = Random(seed)
    table = {patches: random.uniform(0, highest) for patches in EVERY_SET}
    table[frozenset()] = 0.0
    result = BeamSearch(threshold=0.9, width=10**6, candidates=9, most=10**6).run(Table(table), order)
    assert set(result) == brute_force(table, 0.9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=9, max_size=9), st.integers(1, 5), st.integers(1, 9))
def test_every_set_found_is_sufficient_and_minimal(weights, width, candidates):
    total = sum(weights) or 1.0
    values = {patches: sum(weights[patch] for patch in patches) / total for patches in EVERY_SET}
    for patches in BeamSearch(threshold=0.6, width=width, candidates=candidates).run(Table(values), list(PATCHES)):
        assert values[patches] >= 0.6
        assert all(values[patches - {patch}] < 0.6 for patch in patches)


def test_a_set_that_nobody_needs_two_patches_of_is_found_alone():
    values = {patches: 1.0 if 4 in patches else 0.1 for patches in EVERY_SET}
    assert BeamSearch().run(Table(values), list(PATCHES)) == (frozenset({4}),)


def test_nothing_sufficient_gives_no_explanation():
    assert BeamSearch().run(Table(dict.fromkeys(EVERY_SET, 0.1)), list(PATCHES)) == ()


@given(
    st.lists(st.frozensets(st.sampled_from(PATCHES), min_size=1), min_size=1, max_size=8, unique=True),
    st.integers(0, 2),
)
def test_the_diverse_choice_is_the_largest_possible(result, overlap):
    def fits(chosen):
        return all(len(one & other) <= overlap for one, other in combinations(chosen, 2))

    best = max(size for size in range(1, len(result) + 1) for chosen in combinations(result, size) if fits(chosen))
    chosen = diverse(result, overlap)
    assert fits(chosen)
    assert len(chosen) == best


def test_of_equally_many_sets_the_smallest_are_chosen():
    large, small = frozenset({0, 1, 2}), frozenset({0, 1})
    assert diverse([large, small, frozenset({5})], overlap=1) == (small, frozenset({5}))


def test_the_graph_merges_equal_sets_and_keeps_the_worst_losses():
    values = {patches: sum((patch + 1) / 10 for patch in patches) for patches in EVERY_SET}
    roots = [frozenset({0, 1, 2}), frozenset({1, 2, 3})]
    graph = attention_graph(roots, roots, Table(values), branches=3, depth=2)
    sets = [node.patches for node in graph.nodes]
    assert len(sets) == len(set(sets))
    first = graph.nodes[0]
    assert [graph.nodes[child].patches for child in first.children] == [(0, 1), (0, 2), (1, 2)]
    assert [node.patches for node in graph.nodes if node.root] == [(0, 1, 2), (1, 2, 3)]
    assert first.confidence == pytest.approx(0.6)
