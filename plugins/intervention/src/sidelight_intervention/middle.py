"""The point of a layer that flipped codes are mirrored at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

HALVINGS = 40


@torch.no_grad()
def middle(layer: Tensor, logits: Tensor, rest: Callable[[Tensor], Tensor]) -> Tensor:
    """(S,): of two classes the undecided point between their mean layers, of more the layer's mean.

    The mean itself may lie on one side of the boundary, and images nearer to it than the boundary would keep their
    class when mirrored. Where what follows the layer is linear, every image changes it when mirrored here. The mean is
    also taken where the classifier gives one class to all images, or to both classes' means.

    Args:
        layer: (N, S) outputs.
        logits: (N, K) of the same images.
        rest: f_K, rows of the layer to class logits.
    """
    said = logits.argmax(1).to(layer.device)
    if logits.shape[1] != 2 or said.all() or not said.any():
        return layer.mean(0)
    first, second = layer[said == 0].mean(0), layer[said == 1].mean(0)
    if _prefers_second(first, rest) or not _prefers_second(second, rest):
        return layer.mean(0)
    for _ in range(HALVINGS):
        between = (first + second) / 2
        first, second = (first, between) if _prefers_second(between, rest) else (between, second)
    return (first + second) / 2


def _prefers_second(point: Tensor, rest: Callable[[Tensor], Tensor]) -> bool:
    lead = rest(point[None])[0]
    return bool(lead[1] > lead[0])
