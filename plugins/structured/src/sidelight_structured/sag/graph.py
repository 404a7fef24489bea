"""Structured attention graphs (section 4.2): diverse explanations, and what is lost with one or two patches."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import networkx
from sidelight_specs.results import Graph, GraphNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_structured.sag.patches import PatchScores, PatchSet


def diverse(found: Sequence[PatchSet], overlap: int) -> tuple[PatchSet, ...]:
    """The largest choice of sets of which no two share more than `overlap` patches, exactly.

    Of equally large choices the one with the fewest patches is taken. The order given is kept.
    """
    every = 1 + sum(len(patches) for patches in found)  # one more set outweighs any difference in size
    compatible = networkx.Graph()
    compatible.add_nodes_from((index, {"weight": every - len(patches)}) for index, patches in enumerate(found))
    pairs = combinations(range(len(found)), 2)
    compatible.add_edges_from(pair for pair in pairs if len(found[pair[0]] & found[pair[1]]) <= overlap)
    chosen, _ = networkx.max_weight_clique(compatible)
    return tuple(found[index] for index in sorted(chosen))


def attention_graph(
    roots: Sequence[PatchSet], found: Sequence[PatchSet], confidence: PatchScores, branches: int, depth: int
) -> Graph:
    """The graph below `roots`: every node's children drop what costs most, and equal sets are one node.

    Args:
        roots: the explanations to show.
        found: all explanations that the search found.
        confidence: scores sets of patches.
        branches: children of a node.
        depth: how many patches are dropped in all.
    """
    children: dict[PatchSet, tuple[PatchSet, ...]] = dict.fromkeys(roots, ())
    level = list(roots)
    for _ in range(depth):
        below: dict[PatchSet, None] = {}
        for node in level:
            children[node] = _most_damaging(node, confidence, branches)
            below.update(dict.fromkeys(children[node]))
        level = [node for node in below if node not in children]
        children.update((node, ()) for node in level)
    return _numbered(children, set(roots), found, confidence)


def _most_damaging(node: PatchSet, confidence: PatchScores, branches: int) -> tuple[PatchSet, ...]:
    smaller = confidence(node - {patch} for patch in sorted(node) if len(node) > 1)
    return tuple(sorted(smaller, key=lambda rest: (smaller[rest], sorted(rest)))[:branches])


def _numbered(
    children: dict[PatchSet, tuple[PatchSet, ...]],
    roots: set[PatchSet],
    found: Sequence[PatchSet],
    confidence: PatchScores,
) -> Graph:
    index = {node: number for number, node in enumerate(children)}
    values = confidence(children)
    nodes = tuple(
        GraphNode(
            patches=tuple(sorted(node)),
            confidence=values[node],
            root=node in roots,
            children=tuple(index[child] for child in below),
        )
        for node, below in children.items()
    )
    return Graph(
        nodes=nodes, probability=confidence.full, sufficient=tuple(tuple(sorted(patches)) for patches in found)
    )
