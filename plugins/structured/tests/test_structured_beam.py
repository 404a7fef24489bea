"""Minimal sufficient explanations against brute force."""

from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight_structured.sag.beam_search import BeamSearch, minimal_subset
from sidelight_structured.sag.sag import EXACT, attention_graph, diverse

PATCHES = range(9)
EVERY_SET = [frozenset(chosen) for size in range(10) for chosen in combinations(PATCHES, size)]


class Table:
    """Confidences from a table, which remembers what it is asked."""

    full = 1.0

    def __init__(self, values):
        self.values = values
        self.asked = []

    def __call__(self, sets):
        sets = list(sets)
        self.asked += sets
        return {patches: self.values[patches] for patches in sets}


def random_table(seed, highest=3.0):
    """Confidences without any order among sets and subsets; the whole image has 1."""
    random = Random(seed)
    return {patches: random.uniform(0, highest) for patches in EVERY_SET} | {frozenset(): 0.0, EVERY_SET[-1]: 1.0}


def brute_force(values, threshold):
    sufficient = [patches for patches in EVERY_SET if patches and values[patches] >= threshold]
    return {patches for patches in sufficient if not any(other < patches for other in sufficient)}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.91, 3.0), st.permutations(PATCHES), st.integers(0, 3))
def test_a_full_beam_finds_exactly_the_minimal_sets(seed, highest, order, overlap):
    values = random_table(seed, highest)
    search = BeamSearch(Table(values), order, width=10**6, candidates=9, overlap=overlap)
    assert set(search.run()) == brute_force(values, 0.9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.permutations(PATCHES), st.integers(1, 3))
def test_a_narrow_beam_without_limits_finds_them_too(seed, order, width):
    """States wait in the pool: the width decides when a set grows, not whether."""
    values = random_table(seed, 1.1)
    assert set(BeamSearch(Table(values), order, width=width, candidates=9).run()) == brute_force(values, 0.9)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=9, max_size=9),
    st.integers(1, 5),
    st.integers(1, 9),
    st.one_of(st.none(), st.integers(1, 200)),
)
def test_every_set_found_is_sufficient_and_minimal(weights, width, candidates, passes):
    total = sum(weights) or 1.0
    values = {patches: sum(weights[patch] for patch in patches) / total for patches in EVERY_SET}
    search = BeamSearch(Table(values), PATCHES, threshold=0.6, width=width, candidates=candidates, passes=passes)
    for patches in search.run():
        assert values[patches] >= 0.6
        assert all(values[patches - {patch}] < 0.6 for patch in patches)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 120), st.integers(1, 120), st.integers(1, 4))
def test_passes_are_a_limit_and_more_of_them_lose_nothing(seed, fewer, more, width):
    """Every set found is found again with more passes, or a subset of it."""
    values, found = random_table(seed), []
    for passes in (fewer, fewer + more):
        table = Table(values)
        found.append(BeamSearch(table, PATCHES, width=width, passes=passes).run())
        assert len(table.asked) == len(set(table.asked)) <= passes  # no set is scored twice
    assert all(any(other <= patches for other in found[1]) for patches in found[0])


def test_restarts_find_what_shares_no_patch():
    """Two of patches 0 to 2 suffice, and so do 6, 7 and 8 together, to which no confident subset leads."""
    values = {
        patches: 1.0 if len(patches & {0, 1, 2}) >= 2 or patches >= {6, 7, 8} else 0.1 * len(patches & {0, 1, 2})
        for patches in EVERY_SET
    }
    found = BeamSearch(Table(values), PATCHES, width=1, candidates=3, passes=60).run()
    assert frozenset({6, 7, 8}) in found
    assert len(diverse(found, 0)) == 2


def test_where_no_restart_finds_anything_the_neighbours_of_what_was_found_grow():
    """All but one of patches 0 to 4 suffice: from the bottom the candidates never lead to the last one."""
    values = {patches: min(1.0, len(patches & {0, 1, 2, 3, 8}) / 4) for patches in EVERY_SET}
    found = BeamSearch(Table(values), PATCHES, width=1, candidates=6, overlap=0, passes=150).run()
    assert frozenset({0, 1, 2, 3}) in found
    assert any(8 in patches for patches in found)


def test_remainders_share_no_more_than_the_overlap_with_each():
    values = {patches: 1.0 if len(patches) >= 3 else 0.0 for patches in EVERY_SET}
    disjoint = BeamSearch(Table(values), PATCHES, width=1, candidates=1, overlap=0, passes=60).run()
    assert len(diverse(disjoint, 0)) == 3
    one = BeamSearch(Table(values), PATCHES, width=1, candidates=1, overlap=1, passes=200).run()
    assert len(diverse(one, 1)) > 3


def test_a_large_set_takes_few_passes_from_the_top():
    asked = []

    def confidence(sets):
        sets = list(sets)
        asked.extend(sets)
        return {patches: float(patches >= set(range(0, 36, 3))) for patches in sets}

    (found,) = BeamSearch(confidence, range(49), passes=120).run()
    assert found == frozenset(range(0, 36, 3))


def test_pruning_drops_many_at_a_time_and_asks_rarely():
    asked = []

    def confidence(sets):
        sets = list(sets)
        asked.extend(sets)
        return {patches: float({3, 17} <= patches) for patches in sets}

    assert minimal_subset(frozenset(range(30)), 0.9, confidence) == {3, 17}
    assert len(asked) < 30 * 2


def test_a_set_that_nobody_needs_two_patches_of_is_found_alone():
    values = {patches: 1.0 if 4 in patches else 0.1 for patches in EVERY_SET}
    assert BeamSearch(Table(values), PATCHES).run() == (frozenset({4}),)


def test_nothing_sufficient_gives_no_explanation():
    assert BeamSearch(Table(dict.fromkeys(EVERY_SET, 0.1)), PATCHES).run() == ()


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


def test_many_sets_take_no_exponential_time_and_still_fit():
    random = Random(0)
    sets = [frozenset(random.sample(range(25), 4)) for _ in range(2000)]
    chosen = diverse(list(dict.fromkeys(sets)), overlap=2)
    assert all(len(one & other) <= 2 for one, other in combinations(chosen, 2))
    assert len(chosen) > len(diverse(sets[:EXACT], overlap=2))


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
