"""Noisy labels that follow one factor, confounds planted between others and the label, and the Bayes accuracy.

P(y = 1 | z) = sigmoid(slope z)                    z in [-1, 1], the centred label factor
P(c high | y = 1) = p,  P(c high | y = 0) = 1 - p  for each confound c
log P(y = 1 | z, c) / P(y = 0 | z, c) = slope z + sum_c (+1 if c is high, else -1) log p / (1 - p)
"""

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
    """Law of the labels; factors that are neither label nor confounds are independent of y.

    Args:
        label: the factor that the label follows.
        slope: the larger, the less noise.
        confounds: factor to p, within (0, 1).
    """

    label: str
    slope: float
    confounds: Mapping[str, float]

    def logits(self, factors: Mapping[str, np.ndarray]) -> np.ndarray:
        """(N,) float64 log P(y=1 | factors) / P(y=0 | factors), the logit of the Bayes classifier."""
        total = self.slope * BY_NAME[self.label].centred(factors[self.label])
        for name, p in self.confounds.items():
            total = total + np.sign(BY_NAME[name].centred(factors[name])) * np.log(p / (1 - p))
        return np.asarray(total)

    def accuracy(self, decorrelated: bool = False) -> float:
        """Accuracy of the Bayes classifier, by the integral over z in closed form.

        Args:
            decorrelated: on images whose confounds are drawn by a fair coin, which the classifier does not know.
        """
        p = np.array(list(self.confounds.values()))
        accuracy = 0.0
        for sides in product((0, 1), repeat=len(p)):  # of all confounds, 1 is high
            if_one, if_zero = np.where(sides, p, 1 - p).prod(), np.where(sides, 1 - p, p).prod()  # P(sides | y)
            one, zero = self._hits(float(np.log(if_one / if_zero)))
            accuracy += (one + zero) / 2 ** len(p) if decorrelated else one * if_one + zero * if_zero
        return float(accuracy)

    def accuracy_of_label_factor(self) -> float:
        """The same for a classifier that sees nothing but the label factor."""
        return sum(self._hits(0.0))

    def _hits(self, evidence: float) -> tuple[float, float]:
        """P(y=1 and predicted 1), P(y=0 and predicted 0) over z, predicting 1 where slope z + evidence > 0."""
        if BY_NAME[self.label].law != "uniform":
            # z is -1 or 1, with equal chances
            predicted = np.array([evidence - self.slope, evidence + self.slope]) > 0
            ones = 1 / (1 + np.exp([self.slope, -self.slope]))
            return float(ones[predicted].sum() / 2), float((1 - ones)[~predicted].sum() / 2)
        turn = float(np.clip(-evidence / self.slope, -1, 1))  # the z at which the prediction changes
        # integrals of sigmoid(slope z) / 2 over [turn, 1], and of its complement over [-1, turn]
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
        plan: law of the labels.
        seed: of the data.
        ids: N names.
        decorrelated: draw the confounds' sides by a fair coin instead of by the label; all else stays the same.

    Returns:
        Name to (N,) float32, and (N,) int64 labels, 0 or 1.
    """

    def numbers(label: str) -> np.ndarray:
        return uniform(seed, [f"{name} {label}" for name in ids])

    factors = {factor.name: factor.draw(numbers(factor.name)) for factor in FACTORS}
    label = BY_NAME[plan.label]
    if label.law != "uniform":
        factors[plan.label] = label.on_side(numbers(f"{plan.label} side") < 0.5, numbers(plan.label))
    chances = 1 / (1 + np.exp(-plan.slope * label.centred(factors[plan.label])))
    labels = (numbers("label") < chances).astype(np.int64)
    for name, p in plan.confounds.items():
        high = np.full(len(ids), 0.5) if decorrelated else np.where(labels == 1, p, 1 - p)  # P(c high)
        factors[name] = BY_NAME[name].on_side(numbers(f"{name} side") < high, numbers(name))
    return factors, labels
