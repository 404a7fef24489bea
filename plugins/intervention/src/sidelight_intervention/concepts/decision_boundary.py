"""Decision-boundary point about which an odd decoder reflects flipped codes (`centre: boundary`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

HALVINGS = 40  # beyond the 24 bits of a float32's mantissa


@torch.no_grad()
def boundary_point(
    layer: Tensor, logits: Tensor, head: Callable[[Tensor], Tensor], warn: Callable[[str], None] = lambda text: None
) -> Tensor:
    """(S,): the undecided point between the mean layers of two classes, by bisection.

    Where the head is linear, the reflection about this point changes the class of every layer: an identity, which says
    nothing of a code. The layer's mean is taken, with a warning, where the classifier gives one class to all images, or
    does not tell the classes' mean layers apart.

    Args:
        layer: phi (N, S).
        logits: (N, 2) of the same images.
        head: f_K, rows of the layer to class logits.
        warn: takes the warning.

    Raises:
        UserError: there are not two classes.
    """
    if logits.shape[1] != 2:
        raise UserError(
            f"centre: the boundary lies between two classes, the classifier has {logits.shape[1]}", "set centre to mean"
        )
    classes = logits.argmax(1).to(layer.device)
    if classes.all() or not classes.any():
        warn("centre: the classifier gives one class to all training images; the layer's mean is taken instead")
        return layer.mean(0)
    first, second = layer[classes == 0].mean(0), layer[classes == 1].mean(0)
    if _prefers_second(first, head) or not _prefers_second(second, head):
        warn("centre: the mean layers of both classes lie on one side of the boundary; the layer's mean is taken")
        return layer.mean(0)
    for _ in range(HALVINGS):
        between = (first + second) / 2
        first, second = (first, between) if _prefers_second(between, head) else (between, second)
    return (first + second) / 2


def _prefers_second(point: Tensor, head: Callable[[Tensor], Tensor]) -> bool:
    first, second = head(point[None])[0]
    return bool(second > first)
