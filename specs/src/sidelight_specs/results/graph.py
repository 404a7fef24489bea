"""Structured attention graphs (Shitole et al. 2021): an image's sufficient explanations and what they can lose."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import per_image
from sidelight_specs.results.explanation import Explanation


@attrs.frozen
class GraphNode:
    """One set of visible patches.

    Args:
        patches: indices of the visible patches, ascending, row-major over the grid.
        confidence: the class's probability with only these patches visible, relative to the full image's.
        root: whether the set is a minimal sufficient explanation.
        children: indices of nodes that lose one or two of the patches.
    """

    patches: tuple[int, ...]
    confidence: float
    root: bool = False
    children: tuple[int, ...] = ()


@attrs.frozen
class Graph:
    """The graph of one image.

    Args:
        nodes: roots first.
        probability: the class's probability on the full image.
        sufficient: every minimal sufficient set that was found, smallest first; the roots are a diverse choice of them.
    """

    nodes: tuple[GraphNode, ...]
    probability: float
    sufficient: tuple[tuple[int, ...], ...] = ()


@attrs.frozen(eq=False, kw_only=True)
class AttentionGraph(Explanation):
    """Graphs of N images over one grid.

    Args:
        graphs: N graphs.
        grid: rows and columns of patches.
        baseline: (N, C, H, W) float32, what hides a patch.
        soft: whether patch borders are blended (bilinear upsampling) or hard.
    """

    kind: ClassVar[str] = "attention-graph"

    graphs: tuple[Graph, ...] = per_image()
    grid: tuple[int, int]
    baseline: np.ndarray | None = per_image(default=None)
    soft: bool = True
