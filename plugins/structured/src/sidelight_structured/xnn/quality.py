"""Fidelity of an explanation network to its classifier, and orthogonality of its x-features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from sidelight_specs.results import Measurement, Measurements
from sidelight_toolkit.arrays import to_array

from sidelight_structured.xnn.srae import pull_away

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

REBUILT = 0.5
"""R squared above which a dimension of the layer counts as rebuilt: more than half of its variance."""

Better = Literal["higher", "lower", "neither"]


def substitute(logits: torch.Tensor, approximated: torch.Tensor, classes: Sequence[int]) -> torch.Tensor:
    """The classifier's logits (N, K) with the explained classes' columns replaced by the network's (N, k)."""
    result = logits.clone()
    result[:, list(classes)] = approximated
    return result


def agreement(logits: torch.Tensor, approximated: torch.Tensor, classes: Sequence[int]) -> torch.Tensor:
    """(N,) bool: the network's logits (N, k) of the explained classes give the prediction of the classifier (N, K)."""
    return substitute(logits, approximated, classes).argmax(1) == logits.argmax(1)


def r_squared(logits: torch.Tensor, approximated: torch.Tensor) -> float:
    """1 minus the squared error over the variance, over all images and the logits (N, k) together."""
    spread = (logits - logits.mean(0)).square().sum()
    return float(1 - (approximated - logits).square().sum() / spread) if spread > 0 else float("nan")


def quality(
    logits: torch.Tensor,
    approximated: torch.Tensor,
    x_features: torch.Tensor,
    rebuilt: torch.Tensor,
    classes: Sequence[int],
    images: str,
) -> Measurements:
    """Agreement, R squared, orthogonality, and the numbers of x-features that fire and of dimensions rebuilt.

    Args:
        logits: (N, K), the classifier's.
        approximated: (N, k), the explained classes' by the network.
        x_features: (N, n).
        rebuilt: (S,), R squared of each dimension of the layer, rebuilt from the x-features.
        classes: the k classes explained.
        images: name of the images in help texts.
    """
    items = [
        _number("R2", r_squared(logits[:, list(classes)], approximated), "higher", "R squared",
                f"Variance of the explained logits that the x-features account for, over {images}."),
        _number("orthogonality", float(pull_away(x_features)), "lower", "squared cosine",
                f"Mean squared cosine between x-features over {images}: the third term of equation 1."),
        _number("x-features that fire", float((x_features > 0).any(0).sum()), "neither", "x-features",
                f"x-features that are above 0 in at least one of {images}; orthogonality is over their pairs."),
        _number("rebuilt dimensions", float((rebuilt > REBUILT).sum()), "neither", "dimensions",
                f"Dimensions of the layer, of {len(rebuilt)}, of whose variance over {images} the x-features rebuild "
                f"more than {REBUILT:.0%}: what the second term of equation 1 is for."),
    ]  # fmt: skip
    if logits.shape[1] > 1:  # a single logit predicts nothing that could agree
        items.insert(0, _agreement(to_array(agreement(logits, approximated, classes)), images))
    return Measurements(items=tuple(items))


def _agreement(agree: np.ndarray, images: str) -> Measurement:
    return Measurement(
        name="agreement",
        values=agree.astype(np.float32),
        better="higher",
        unit="share of images",
        help=f"Share of {images} for which the x-features alone give the classifier's prediction.",
    )


def _number(name: str, value: float, better: Better, unit: str, text: str) -> Measurement:
    return Measurement(name=name, values=np.array([value], dtype=np.float32), better=better, unit=unit, help=text)
