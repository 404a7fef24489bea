"""Noisy linear imputation: hidden pixels are interpolated from the visible ones (Rong et al. 2022, ROAD, section 4).

Each hidden pixel is the weighted mean of its eight neighbours, 1/6 for the four direct ones and 1/12 for the diagonal
ones, hidden neighbours included: a sparse linear system, solved here by conjugate gradients for a batch of masks at
once. A little noise covers the smoothness by which a network could tell hidden pixels from visible ones.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

NOISE = 0.01  # standard deviation that the authors' code adds
TOLERANCE = 1e-3  # of the residual's norm against the right-hand side's; pixel errors stay below 8-bit steps
MOST_STEPS = 200
LOOK_EVERY = 8  # steps between two looks at whether all rows are solved, on a GPU: the host waits for each
TINY = 1e-20  # denominators of rows that are solved already


def noisy_linear(images: torch.Tensor, visible: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
    """Images whose hidden pixels are interpolated.

    Args:
        images: (N, C, H, W) in [0, 1].
        visible: (N, 1, H, W) bool; an image of which nothing is visible becomes its own mean colour.
        noise: (C, H, W) or (N, C, H, W) of unit standard deviation, added to hidden pixels; none where None.

    Returns:
        (N, C, H, W) in [0, 1].
    """
    known = visible.to(images)
    filled = torch.where(visible, images, _solve(images, known))
    blank = ~visible.any(dim=(-2, -1), keepdim=True)
    filled = torch.where(blank, images.mean((-2, -1), keepdim=True), filled)
    if noise is not None:
        filled = filled + (1 - known) * NOISE * noise
    return filled.clamp(0, 1)


def _solve(images: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Conjugate gradients for A v = b on the hidden pixels, from a pyramid's guess; rows stop on their own."""
    hidden, weights = 1 - known, _neighbours(torch.ones_like(known))  # (N, 1, H, W); weights < 1 at the border

    def system(values: torch.Tensor) -> torch.Tensor:
        return hidden * (weights * values - _neighbours(values))  # (A v)_p = sum_q w_pq (v_p - v_q)

    right = hidden * _neighbours(images * known)
    solution = hidden * _push_pull(images, known)
    residual = right - system(solution)
    direction, size = residual, _norm(residual)
    enough = TOLERANCE**2 * _norm(right)
    for number in range(MOST_STEPS):
        going = size > enough  # (N, C, 1, 1): a solved row stands still, so that it does not depend on the others
        if number % look_every(images) == 0 and not bool(going.any()):
            break
        along = system(direction)
        step = going * size / (direction * along).sum((-2, -1), keepdim=True).clamp(min=TINY)
        solution, residual = solution + step * direction, residual - step * along
        left = _norm(residual)
        direction = residual + left / size.clamp(min=TINY) * direction
        size = left
    return solution


def look_every(tensor: torch.Tensor) -> int:
    """Steps between two looks at whether all rows are solved."""
    return 1 if tensor.device.type == "cpu" else LOOK_EVERY


def _norm(values: torch.Tensor) -> torch.Tensor:
    return (values * values).sum((-2, -1), keepdim=True)


def _neighbours(values: torch.Tensor) -> torch.Tensor:
    """The weighted sum of each pixel's eight neighbours, none beyond the border: ([1 2 1]' [1 2 1] - 4) / 12."""
    padded = F.pad(values, (1, 1, 1, 1))
    across = padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]
    return (across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :] - 4 * values) / 12


def _push_pull(images: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """A first guess: means of the visible pixels on ever coarser grids, drawn smoothly where finer ones are empty."""
    height, width = images.shape[-2:]
    if min(height, width) == 1:
        return (images * known).sum((-2, -1), keepdim=True) / known.sum((-2, -1), keepdim=True).clamp(min=1)
    ratio = F.avg_pool2d(known, 2, ceil_mode=True, count_include_pad=False)
    means = F.avg_pool2d(images * known, 2, ceil_mode=True, count_include_pad=False) / ratio.clamp(min=TINY)
    coarse = _push_pull(means, (ratio > 0).to(images))
    coarse = torch.where(ratio > 0, means, coarse)
    drawn = F.interpolate(coarse.expand(*means.shape), size=(height, width), mode="bilinear", align_corners=False)
    return torch.where(known > 0, images, drawn)
