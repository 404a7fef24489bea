"""Attention graphs: the nodes that the page draws, roots first, each level after the one that leads to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_report.encoding import number

if TYPE_CHECKING:
    from sidelight_specs.results import AttentionGraph, Graph

MOST_NODES = 40


def graph_entry(explanation: AttentionGraph, row: int, size: tuple[int, int]) -> dict[str, Any]:
    """The graph of one image of `size` (H, W), cut to its first nodes in breadth-first order from the roots."""
    graph = explanation.graphs[row]
    depths = _depths(graph)
    kept = list(depths)[:MOST_NODES]
    place = {node: position for position, node in enumerate(kept)}
    nodes = [
        {
            "patches": list(graph.nodes[node].patches),
            "lit": number(explanation.lit_area(graph.nodes[node].patches, size)),
            "confidence": number(graph.nodes[node].confidence),
            "root": graph.nodes[node].root,
            "depth": depths[node],
            "children": [place[child] for child in graph.nodes[node].children if child in place],
        }
        for node in kept
    ]
    return {
        "kind": "attention-graph",
        "grid": list(explanation.grid),
        "soft": explanation.soft,
        "probability": number(graph.probability),
        "nodes": nodes,
        "sufficient": len(graph.sufficient),
        "left_out": len(graph.nodes) - len(kept),
    }


def _depths(graph: Graph) -> dict[int, int]:
    """Node to its distance from the nearest root, nearest first; nodes that no root reaches are left out."""
    depths = {index: 0 for index, node in enumerate(graph.nodes) if node.root}
    queue = list(depths)
    for index in queue:
        for child in graph.nodes[index].children:
            if child not in depths:
                depths[child] = depths[index] + 1
                queue.append(child)
    return depths
