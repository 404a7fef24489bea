"""The fewest bits of a code whose flip changes the class."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Lead = Callable[[Tensor], Tensor]
    """Codes (M, n) to (M,): by how many logits the class is ahead; below 0 it is no longer the answer."""


class Found(NamedTuple):
    """The bits to flip (n,) bool; whether that changes the class; the lead (n,) after each single flip."""

    flipped: Tensor
    changed: bool
    singles: Tensor


def fewest(lead: Lead, code: Tensor, exact: int) -> Found:
    """The smallest set of bits whose flip brings the lead below 0.

    Sets of 1, 2, ... `exact` bits are all tried; of those of one size that do it, the one with the lowest lead is
    taken. Where none does, the best of the largest size grows greedily, and bits that it can do without are taken
    back; that set need not be the smallest.

    Args:
        lead: of codes.
        code: (n,) of 0.0 and 1.0.
        exact: the largest size of which all sets are tried.
    """
    bits = len(code)
    singles = lead(_flipped(code, torch.eye(bits, dtype=torch.bool, device=code.device)))
    best = torch.zeros(bits, dtype=torch.bool, device=code.device)
    for size in range(1, min(exact, bits) + 1):
        masks = _sets(bits, size).to(code.device)
        leads = singles if size == 1 else lead(_flipped(code, masks))
        best = masks[int(leads.argmin())]
        if float(leads.min()) < 0:
            return Found(best, True, singles)
    return _grown(lead, code, best, singles)


def _grown(lead: Lead, code: Tensor, flipped: Tensor, singles: Tensor) -> Found:
    """The set grown by the best bit at a time until the class changes, then pruned."""
    while not bool(flipped.all()):
        more = flipped | torch.eye(len(code), dtype=torch.bool, device=code.device)[~flipped]
        leads = lead(_flipped(code, more))
        flipped = more[int(leads.argmin())]
        if float(leads.min()) < 0:
            return Found(_pruned(lead, code, flipped), True, singles)
    return Found(flipped, False, singles)


def _pruned(lead: Lead, code: Tensor, flipped: Tensor) -> Tensor:
    for bit in torch.nonzero(flipped)[:, 0].tolist():
        less = flipped.clone()
        less[bit] = False
        if bool(less.any()) and float(lead(_flipped(code, less[None]))[0]) < 0:
            flipped = less
    return flipped


def _sets(bits: int, size: int) -> Tensor:
    """(M, n) bool: every set of `size` bits."""
    chosen = torch.tensor(list(combinations(range(bits), size)))
    return torch.zeros(len(chosen), bits, dtype=torch.bool).scatter(1, chosen, True)


def _flipped(code: Tensor, masks: Tensor) -> Tensor:
    return torch.where(masks, 1 - code, code)


def lead_over(logits: Tensor, said: Tensor, rivals: Tensor | None = None) -> Tensor:
    """(N,) logits by which the class `said` is above all others, or above its rival, of logits (N, K).

    Towards a rival the lead is also kept by every third class: the rival has to be the answer.
    """
    if rivals is None:
        others = logits.scatter(1, said[:, None], -torch.inf)
        return logits.gather(1, said[:, None])[:, 0] - others.amax(1)
    same = rivals == said
    others = logits.scatter(1, rivals[:, None], -torch.inf)
    ahead = others.amax(1) - logits.gather(1, rivals[:, None])[:, 0]
    return torch.where(same, lead_over(logits, said), ahead)
