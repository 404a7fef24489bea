"""Functional Fisher information (equations 3 to 5) of functions of a layer, and what two functions share of it.

For a non-negative function h the information of coordinate i is E[(dh/dz_i)^2 / h], over a Gaussian of variance 1 on
that coordinate alone (equation 4). As (dh)^2 / h = (d 2 sqrt(h))^2, it is the squared length of a column of the
Jacobian of 2 sqrt(h); for a function with many values, pixels or class probabilities, it is the sum over them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Root = Callable[[Tensor], Tensor]
    """2 sqrt(h): rows (M, S) of the layer to (M, P)."""


def root_of_pixels(logits: Tensor) -> Tensor:
    """2 sqrt(sigmoid(logits)), flattened to (M, P); finite slopes also where pixels are black."""
    return 2 * (functional.logsigmoid(logits.flatten(1)) / 2).exp()


def root_of_classes(logits: Tensor) -> Tensor:
    """2 sqrt(softmax(logits)), (M, K)."""
    return 2 * (logits.log_softmax(1) / 2).exp()


def moved(points: Tensor, coordinates: Tensor, noise: Tensor, axes: Tensor | None = None) -> Tensor:
    """z of equation 4: row m of (M, S) with `noise[m]` added to its coordinate `coordinates[m]` and to no other.

    With axes (p, S), orthonormal, the coordinates are those along them.
    """
    if axes is None:
        return points.scatter_add(1, coordinates[:, None], noise[:, None])
    return points + noise[:, None] * axes[coordinates]


def projected(
    root: Root, rows: Tensor, coordinates: Tensor, signs: Tensor, axes: Tensor | None = None, *, learn: bool = False
) -> Tensor:
    """(M,) estimates of each row's information in its coordinate, all from one backward pass.

    For signs v of +1 and -1 drawn at random, the square of d(v . root)/dz_i has the sum over the outputs of
    (d root / dz_i)^2 as its mean (Hutchinson's estimator): however many pixels there are, one pass is enough.

    Args:
        root: 2 sqrt(h).
        rows: (M, S), the points moved.
        coordinates: (M,) int64.
        signs: (M, P).
        axes: (p, S) orthonormal directions that the coordinates are taken along; the layer's own without.
        learn: whether gradients are to flow back from the estimates.
    """
    gradient = slopes(root, rows, signs, learn=learn)
    if axes is None:
        return gradient.gather(1, coordinates[:, None])[:, 0].square()
    return (gradient * axes[coordinates]).sum(1).square()


def slopes(root: Root, rows: Tensor, signs: Tensor, *, learn: bool = False) -> Tensor:
    """(M, S): the gradient of v . root(z) at each of the rows z (M, S), for signs v (M, P)."""
    with torch.enable_grad():
        rows = rows.detach().requires_grad_()
        total = (signs * root(rows)).sum()
        (gradient,) = torch.autograd.grad(total, rows, create_graph=learn)
    return gradient


def exact(root: Root, rows: Tensor, coordinates: Tensor) -> Tensor:
    """(M,) what `projected` estimates: the squared length of one column of each row's Jacobian, in forward mode."""
    directions = functional.one_hot(coordinates, rows.shape[1]).to(rows)
    columns: Tensor = torch.func.jvp(root, (rows,), (directions,))[1]
    return columns.square().sum(1)


class Draw:
    """Which row looks at which coordinate, and the random numbers that it takes.

    Coordinates go round in random orders, so that all are looked at equally often.

    Args:
        size: S.
        generator: of all that is random.
    """

    def __init__(self, size: int, generator: torch.Generator) -> None:
        self._size, self._generator = size, generator
        self._left = torch.zeros(0, dtype=torch.int64)

    def coordinates(self, count: int) -> Tensor:
        """(count,) int64."""
        while len(self._left) < count:
            self._left = torch.cat([self._left, torch.randperm(self._size, generator=self._generator)])
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def noise(self, count: int) -> Tensor:
        """(count,) standard normal: the paper's Gaussian of variance 1."""
        return torch.randn(count, generator=self._generator)

    def signs(self, rows: int, outputs: int) -> Tensor:
        """(rows, outputs) of -1 and 1."""
        return torch.randint(0, 2, (rows, outputs), generator=self._generator).float() * 2 - 1


def mean_by_coordinate(values: Tensor, coordinates: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The mean of the values (M,) of each coordinate (S,), 0 for those without, and how many each has (S,)."""
    counts = torch.bincount(coordinates, minlength=size).to(values)
    sums = torch.zeros(size, dtype=values.dtype, device=values.device).index_add(0, coordinates, values)
    return sums / counts.clamp_min(1), counts


class Shared:
    """How alike the information of the generator is to the classifier's, as a term to learn by (equation 6).

    A step sees few rows, so that its own cosine would be mostly noise. The running mean of the estimates takes their
    place in the value, and only the slope comes from the step.

    Args:
        classifier: (S,) I(f_K), which does not change.
        similarity: `"cosine"`, or `"dot"`, equation 6 to the letter, which also grows with the length of I(g).
        decay: share of the running mean that a look at a coordinate leaves.
    """

    def __init__(self, classifier: Tensor, similarity: str, decay: float = 0.9) -> None:
        self._classifier, self._similarity, self._decay = classifier, similarity, decay
        self._mean = torch.zeros_like(classifier)
        self._seen = torch.zeros_like(classifier)

    def __call__(self, values: Tensor, coordinates: Tensor) -> Tensor:
        """The similarity after estimates (M,) of the generator's information in coordinates (M,)."""
        estimates, counts = mean_by_coordinate(values, coordinates, len(self._mean))
        self._update(estimates.detach(), counts > 0)
        generator = self._mean + torch.where(counts > 0, estimates - estimates.detach(), 0.0)
        product: Tensor = generator @ self._classifier
        if self._similarity == "dot":
            return product
        lengths: Tensor = generator.norm() * self._classifier.norm()
        return product / lengths.clamp_min(1e-12)

    def _update(self, estimates: Tensor, looked: Tensor) -> None:
        self._seen += looked
        # The weights of Adam's bias correction: a coordinate's first look counts in full.
        weight = (1 - self._decay) / (1 - self._decay ** self._seen.clamp_min(1))
        self._mean = torch.where(looked, self._mean + weight * (estimates - self._mean), self._mean)


def cosine(one: Tensor, other: Tensor) -> float:
    """Of two information vectors (S,); NaN where one is zero."""
    lengths = float(one.double().norm() * other.double().norm())
    return float(one.double() @ other.double()) / lengths if lengths > 0 else float("nan")
