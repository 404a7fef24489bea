"""Attention graphs: nodes in breadth-first order from the roots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_report.encoding import number

if TYPE_CHECKING:
    from sidelight_specs.results import AttentionGraph, Graph

MOST_NODES = 40  # more cannot be read, and each is a picture


def graph_entry(explanation: AttentionGraph, row: int, size: tuple[int, int]) -> dict[str, Any]:
    """Graph of one image of `size` (H, W), cut to its first nodes."""
    graph = explanation.graphs[row]
    depths = _depths(graph)
    shown = list(depths)[:MOST_NODES]
    position = {node: index for index, node in enumerate(shown)}
    nodes = [
        {
            "patches": list(graph.nodes[node].patches),
            "lit": number(explanation.lit_area(graph.nodes[node].patches, size)),
            "confidence": number(graph.nodes[node].confidence),
            "root": graph.nodes[node].root,
            "depth": depths[node],
            "children": [position[child] for child in graph.nodes[node].children if child in position],
        }
        for node in shown
    ]
    return {
        "kind": "attention-graph",
        "grid": list(explanation.grid),
        "soft": explanation.soft,
        "probability": number(graph.probability),
        "nodes": nodes,
        "sufficient": len(graph.sufficient),
        "left_out": len(graph.nodes) - len(shown),
    }


def _depths(graph: Graph) -> dict[int, int]:
    """Node to its distance from the nearest root, nearest first, without unreachable nodes."""
    depths = {index: 0 for index, node in enumerate(graph.nodes) if node.root}
    queue = list(depths)
    for index in queue:
        for child in graph.nodes[index].children:
            if child not in depths:
                depths[child] = depths[index] + 1
                queue.append(child)
    return depths
