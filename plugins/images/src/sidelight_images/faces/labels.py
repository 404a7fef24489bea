"""Noisy labels that follow factors, confounds planted between others and the label, and the Bayes accuracy.

P(y_l = 1 | z_l) = sigmoid(slope z_l)              z_l in [-1, 1], the centred label factor l; y_l independent
class = sum_l y_l 2^(L-1-l)                        crossed: the first factor is the most significant digit
P(c high | y_0 = 1) = p,  P(c high | y_0 = 0) = 1 - p          for each confound c, of the first label factor
log P(y_0 = 1 | z, c) / P(y_0 = 0 | z, c) = slope z_0 + sum_c (+1 if c is high, else -1) log p / (1 - p)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import TYPE_CHECKING

import attrs
import numpy as np

from sidelight_images.faces.factors import BY_NAME, FACTORS
from sidelight_images.order import uniform

if TYPE_CHECKING:
    from collections.abc import Sequence

AT_ONCE = 1024  # faces whose classes are drawn together in search of those that are not left out


@attrs.frozen
class Plan:
    """Law of the labels; factors that are neither label nor confounds are independent of y.

    Args:
        label: the factors that the label follows, L of them; one, or several crossed.
        slope: the larger, the less noise.
        confounds: factor to p, within (0, 1).
    """

    label: tuple[str, ...]
    slope: float
    confounds: Mapping[str, float]

    def logits(self, factors: Mapping[str, np.ndarray]) -> np.ndarray:
        """(N, L) float64 log P(y_l=1 | factors) / P(y_l=0 | factors), the logits of the Bayes classifier."""
        total = np.stack([self.slope * BY_NAME[name].centred(factors[name]) for name in self.label], axis=1)
        for name, p in self.confounds.items():
            total[:, 0] += np.sign(BY_NAME[name].centred(factors[name])) * np.log(p / (1 - p))
        return np.asarray(total)

    def accuracy(self, decorrelated: bool = False) -> float:
        """Accuracy of the Bayes classifier, by the integral over z in closed form.

        Args:
            decorrelated: on images whose confounds are drawn by a fair coin, which the classifier does not know.
        """
        p = np.array(list(self.confounds.values()))
        accuracy = 0.0
        for sides in product((0, 1), repeat=len(p)):  # of all confounds, 1 is high
            if_one, if_zero = np.where(sides, p, 1 - p).prod(), np.where(sides, 1 - p, p).prod()  # P(sides | y_0)
            one, zero = self._hits(self.label[0], float(np.log(if_one / if_zero)))
            accuracy += (one + zero) / 2 ** len(p) if decorrelated else one * if_one + zero * if_zero
        return float(accuracy * self._others())

    def accuracy_of_label_factors(self) -> float:
        """The same for a classifier that sees nothing but the label factors."""
        return float(sum(self._hits(self.label[0], 0.0)) * self._others())

    def _others(self) -> float:
        """P(all label factors but the first are predicted right): the y_l are independent."""
        return float(np.prod([sum(self._hits(name, 0.0)) for name in self.label[1:]]))

    def _hits(self, label: str, evidence: float) -> tuple[float, float]:
        """P(y=1 and predicted 1), P(y=0 and predicted 0) over z, predicting 1 where slope z + evidence > 0."""
        if BY_NAME[label].law != "uniform":
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
        Name to (N,) float32, and (N,) int64 labels, 0 to 2^L - 1.
    """

    def numbers(label: str) -> np.ndarray:
        return uniform(seed, [f"{name} {label}" for name in ids])

    factors = {factor.name: factor.draw(numbers(factor.name)) for factor in FACTORS}
    digits = []  # y_l, (N,) bool each
    for index, name in enumerate(plan.label):
        factors[name], digit = _label_factor(plan, index, numbers)
        digits.append(digit)
    for name, p in plan.confounds.items():
        high = np.full(len(ids), 0.5) if decorrelated else np.where(digits[0], p, 1 - p)  # P(c high)
        factors[name] = BY_NAME[name].on_side(numbers(f"{name} side") < high, numbers(name))
    return factors, _classes(digits)


def ids_of_classes(plan: Plan, seed: int, prefix: str, count: int, classes: Sequence[int]) -> list[str]:
    """The first `count` ids, `prefix-0`, `prefix-1`, ..., of faces whose class is one of `classes`."""
    chosen: list[str] = []
    for start in range(0, 2**40, AT_ONCE):
        ids = [f"{prefix}-{i}" for i in range(start, start + AT_ONCE)]

        def numbers(label: str, names: Sequence[str] = ids) -> np.ndarray:
            return uniform(seed, [f"{name} {label}" for name in names])

        labels = _classes([_label_factor(plan, index, numbers)[1] for index in range(len(plan.label))])
        chosen += [name for name, is_in in zip(ids, np.isin(labels, classes), strict=True) if is_in]
        if len(chosen) >= count:
            break
    return chosen[:count]


def _label_factor(plan: Plan, index: int, numbers: Callable[[str], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Values of the label factor l = `index`, (N,) float32, and y_l, (N,) bool."""
    name, label = plan.label[index], BY_NAME[plan.label[index]]
    values = label.draw(numbers(name))
    if label.law != "uniform":
        values = label.on_side(numbers(f"{name} side") < 0.5, numbers(name))
    chances = 1 / (1 + np.exp(-plan.slope * label.centred(values)))
    return values, numbers("label" if index == 0 else f"{name} label") < chances


def _classes(digits: Sequence[np.ndarray]) -> np.ndarray:
    """(N,) int64 classes of L binary digits, the most significant first."""
    classes = np.zeros(len(digits[0]), dtype=np.int64)
    for digit in digits:
        classes = 2 * classes + digit
    return classes
