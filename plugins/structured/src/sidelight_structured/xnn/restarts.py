"""Training explanation networks until one says enough of the classifier with x-features that are far enough apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen
from sidelight_specs import SidelightError

from sidelight_structured.xnn.quality import agreement
from sidelight_structured.xnn.srae import ExplanationNetwork, pull_away
from sidelight_structured.xnn.training import encoded, one_training

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from sidelight_specs import Run

    from sidelight_structured.params import XnnParams

FACTOR = 1.5
"""By which the weight of the pull-away changes from one try to the next; its root after each change of direction."""
_TINY = 1e-6


@frozen(eq=False)
class Attempt:
    """A trained network and how it does on the training images, in shares of what is allowed.

    Args:
        network: the explanation network.
        curves: the course of the terms.
        overlap: the mean squared cosine between its x-features, over `params.overlap`.
        disagreement: the share of images whose prediction it does not repeat, over what `params.agreement` allows.
    """

    network: ExplanationNetwork
    curves: dict[str, np.ndarray]
    overlap: float
    disagreement: float

    @property
    def miss(self) -> float:
        """The larger of the two; at most 1 where the network is good enough."""
        return max(self.overlap, self.disagreement)


def trained(
    layer: torch.Tensor, logits: torch.Tensor, classes: Sequence[int], params: XnnParams, run: Run
) -> tuple[ExplanationNetwork, dict[str, np.ndarray]]:
    """An explanation network for Z (N, S) and the logits (N, K) of the `classes`, and the course of the terms.

    Where its x-features overlap too much, another is trained from a new start and with a stronger pull-away; where it
    repeats too few of the classifier's predictions, with a weaker one; `params.tries` in all. The one that misses its
    two aims least is kept. (The authors' code tries up to five times, by rules of its own.)

    Raises:
        SidelightError: no training gave finite x-features.
    """
    best, strength, factor, before = None, params.orthogonality, FACTOR, 0
    for number in range(params.tries if strength > 0 else 1):
        attempt = _attempted(layer, logits, classes, params, run, strength, number)
        if attempt.miss < (best.miss if best else float("inf")):
            best = attempt
        if attempt.miss <= 1:
            break
        direction = 1 if attempt.overlap > attempt.disagreement else -1
        factor = factor**0.5 if direction == -before else factor
        strength, before = strength * factor**direction, direction
    if best is None:
        raise SidelightError("the training of the explanation network gave no finite x-features; lower `learning_rate`")
    if strength > 0 and best.miss > 1:
        run.warn(
            f"xnn: no training was accepted; the one kept has {best.overlap:.2f} times the `overlap` and "
            f"{best.disagreement:.2f} times the disagreement that are allowed: raise `tries`, or allow more"
        )
    return best.network, best.curves


def _attempted(
    layer: torch.Tensor,
    logits: torch.Tensor,
    classes: Sequence[int],
    params: XnnParams,
    run: Run,
    strength: float,
    number: int,
) -> Attempt:
    network, curves = one_training(layer, logits[:, list(classes)], params, run, strength, number)
    x_features = encoded(network, layer, str(run.device))
    approximated = network.logits(x_features.to(run.device)).cpu()
    wrong = 1 - float(agreement(logits, approximated, classes).float().mean())
    return Attempt(
        network=network,
        curves=curves,
        overlap=float(pull_away(x_features)) / max(params.overlap, _TINY),
        disagreement=wrong / max(1 - params.agreement, _TINY),
    )
