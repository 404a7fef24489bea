"""Structured attention graphs (Shitole et al. 2021): an image's sufficient explanations and what they can lose."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import per_image
from sidelight_specs.blocks import Block, Overlay, Table, Text
from sidelight_specs.errors import SidelightError
from sidelight_specs.results.explanation import Explanation

if TYPE_CHECKING:
    from collections.abc import Sequence

LIT = 0.05
"""A pixel is lit where the image makes up more than this share of it: less is hardly visible."""


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
        graphs: N graphs; one without an answer has no nodes.
        grid: rows and columns of patches.
        baseline: (N, C, H, W) float32, what hides a patch.
        soft: whether patches are tents (bilinear upsampling with aligned corners), which overlap, or hard squares.
        eight_bit: whether image, baseline and what was composed of them were rounded to 8 bits a channel before they
            were scored, so that a page can show the very pictures.
    """

    kind: ClassVar[str] = "attention-graph"

    graphs: tuple[Graph, ...] = per_image()
    grid: tuple[int, int]
    baseline: np.ndarray | None = per_image("N C H W", default=None)
    soft: bool = True
    eight_bit: bool = False

    def validate(self, images: tuple[int, ...] | None = None, classes: int | None = None) -> None:
        """Beside the forms: patches lie in the grid, children are nodes of their graph, no answer has no nodes."""
        super().validate(images, classes)
        patches = range(self.grid[0] * self.grid[1])
        for index, graph in enumerate(self.graphs):
            if not self.has_answer(index) and (graph.nodes or graph.sufficient):
                raise SidelightError(f"graphs.{index} has nodes without being an answer")
            shown = [patch for node in graph.nodes for patch in node.patches]
            if any(patch not in patches for patch in shown):
                raise SidelightError(f"graphs.{index} shows patches outside of the grid of {len(patches)}")
            if any(child not in range(len(graph.nodes)) for node in graph.nodes for child in node.children):
                raise SidelightError(f"graphs.{index} has children that are none of its {len(graph.nodes)} nodes")

    def view(self, index: int) -> tuple[Block, ...]:
        """The visible part of each root, then every node with its confidence and children; or why there is none."""
        if not self.has_answer(index):
            return (self.reason(),)
        graph = self.graphs[index]
        hidden = None if self.baseline is None else self.baseline[index].clip(0, 1)
        overlays = tuple(self._overlay(node, hidden) for node in graph.nodes if node.root)
        rows = tuple(
            (
                number,
                "yes" * node.root,
                _listed(node.patches),
                f"{node.confidence:.1%}",
                _listed(node.children),
            )
            for number, node in enumerate(graph.nodes)
        )
        return (
            Text(f"probability of the full image: {graph.probability:.3f}; {len(graph.sufficient)} sufficient sets"),
            *overlays,
            Table(("node", "root", "visible patches", "confidence of the full image's", "children"), rows),
        )

    def _overlay(self, node: GraphNode, hidden: np.ndarray | None) -> Overlay:
        size = (self.grid[0], self.grid[1]) if hidden is None else hidden.shape[-2:]
        mask = self.alpha(node.patches, (int(size[0]), int(size[1])))
        return Overlay(mask, mask=True, hidden=hidden, caption=f"{len(node.patches)} patches: {node.confidence:.1%}")

    def alpha(self, patches: Sequence[int], size: tuple[int, int]) -> np.ndarray:
        """(H, W) float32 in [0, 1]: the mask M that was scored, as I M + I0 (1 - M), where only `patches` are visible.

        Args:
            patches: indices of the visible patches, row-major over the grid.
            size: (H, W) of the image.
        """
        mask = np.zeros(self.grid, dtype=np.float32)
        mask.flat[list(patches)] = 1
        vertical, horizontal = (_upsampling(n, length, self.soft) for n, length in zip(self.grid, size, strict=True))
        visible: np.ndarray = vertical @ mask @ horizontal.T  # (H, rows) (rows, columns) (columns, W)
        return visible

    def lit_area(self, patches: Sequence[int], size: tuple[int, int]) -> float:
        """Share of the pixels in which M is above `LIT` where only `patches` are visible."""
        return float((self.alpha(patches, size) > LIT).mean())


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _upsampling(cells: int, pixels: int, soft: bool) -> np.ndarray:
    """(pixels, cells) float32: the weight of each cell in each pixel along one axis."""
    if soft:  # bilinear, aligned corners: the first and last pixels lie on the centres of the first and last cells
        position = np.arange(pixels) * ((cells - 1) / max(pixels - 1, 1))
        tents: np.ndarray = (1 - np.abs(position[:, None] - np.arange(cells))).clip(0).astype(np.float32)
        return tents
    nearest = ((np.arange(pixels, dtype=np.float32) + 0.5) * np.float32(cells / pixels)).astype(np.int64)
    squares: np.ndarray = np.eye(cells, dtype=np.float32)[nearest.clip(max=cells - 1)]
    return squares
