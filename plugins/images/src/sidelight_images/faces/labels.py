"""Noisy labels that follow one factor, confounds planted between others and the label, and the Bayes accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import attrs
import numpy as np

from sidelight_images.faces.factors import BY_NAME, FACTORS
from sidelight_images.order import uniform

if TYPE_CHECKING:
    from collections.abc import Sequence


@attrs.frozen
class Plan:
    """Law of the labels.

    y is 1 with probability sigmoid(slope z), where z in [-1, 1] is the centred label factor. Each confound c lies on
    its high side with probability p when y is 1, and 1 - p when y is 0. All other factors are independent of y.

    Args:
        label: the factor that the label follows.
        slope: the larger, the less noise.
        confounds: factor to p, within (0, 1).
    """

    label: str
    slope: float
    confounds: Mapping[str, float]

    def logits(self, factors: Mapping[str, np.ndarray]) -> np.ndarray:
        """(N,) float64, log P(y=1 | factors) / P(y=0 | factors): what a perfect classifier would say."""
        total = self.slope * BY_NAME[self.label].centred(factors[self.label])
        for name, share in self.confounds.items():
            total = total + np.sign(BY_NAME[name].centred(factors[name])) * np.log(share / (1 - share))
        return np.asarray(total)

    def accuracy(self, decorrelated: bool = False) -> float:
        """Share of images that the best possible classifier gets right, by the integral over z in closed form.

        Args:
            decorrelated: it knows the confounds, but is asked about images in which they are drawn by a fair coin.
        """
        shares = np.array(list(self.confounds.values()))
        right = 0.0
        for sides in product((0, 1), repeat=len(shares)):
            if_one, if_zero = np.where(sides, shares, 1 - shares).prod(), np.where(sides, 1 - shares, shares).prod()
            one, zero = self._right(float(np.log(if_one / if_zero)))
            right += (one + zero) / 2 ** len(shares) if decorrelated else one * if_one + zero * if_zero
        return float(right)

    def accuracy_of_label_factor(self) -> float:
        """The same for a classifier that sees nothing but the label factor."""
        return sum(self._right(0.0))

    def _right(self, evidence: float) -> tuple[float, float]:
        """P(y=1 and said to be 1), P(y=0 and said to be 0) over z, for who says 1 where slope z + evidence > 0."""
        if BY_NAME[self.label].law != "uniform":
            says = np.array([evidence - self.slope, evidence + self.slope]) > 0
            ones = 1 / (1 + np.exp([self.slope, -self.slope]))
            return float(ones[says].sum() / 2), float((1 - ones)[~says].sum() / 2)
        turn = float(np.clip(-evidence / self.slope, -1, 1))
        one = _softplus(self.slope) - _softplus(self.slope * turn)
        zero = _softplus(self.slope) - _softplus(-self.slope * turn)
        return one / (2 * self.slope), zero / (2 * self.slope)


def _softplus(value: float) -> float:
    """The antiderivative of the sigmoid."""
    return float(np.logaddexp(0, value))


def draw_faces(
    plan: Plan, seed: int, ids: Sequence[str], decorrelated: bool = False
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Factors and labels of faces; each depends on its id and the seed alone.

    Args:
        plan: how labels come about.
        seed: of the data.
        ids: N names.
        decorrelated: draw the confounds' sides by a fair coin instead of by the label; all else stays the same.

    Returns:
        Name to (N,) float32, and (N,) int64 labels, 0 or 1.
    """

    def numbers(what: str) -> np.ndarray:
        return uniform(seed, [f"{name} {what}" for name in ids])

    factors = {factor.name: factor.draw(numbers(factor.name)) for factor in FACTORS}
    label = BY_NAME[plan.label]
    if label.law != "uniform":
        factors[plan.label] = label.on_side(numbers(f"{plan.label} side") < 0.5, numbers(plan.label))
    chances = 1 / (1 + np.exp(-plan.slope * label.centred(factors[plan.label])))
    labels = (numbers("label") < chances).astype(np.int64)
    for name, share in plan.confounds.items():
        high = np.full(len(ids), 0.5) if decorrelated else np.where(labels == 1, share, 1 - share)
        factors[name] = BY_NAME[name].on_side(numbers(f"{name} side") < high, numbers(name))
    return factors, labels
