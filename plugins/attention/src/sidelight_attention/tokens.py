"""Tokens of a transformer's attention layers: which place of the image each is, and relevance that flows between them.

A state is a row of relevance, one value for each special token (class, distillation, register) and each cell of the
layer's grid, (N, S + h * w + 1); the last column collects what goes to the padding of windows, and is zero. Attention
within windows moves relevance within each window alone. Where a network merges patches, each coarse cell stands for
the mean of the cells it was merged of.
"""

from __future__ import annotations

import torch
from attrs import evolve, frozen
from sidelight_toolkit.layout import NOWHERE, Coordinates
from torch import Tensor

_DIGITS = 10_000
"""Coordinates that agree to 1 / _DIGITS of the image's side are the same."""


@frozen(eq=False)
class TokenLayer:
    """Tokens of one attention layer, for one size of image.

    Args:
        grid: (h, w).
        special: special tokens, S.
        order: (W, heads) int64, the groups of each window among the leading axes of A.
        queries: (W, T_q) int64, the column of each query in the state; None where the queries are learned.
        keys: (W, T_k) int64, likewise.
    """

    grid: tuple[int, int]
    special: int
    order: Tensor
    queries: Tensor | None
    keys: Tensor

    @property
    def size(self) -> int:
        """Columns of the state."""
        return self.special + self.grid[0] * self.grid[1] + 1

    def by_window(self, weights: Tensor, count: int) -> Tensor:
        """(..., T_q, T_k) weights of `count` images to (N, W, heads, T_q, T_k)."""
        return weights.reshape(count, self.order.numel(), *weights.shape[-2:])[:, self.order]

    def with_special(self, special: int) -> TokenLayer:
        """The same layer in a network with more special tokens than it sees."""
        shift = special - self.special

        def shifted(columns: Tensor) -> Tensor:
            return torch.where(columns >= self.special, columns + shift, columns)

        queries = None if self.queries is None else shifted(self.queries)
        return evolve(self, special=special, queries=queries, keys=shifted(self.keys))

    def flow(self, rows: Tensor, matrix: Tensor) -> Tensor:
        """The state to which rows (N, W, T_q) go by a matrix (N, W, T_q, T_k) from queries to keys."""
        mass = torch.einsum("nwq,nwqk->nwk", rows, matrix).flatten(1)
        state = mass.new_zeros(len(mass), self.size).index_add(1, self.keys.flatten(), mass)
        state[:, -1] = 0  # padding
        return state

    def before_merging(self, state: Tensor, coarse: TokenLayer) -> Tensor:
        """The state on this layer's grid of a state on the grid of a later layer."""
        if self.grid == coarse.grid:
            return state
        parents = merged_cells(self.grid, coarse.grid)  # (h * w,)
        children = torch.bincount(parents, minlength=coarse.grid[0] * coarse.grid[1])
        cells = state[:, self.special : -1] / children.to(state)
        return torch.cat([state[:, : self.special], cells[:, parents.to(state.device)], state[:, -1:]], 1)


def merged_cells(fine: tuple[int, int], coarse: tuple[int, int]) -> Tensor:
    """(h * w,) int64: the coarse cell that each fine cell is merged into; blocks at the far edges may be smaller."""
    rows, columns = (
        torch.arange(many) // -(-many // few) for many, few in zip(fine, coarse, strict=True)
    )  # i // ceil(h / h')
    return (rows[:, None] * coarse[1] + columns).flatten()


def can_merge(fine: tuple[int, int], coarse: tuple[int, int]) -> bool:
    """True if blocks of cells of one size, but for the far edges, make the coarse grid."""
    return all(-(-many // -(-many // few)) == few for many, few in zip(fine, coarse, strict=True) if few) and (
        coarse[0] <= fine[0] and coarse[1] <= fine[1]
    )


def positions(coordinates: Coordinates | None, tokens: int) -> Tensor | None:
    """(G, T, 2) relative height and width of tokens (..., T, d); None where unknown, or if d is not the channels."""
    if coordinates is None or coordinates.y.dim() < 2 or coordinates.y.shape[-2] != tokens:
        return None
    axes = []
    for values in (coordinates.y, coordinates.x):
        first = values[..., :1]
        if not torch.equal(first.expand_as(values), values):
            return None
        axes.append(first[..., 0])
    return (torch.stack(axes, -1).reshape(-1, tokens, 2) * _DIGITS).round() / _DIGITS


def token_layer(groups: int, queries: Tensor | None, keys: Tensor) -> TokenLayer | None:
    """The layer of tokens at given positions; None where they form no grid.

    Args:
        groups: G, windows times heads: the leading axes of A for one image.
        queries: (G, T_q, 2) positions; None for learned queries.
        keys: (G, T_k, 2).
    """
    if len(keys) != groups or (queries is not None and len(queries) != groups):
        return None
    windows, group = torch.unique(keys.flatten(1), dim=0, return_inverse=True)
    heads = groups // len(windows)
    order = group.argsort(stable=True)
    if not torch.equal(group[order], torch.arange(len(windows), device=group.device).repeat_interleave(heads)):
        return None
    order = order.reshape(len(windows), heads)
    heights, widths = (distinct(values[values > NOWHERE]) for values in keys.unbind(-1))
    grid = (len(heights), len(widths))
    is_special = _leading(keys[0]) if len(windows) == 1 else torch.zeros_like(keys[0, :, 0], dtype=torch.bool)
    special = int(is_special.sum())

    def columns(tokens: Tensor) -> Tensor:
        """(W, T) columns of the state: special tokens lead, tokens of no position are padding."""
        y = torch.searchsorted(heights, tokens[..., 0].contiguous())
        x = torch.searchsorted(widths, tokens[..., 1].contiguous())
        cells = special + y * grid[1] + x
        result = torch.where(tokens[..., 0] > NOWHERE, cells, special + grid[0] * grid[1])
        if len(windows) == 1:
            leading = _leading(tokens[0])
            result[0, leading] = torch.arange(int(leading.sum()), device=result.device)
        return result

    own = None if queries is None else columns(queries[order[:, 0]])
    layer = TokenLayer(grid, special, order, own, columns(keys[order[:, 0]]))
    return layer if _is_whole(layer) else None


def distinct(values: Tensor) -> Tensor:
    """Sorted values without repetitions."""
    result: Tensor = torch.unique(values)
    return result


def _leading(tokens: Tensor) -> Tensor:
    """(T,) bool: the tokens without a position that stand before all others."""
    return (tokens[:, 0] > NOWHERE).cumsum(0) == 0


def _is_whole(layer: TokenLayer) -> bool:
    """True if the keys see every cell, and no query is there twice."""
    every = torch.arange(layer.special, layer.size - 1, device=layer.keys.device)
    keys = distinct(layer.keys)
    if not torch.isin(every, keys).all():
        return False
    if layer.queries is None:
        return True
    real = layer.queries[layer.queries < layer.size - 1]
    return len(distinct(real)) == len(real)
