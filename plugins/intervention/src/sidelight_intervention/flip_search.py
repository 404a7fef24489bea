"""The smallest set of bits of a code z (n,) whose flip changes the class: exhaustive up to a size, then greedy."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Margin = Callable[[Tensor], Tensor]
    """Codes (M, n) to (M,): the class's logit above the others', below 0 once the class has changed."""


class FlipSet(NamedTuple):
    """The bits to flip (n,) bool; whether that changes the class; the margin (n,) after each single flip."""

    flipped: Tensor
    changed: bool
    singles: Tensor


def minimal_flip_set(margin_of: Margin, code: Tensor, exact: int) -> FlipSet:
    """The smallest set of bits whose flip brings the margin below 0.

    Sets of 1, 2, ... `exact` bits are all tried; of those of one size that do it, the one with the lowest margin is
    taken. Where none does, the best of the largest size grows greedily and is then pruned; that set need not be the
    smallest.

    Args:
        margin_of: of codes.
        code: (n,) of 0.0 and 1.0.
        exact: the largest size of which all sets are tried.
    """
    bits = len(code)
    singles = margin_of(_flip(code, torch.eye(bits, dtype=torch.bool, device=code.device)))  # after one flip, (n,)
    best = torch.zeros(bits, dtype=torch.bool, device=code.device)
    for size in range(1, min(exact, bits) + 1):
        masks = _subsets(bits, size).to(code.device)  # (n choose size, n)
        margins = singles if size == 1 else margin_of(_flip(code, masks))
        best = masks[int(margins.argmin())]
        if float(margins.min()) < 0:
            return FlipSet(best, True, singles)
    return _grow(margin_of, code, best, singles)


def _grow(margin_of: Margin, code: Tensor, flipped: Tensor, singles: Tensor) -> FlipSet:
    """Add the best bit at a time until the class changes, then prune."""
    while not bool(flipped.all()):
        candidates = flipped | torch.eye(len(code), dtype=torch.bool, device=code.device)[~flipped]  # one more bit each
        margins = margin_of(_flip(code, candidates))
        flipped = candidates[int(margins.argmin())]
        if float(margins.min()) < 0:
            return FlipSet(_prune(margin_of, code, flipped), True, singles)
    return FlipSet(flipped, False, singles)


def _prune(margin_of: Margin, code: Tensor, flipped: Tensor) -> Tensor:
    """Without the bits that the change of class does not need, tried in order."""
    for bit in torch.nonzero(flipped)[:, 0].tolist():
        smaller = flipped.clone()
        smaller[bit] = False
        if bool(smaller.any()) and float(margin_of(_flip(code, smaller[None]))[0]) < 0:
            flipped = smaller
    return flipped


def _subsets(bits: int, size: int) -> Tensor:
    """(M, n) bool: every set of `size` bits."""
    indices = torch.tensor(list(combinations(range(bits), size)))
    return torch.zeros(len(indices), bits, dtype=torch.bool).scatter(1, indices, True)


def _flip(code: Tensor, masks: Tensor) -> Tensor:
    return torch.where(masks, 1 - code, code)


def margin(logits: Tensor, classes: Tensor, rivals: Tensor | None = None) -> Tensor:
    """(N,) logits by which a class is above all others, or above its rival, of logits (N, K).

    Towards a rival every third class also keeps the margin up: the rival has to be the answer.
    """
    if rivals is None:
        others = logits.scatter(1, classes[:, None], -torch.inf)
        return logits.gather(1, classes[:, None])[:, 0] - others.amax(1)
    others = logits.scatter(1, rivals[:, None], -torch.inf)  # every class but the rival, (N, K)
    above_rival = others.amax(1) - logits.gather(1, rivals[:, None])[:, 0]
    return torch.where(rivals == classes, margin(logits, classes), above_rival)
